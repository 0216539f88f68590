"""Addresses and Message-IDs out of header fields: our own strict reading (RFC 5322 section 3.4), linear in their length."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from app.core import text
from app.intake.rules.headers import words
from app.intake.rules.mail import Address

MOST = 500
MOST_OF_ID = 1_000  # bytes of a Message-ID: no line may be longer (RFC 5322 section 2.1.1), and an index of ours takes 2,700

_PLAIN = re.compile(r'=\?[^?\s]{1,60}\?[bBqQ]\?[^?]{0,900}\?=|[^"(<>,;:=]+|=')
_UNTIL_QUOTE = re.compile(r'[^"\\]*')
_UNTIL_PAREN = re.compile(r"[^()\\]*")
_ADDRESS = re.compile(
    r'(?:[^\s@<>()\[\],;:\\"\x00-\x1f\x7f]{1,64}|"[^"\\<>,;\x00-\x1f\x7f]{1,62}")'
    r"@(?:[^\s@<>()\[\],;:\\\"'\x00-\x1f\x7f/?#]{1,253}|\[[0-9A-Za-z.:]{3,60}\])"
)
_AROUND_DOTS = re.compile(r" ?([@.]) ?")
_MAIL_ID = re.compile(r"<([^<>\s\x00-\x1f\x7f]{1,900})>")


def addresses(raw: str) -> tuple[Address, ...]:
    """Every address of a field such as From or To, in order. Group names are dropped, comments stand in for missing names."""
    return tuple(_parsed(raw[: 64 * 1024]))


def mail_ids(raw: str) -> tuple[str, ...]:
    """Every Message-ID in a field, angle brackets and all, in order, each once; of a great many, the last ones."""
    found = (f"<{inside}>" for inside in _MAIL_ID.findall(raw))
    return tuple(dict.fromkeys(id for id in found if len(id.encode()) <= MOST_OF_ID))[-200:]


def first_mail_id(raw: str) -> str | None:
    """The field's Message-ID; one that was sent without its brackets gets them."""
    return next(iter(mail_ids(raw) or mail_ids(f"<{raw.strip().strip('<>')}>")), None)


@dataclass
class _Draft:
    """What stands between two commas."""

    phrase: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    angle: list[str] | None = None

    def add(self, kind: str, piece: str) -> None:
        if kind == "comment":
            self.comments.append(piece)
        else:
            quoted = f'"{piece}"' if kind == "quoted" else piece
            (self.phrase if self.angle is None else self.angle).append(quoted)

    def address(self) -> Address | None:
        """The address, if there is one: in the angle brackets, else the first word that can be one."""
        whole = "".join(self.phrase if self.angle is None else self.angle)
        if "@" not in whole:
            return None
        if self.angle is not None:
            whole = whole.rpartition(":")[2]  # an obsolete route
        candidates = [whole.strip(), *_AROUND_DOTS.sub(r"\1", " ".join(whole.split())).split()]
        spec = next((c for c in (each.rstrip(".") for each in candidates) if _ADDRESS.fullmatch(c)), None)
        if spec is None:
            return None
        phrase = "" if self.angle is None else " ".join(part.strip().strip('"') for part in self.phrase)
        name = words(phrase.strip()) or words(" ".join(self.comments))
        return Address(text.one_line(name, most=200), text.address(spec))


def _parsed(raw: str) -> Iterator[Address]:
    draft, count = _Draft(), 0
    for kind, piece in _pieces(raw):
        if kind != "special" or (draft.angle is not None and piece not in "<>"):
            draft.add(kind, piece)
        elif piece == "<":
            draft.angle = []
        elif piece == ":":  # what came before names a group
            draft = _Draft()
        elif piece == ">" and draft.angle is None:
            continue  # nothing was opened
        elif found := draft.address():
            yield found
            draft, count = _Draft(), count + 1
            if count >= MOST:
                return
        elif piece == ">":
            draft.angle = None
        else:
            draft = _Draft()
    if found := draft.address():
        yield found


def _pieces(raw: str) -> Iterator[tuple[str, str]]:
    """Quoted strings, comments, specials and what is between. An opening mark that nothing closes is an ordinary character."""
    at, literal = 0, ""
    while at < len(raw):
        c = raw[at]
        closed = _READERS[c](raw, at + 1) if c in _READERS and c not in literal else None
        if closed:
            kind, piece, at = closed
            yield kind, piece
        elif match := _PLAIN.match(raw, at):
            at = match.end()
            yield "plain", match[0]
        else:
            literal += c if c in _READERS else ""
            yield "plain" if c in _READERS else "special", c
            at += 1


def _quoted(raw: str, at: int) -> tuple[str, str, int] | None:
    out: list[str] = []
    while match := _UNTIL_QUOTE.match(raw, at):
        out.append(match[0])
        at = match.end() + 1
        if raw[at - 1 : at] != "\\":
            break
        out.append(raw[at : at + 1])
        at += 1
    return ("quoted", "".join(out), at) if at <= len(raw) else None


def _comment(raw: str, at: int) -> tuple[str, str, int] | None:
    """Comments nest; depth is a number here, so that a thousand parentheses are no deeper than one."""
    out: list[str] = []
    depth = 1
    while depth and at < len(raw) and (match := _UNTIL_PAREN.match(raw, at)):
        out.append(match[0])
        at = match.end() + 1
        c = raw[at - 1 : at]
        if c == "\\":
            out.append(raw[at : at + 1])
            at += 1
        depth += {"(": 1, ")": -1}.get(c, 0)
    return None if depth else ("comment", "".join(out).strip(), at)


_READERS = {'"': _quoted, "(": _comment}

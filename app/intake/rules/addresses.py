"""Addresses and Message-IDs out of header fields: our own strict reading (RFC 5322 section 3.4), linear in their length."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from app.core import text
from app.intake.rules.headers import words
from app.intake.rules.mail import Address

MOST = 500

_PLAIN = re.compile(r'=\?[^?\s]{1,60}\?[bBqQ]\?[^?]{0,900}\?=|[^"(<>,;:=]+|=')
_UNTIL_QUOTE = re.compile(r'[^"\\]*')
_UNTIL_PAREN = re.compile(r"[^()\\]*")
_ADDRESS = re.compile(
    r'(?:[^\s@<>()\[\],;:\\"\x00-\x1f\x7f]{1,64}|"[^"\\\x00-\x1f\x7f]{1,62}")'
    r"@(?:[^\s@<>()\[\],;:\\\"'\x00-\x1f\x7f/?#]{1,253}|\[[0-9A-Za-z.:]{3,60}\])"
)
_ANGLE = re.compile(r"<([^<>\s]{3,320})>")
_AROUND_DOTS = re.compile(r"[ \t]*([@.])[ \t]*")
_MAIL_ID = re.compile(r"<([^<>\s\x00-\x1f\x7f]{1,900})>")


def addresses(raw: str) -> tuple[Address, ...]:
    """Every address of a field such as From or To, in order. Group names are dropped, comments stand in for missing names.

    Where an unclosed quote swallowed everything, what stands last in angle brackets is taken.
    """
    found = tuple(_parsed(raw[: 64 * 1024]))
    return found or tuple(Address("", text.address(m)) for m in _ANGLE.findall(raw[-2000:])[-1:] if _ADDRESS.fullmatch(m))


def mail_ids(raw: str) -> tuple[str, ...]:
    """Every Message-ID in a field, angle brackets and all, in order, each once; of a great many, the last ones."""
    return tuple(dict.fromkeys(f"<{inside}>" for inside in _MAIL_ID.findall(raw)))[-200:]


def first_mail_id(raw: str) -> str | None:
    """The field's Message-ID; one that was sent without its brackets gets them."""
    found = mail_ids(raw)
    bare = raw.strip().strip("<>")
    return found[0] if found else (f"<{bare}>" if re.fullmatch(r"[^<>\s\x00-\x1f\x7f]{1,900}", bare) else None)


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
        if self.angle is not None:
            whole = whole.rpartition(":")[2]  # an obsolete route
        candidates = [whole.strip(), *_AROUND_DOTS.sub(r"\1", whole).split()]
        spec = next((c for c in (each.rstrip(".") for each in candidates) if _ADDRESS.fullmatch(c)), None)
        if spec is None:
            return None
        phrase = "" if self.angle is None else " ".join(part.strip().strip('"') for part in self.phrase)
        name = words(phrase.strip()) or words(" ".join(self.comments))
        return Address(text.one_line(name, most=200), text.address(spec))


def _parsed(raw: str) -> Iterator[Address]:
    draft, count = _Draft(), 0
    for kind, piece in [*_pieces(raw), ("special", ",")]:
        if kind != "special" or (draft.angle is not None and piece not in "<>"):
            draft.add(kind, piece)
        elif piece == "<":
            draft.angle = []
        elif piece == ":":  # what came before names a group
            draft = _Draft()
        elif found := draft.address():
            yield found
            draft, count = _Draft(), count + 1
            if count >= MOST:
                return
        elif piece != ">":
            draft = _Draft()


def _pieces(raw: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(raw):
        if raw[at] == '"':
            piece, at = _quoted(raw, at + 1)
            yield "quoted", piece
        elif raw[at] == "(":
            piece, at = _comment(raw, at + 1)
            yield "comment", piece
        elif match := _PLAIN.match(raw, at):
            at = match.end()
            yield "plain", match[0]
        else:
            yield "special", raw[at]
            at += 1


def _quoted(raw: str, at: int) -> tuple[str, int]:
    out: list[str] = []
    while match := _UNTIL_QUOTE.match(raw, at):
        out.append(match[0])
        at = match.end()
        if raw[at : at + 1] != "\\":
            break
        out.append(raw[at + 1 : at + 2])
        at += 2
    return "".join(out), at + 1


def _comment(raw: str, at: int) -> tuple[str, int]:
    """Comments nest; depth is a number here, so that a thousand parentheses are no deeper than one."""
    out: list[str] = []
    depth = 1
    while match := _UNTIL_PAREN.match(raw, at):
        out.append(match[0])
        at = match.end()
        c = raw[at : at + 1]
        if c == "\\":
            out.append(raw[at + 1 : at + 2])
            at += 1
        depth += {"(": 1, ")": -1}.get(c, 0)
        at += 1
        if not c or not depth:
            break
    return "".join(out).strip(), at

"""A mail's header: unfolding, encoded words (RFC 2047) and parameters (RFC 2231), as they really come."""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from app.core import text
from app.intake.rules import charset

MOST_ONE = 64 * 1024
MOST_ALL = 256 * 1024

_NAME = re.compile(rb"([!-9;-~]{1,100})[ \t]*:")
_END = re.compile(rb"\r?\n\r?\n|\r\r")
_MARK = re.compile(r'\\"|[;"]')
_AFTER_PADDING = re.compile(rb"=[ \t][^\r\n]*")  # words behind the end
_CONTINUED = re.compile(r"([^*]+)(?:\*(\d{1,4}))?(\*)?")


@dataclass
class Headers:
    """Fields in the order they came, names in lower case. Of several, the first one counts."""

    fields: list[tuple[str, bytes]] = field(default_factory=list)
    charset: str = ""  # a guess for raw 8-bit bytes: the label of the mail's own text

    def has(self, name: str) -> bool:
        return any(found == name for found, _ in self.fields)

    def all(self, name: str) -> list[str]:
        """The values as they stand, encoded words and all."""
        return [self._decoded(value) for found, value in self.fields if found == name]

    def first(self, name: str) -> str:
        """The first value as it stands; empty where there is none."""
        return next(iter(self.all(name)), "")

    def text(self, name: str) -> str:
        """The first value for people: one line, encoded words decoded."""
        return text.one_line(words(self.first(name)))

    def _decoded(self, value: bytes) -> str:
        plain = value.isascii() and b"\x1b" not in value
        return value.decode("ascii") if plain else charset.decode(value, self.charset)


def split(raw: bytes, start: int = 0, stop: int | None = None) -> tuple[Headers, int]:
    """The header of what lies between `start` and `stop`, and where in `raw` its body begins.

    What can't be a header line ends the header (there are mails without the empty line). An mbox "From " line is skipped.
    """
    stop = len(raw) if stop is None else stop
    mbox = raw.startswith((b"From ", b">From "), start, stop)
    at = (raw.find(b"\n", start, stop) + 1 or start) if mbox else start
    if raw.startswith((b"\r\n", b"\n"), at, stop):
        return Headers(), at + (2 if raw.startswith(b"\r\n", at, stop) else 1)
    found = _END.search(raw, max(at - 1, start), stop)
    end, body = (found.start(), found.end()) if found else (stop, stop)
    fields: list[tuple[str, bytes]] = []
    room = MOST_ALL
    for begins, line in _lines(raw, at, end):
        room -= len(line) + 2
        if room < 0:
            break
        if line[:1] in (b" ", b"\t") and fields:
            name, value = fields[-1]
            fields[-1] = (name, (value + b" " + line.strip())[:MOST_ONE])
        elif match := _NAME.match(line):
            fields.append((match[1].decode("ascii").lower(), line[match.end() :].strip()[:MOST_ONE]))
        elif line.strip() and not line.startswith((b"From ", b">From ")):
            return Headers(fields), begins
    return Headers(fields), body


def words(raw: str) -> str:
    """`raw` with its encoded words decoded. Neighbours are joined as bytes first: senders split within a character."""
    out: list[str] = []
    run, run_label, after_word = b"", "", False
    for before, label, content in _scan(raw):
        between_words = after_word and label is not None and before.isspace()  # such space is no text: section 6.2
        plain = "" if between_words else before
        if plain or label != run_label:
            out += (charset.decode(run, run_label), plain)
            run = b""
        run, run_label, after_word = run + content, label or "", label is not None
    return "".join(out)


def parameters(raw: str) -> tuple[str, dict[str, str]]:
    """A value such as "text/plain; charset=utf-8", in lower case, and its parameters decoded, names in lower case."""
    first, *rest = _pieces(raw)
    plain: dict[str, str] = {}
    pieces: dict[str, list[tuple[int, bool, str]]] = {}
    for piece in rest:
        name, equals, value = piece.partition("=")
        match = _CONTINUED.fullmatch(name.strip().lower())
        if not equals or not match:
            continue
        if match[2] is None and not match[3]:
            plain.setdefault(match[1], words(_unquoted(value)))
        else:
            pieces.setdefault(match[1], []).append((int(match[2] or 0), bool(match[3]), _unquoted(value)))
    return first.strip().lower(), plain | {name: _joined(found) for name, found in pieces.items()}


def base64(raw: bytes) -> bytes:
    """What can be had from base64 with junk in it, bad padding, or several paddings in a row."""
    padding = raw.find(b"=")
    if padding < 0 or not raw[padding:].strip(b"=\r\n\t "):
        try:
            return binascii.a2b_base64(raw)
        except binascii.Error:
            pass
    clean = re.sub(rb"[^A-Za-z0-9+/=]+", b"", _AFTER_PADDING.sub(b"=", raw))
    chunks = (chunk[: len(chunk) - (len(chunk) % 4 == 1)] for chunk in clean.split(b"="))
    return b"".join(binascii.a2b_base64(chunk + b"=" * (-len(chunk) % 4)) for chunk in chunks if chunk)


def _lines(raw: bytes, at: int, end: int) -> Iterator[tuple[int, bytes]]:
    mark = b"\n" if raw.find(b"\n", at, end) >= 0 or raw.find(b"\r", at, end) < 0 else b"\r"
    while at < end:
        stop = raw.find(mark, at, end)
        stop = end if stop < 0 else stop
        yield at, raw[at : min(stop, at + MOST_ONE)].rstrip(b"\r\n")
        at = stop + 1


def _scan(raw: str) -> Iterator[tuple[str, str | None, bytes]]:
    """(plain text before, charset, bytes) for each encoded word; at the end (the rest, None, nothing). Linear in `raw`."""
    at, search = 0, 0
    while (start := raw.find("=?", search)) >= 0:
        name_end = raw.find("?", start + 2)
        kind = raw[name_end + 1 : name_end + 3].lower()
        stop = raw.find("?=", name_end + 3) if kind in {"b?", "q?"} else -2
        if name_end < 0 or stop == -1:
            break
        label = raw[start + 2 : name_end].partition("*")[0]
        if stop < 0 or not 0 < len(label) < 60 or " " in label:
            search = start + 2
            continue
        inside = raw[name_end + 3 : stop]
        yield raw[at:start], label, _unpacked(kind[0], inside)
        at = search = stop + 2
    yield raw[at:], None, b""


def _unpacked(kind: str, inside: str) -> bytes:
    raw = inside.encode("utf-8", "replace")
    if kind == "b":
        return base64(raw)
    return re.sub(rb"=([0-9A-Fa-f]{2})", lambda m: bytes.fromhex(m[1].decode()), raw.replace(b"_", b" "))


def _pieces(raw: str) -> list[str]:
    """Split at semicolons outside quotes."""
    out: list[str] = []
    start, quoted = 0, False
    for found in _MARK.finditer(raw):
        if found[0] == '"':
            quoted = not quoted
        elif found[0] == ";" and not quoted:
            out.append(raw[start : found.start()])
            start = found.end()
    return [*out, raw[start:]]


def _unquoted(value: str) -> str:
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value.strip('"')


def _joined(pieces: list[tuple[int, bool, str]]) -> str:
    """RFC 2231: pieces by number; the first one, if encoded, names the charset."""
    pieces.sort()
    number, encoded, first = pieces[0]
    label = ""
    if encoded and number == 0 and first.count("'") >= 2:
        label, _, first = first.split("'", 2)
    values = [(encoded, first), *((flag, value) for _, flag, value in pieces[1:])]
    raw = b"".join(unquote_to_bytes(v) if flag else v.encode("utf-8", "replace") for flag, v in values)
    return words(charset.decode(raw, label))

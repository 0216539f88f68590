"""The tree of a mail's parts (RFC 2046), cut out of the raw bytes, so that what is inside keeps every one of its own.

An outer boundary ends whatever is inside, so the tree is cut from the outside in; depth and number are bounded on the way.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from app.intake.rules import headers
from app.intake.rules.headers import Headers

MOST_PARTS = 500
MOST_DEPTH = 50

_GUESS = re.compile(rb"^--(\S[^\r\n]{0,199})\r?$", re.MULTILINE)
_REST_OF_LINE = re.compile(rb"(--)?(?:[ \t][^\r\n]*)?(?=\r|\n|\Z)")  # what follows a space doesn't count: RFC 2046 section 5.1.1
_TYPE = re.compile(r"[^\s/;,\"]+/[^\s/;,\"]+(?=\s|\Z)")
_BREAK = re.compile(rb"[\r\n]")
_SOMETHING = re.compile(rb"\S")
_WINDOW = 1_000_000  # bytes


@dataclass
class Part:
    """One part: its own header, where in the mail it begins and its body lies as sent, and the parts it is made of.

    Bodies are cut out when they are asked for: of a large mail there is never room for several copies.
    """

    headers: Headers
    mail: bytes = field(repr=False)
    begin: int
    start: int
    end: int
    media_type: str
    parameters: dict[str, str]
    children: list["Part"] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        """All of it, as sent."""
        return self.mail[self.start : self.end]

    @property
    def empty(self) -> bool:
        """Whether there is nothing but space."""
        return _SOMETHING.search(self.mail, self.start, self.end) is None

    def pieces(self) -> Iterator[bytes]:
        """The body a megabyte at a time, without the space at its end; no line break is cut in two."""
        at, end = self.start, self._end_of_text()
        while at < end:
            stop = min(at + _WINDOW, end)
            stop += self.mail[stop - 1 : stop + 1] == b"\r\n"
            yield self.mail[at:stop]
            at = stop

    def _end_of_text(self) -> int:
        end = self.end
        while end > self.start:
            window = max(end - 4096, self.start)
            if kept := len(self.mail[window:end].rstrip()):
                return window + kept
            end = window
        return end

    @property
    def disposition(self) -> str:
        return headers.parameters(self.headers.first("content-disposition"))[0]

    @property
    def name(self) -> str:
        """The file's name as sent, however it was written; may hold anything."""
        given = headers.parameters(self.headers.first("content-disposition"))[1]
        return given.get("filename") or self.parameters.get("name") or ""

    @property
    def content(self) -> bytes:
        """What the transfer encoding stands for; damaged encodings give what can be had."""
        kind = self.headers.first("content-transfer-encoding").strip().lower()
        if kind.startswith("base64"):
            return headers.base64(self.body)
        if kind.startswith("quoted-printable"):
            return binascii.a2b_qp(self.body)
        return uudecoded(self.body) if kind in {"x-uuencode", "uuencode", "x-uue", "uue"} else self.body

    def walk(self) -> Iterator["Part"]:
        """This part and all below it, in order."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass
class _Room:
    parts: int = MOST_PARTS
    exceeded: bool = False


def tree(raw: bytes) -> tuple[Part, bool]:
    """The whole mail, and whether it had more parts than anybody needs, so that some were left out."""
    room = _Room()
    return _part(raw, (0, len(raw)), "text/plain", MOST_DEPTH, room), room.exceeded


def _part(mail: bytes, span: tuple[int, int], otherwise: str, depth: int, room: _Room) -> Part:
    fields, start = headers.split(mail, *span)
    media_type, parameters = headers.parameters(fields.first("content-type"))
    named = _TYPE.match(media_type)
    media_type = named[0] if named else "text/plain" if media_type.startswith("text") else otherwise
    part = Part(fields, mail, span[0], start, span[1], media_type, parameters)
    if media_type.startswith("multipart/"):
        _divide(part, depth, room)
    return part


def _divide(part: Part, depth: int, room: _Room) -> None:
    boundary = part.parameters.get("boundary", "").encode("utf-8", "replace")
    spans = _spans(part, boundary)
    if not spans and (found := _GUESS.search(part.mail, part.start, part.end)) and found[1].rstrip() != boundary + b"--":
        spans = _spans(part, found[1].rstrip())
    if not spans:
        part.media_type = "text/plain"  # a multipart without parts is its text
        return
    otherwise = "message/rfc822" if part.media_type == "multipart/digest" else "text/plain"
    for span in spans:
        if depth == 0 or room.parts == 0:
            room.exceeded = True
            return
        room.parts -= 1
        part.children.append(_part(part.mail, span, otherwise, depth - 1, room))


def _spans(part: Part, boundary: bytes) -> list[tuple[int, int]]:
    """Where what lies between the boundary's lines begins and ends; a missing last line ends with the body."""
    out: list[tuple[int, int]] = []
    start = -1
    for line, after, last in _boundaries(part, boundary) if boundary else ():
        if start >= 0:
            out.append((start, max(line, start)))
        start = -1 if last else min(after, part.end)
        if len(out) > MOST_PARTS:
            return out
    if start >= 0 and _SOMETHING.search(part.mail, start, part.end):
        out.append((start, part.end))
    return out


def _boundaries(part: Part, boundary: bytes) -> Iterator[tuple[int, int, bool]]:
    """For each line of the boundary: where the break before it begins, where the next line begins, whether it is the last one."""
    mark, mail = b"--" + boundary, part.mail
    at = mail.find(mark, part.start, part.end)
    while at >= 0:
        rest = _REST_OF_LINE.match(mail, at + len(mark), part.end)
        if rest and (at == part.start or mail[at - 1] in b"\r\n"):
            yield _before_break(part, at), _after_break(mail, rest.end()), bool(rest[1])
        following = _BREAK.search(mail, at + len(mark), part.end)  # only a new line can begin with another one
        at = mail.find(mark, following.end(), part.end) if following else -1


def _before_break(part: Part, at: int) -> int:
    crlf = part.mail.endswith(b"\r\n", part.start, at)
    return max(at - (2 if crlf else 1), part.start)


def _after_break(mail: bytes, at: int) -> int:
    return at + (2 if mail.startswith(b"\r\n", at) else 1)


def uudecoded(raw: bytes) -> bytes:
    """What the lines stand for; those that are damaged give what can be had."""
    out: list[bytes] = []
    for line in raw.splitlines():
        if line.startswith(b"begin ") or not line or line == b"`":
            continue
        if line == b"end":
            break
        try:
            out.append(binascii.a2b_uu(line))
        except binascii.Error:
            room = (((line[0] - 32) & 63) * 4 + 5) // 3  # senders pad lines too long
            out.append(_uu_line(line[:room]))
    return b"".join(out)


def _uu_line(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        return b""

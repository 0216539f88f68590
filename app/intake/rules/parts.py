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


@dataclass
class Part:
    """One part: its own header, its content as sent, and the parts it is made of."""

    headers: Headers
    body: bytes
    media_type: str
    parameters: dict[str, str]
    children: list["Part"] = field(default_factory=list)

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
        return _uudecoded(self.body) if kind in {"x-uuencode", "uuencode", "x-uue", "uue"} else self.body

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
    return _part(raw, "text/plain", MOST_DEPTH, room), room.exceeded


def _part(raw: bytes, otherwise: str, depth: int, room: _Room) -> Part:
    fields, start = headers.split(raw)
    media_type, parameters = headers.parameters(fields.first("content-type"))
    if not re.fullmatch(r"[^\s/]+/[^\s/]+", media_type):
        media_type = "text/plain" if media_type.startswith("text") else otherwise
    part = Part(fields, raw[start:], media_type, parameters)
    if media_type.startswith("multipart/"):
        _divide(part, depth, room)
    return part


def _divide(part: Part, depth: int, room: _Room) -> None:
    pieces = _pieces(part.body, part.parameters.get("boundary", "").encode("utf-8", "replace"))
    if not pieces and (found := _GUESS.search(part.body)):
        pieces = _pieces(part.body, found[1].rstrip())
    if not pieces:
        part.media_type = "text/plain"  # a multipart without parts is its text
        return
    otherwise = "message/rfc822" if part.media_type == "multipart/digest" else "text/plain"
    for piece in pieces:
        if depth == 0 or room.parts == 0:
            room.exceeded = True
            return
        room.parts -= 1
        part.children.append(_part(piece, otherwise, depth - 1, room))


def _pieces(body: bytes, boundary: bytes) -> list[bytes]:
    """What lies between the boundary's lines; a missing last line ends with the body."""
    if not boundary:
        return []
    line = re.compile(rb"(?:\A|\r?\n|\r)--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r|\n|\Z)")
    out: list[bytes] = []
    start = -1
    for found in line.finditer(body):
        if start >= 0:
            out.append(body[start : found.start()])
        start = -1 if found[1] else _after_line(body, found.end())
        if len(out) > MOST_PARTS:
            return out
    if start >= 0 and body[start:].strip():
        out.append(body[start:])
    return out


def _after_line(body: bytes, at: int) -> int:
    return at + (2 if body.startswith(b"\r\n", at) else 1)


def _uudecoded(raw: bytes) -> bytes:
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

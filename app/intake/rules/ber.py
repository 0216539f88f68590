"""BER, the bytes that CMS and certificates are written in (X.690): read with bounds on depth, on elements, and so on time.

Lengths may be left open, as programs that sign a stream write them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

SEQUENCE, SET, INTEGER, OCTETS, OCTETS_IN_PIECES, OID = 0x30, 0x31, 0x02, 0x04, 0x24, 0x06
FIRST, SECOND, THIRD = 0xA0, 0xA1, 0xA2  # what a structure numbers itself
MOST_DEPTH = 20
MOST_ELEMENTS = 150_000  # more than a stream of 20 MB in pieces of 1 KB has, looked through five times


class Broken(Exception):
    """It isn't BER, or more of it than anybody needs."""


@dataclass
class _Room:
    elements: int = MOST_ELEMENTS


@dataclass(slots=True)
class Element:
    """One element: its tag, all of it, and where in that its value lies."""

    tag: int
    whole: memoryview
    begin: int
    end: int
    room: _Room

    @property
    def value(self) -> memoryview:
        """What it holds."""
        return self.whole[self.begin : self.end]

    def inside(self) -> Iterator["Element"]:
        """The elements it is made of. Raises Broken on the way."""
        return _elements(self.value, self.room)

    def few(self, most: int) -> list["Element"]:
        """The first elements it is made of. Raises Broken."""
        return list(islice(self.inside(), most))

    def first(self, *tags: int) -> "Element":
        """The first element in it, which has to have one of these tags. Raises Broken."""
        found = next(self.inside(), None)
        if found is None or found.tag not in tags:
            raise Broken
        return found

    def octets(self, depth: int = MOST_DEPTH) -> bytes:
        """The bytes of an OCTET STRING, put together where it comes in pieces. Raises Broken."""
        if self.tag == OCTETS:
            return bytes(self.value)
        if self.tag != OCTETS_IN_PIECES or depth == 0:
            raise Broken
        return b"".join(each.octets(depth - 1) for each in self.inside())


def only(raw: bytes, tag: int) -> Element:
    """The element that the bytes begin with. Raises Broken."""
    found = next(_elements(memoryview(raw), _Room()), None)
    if found is None or found.tag != tag:
        raise Broken
    return found


def _elements(raw: memoryview, room: _Room) -> Iterator[Element]:
    """Each element of a level, up to a mark of its end."""
    at = 0
    while at + 2 <= len(raw) and not _ends(raw, at):
        tag, begin, end, after = _extent(raw, at, MOST_DEPTH, room)
        yield Element(tag, raw[at:after], begin - at, end - at, room)
        at = after


def _ends(raw: memoryview, at: int) -> bool:
    return bytes(raw[at : at + 2]) == b"\0\0"


def _extent(raw: memoryview, at: int, depth: int, room: _Room) -> tuple[int, int, int, int]:
    """Tag, where the value begins and ends, and where the next element begins."""
    room.elements -= 1
    if at + 2 > len(raw) or raw[at] & 31 == 31 or depth == 0 or room.elements < 0:
        raise Broken
    tag, size, begin = raw[at], raw[at + 1], at + 2
    if size == 0x80:
        end = begin
        while not _ends(raw, end):
            end = _extent(raw, end, depth - 1, room)[3]
        return tag, begin, end, end + 2
    if size > 0x80:
        more = size & 127
        size, begin = int.from_bytes(raw[begin : begin + min(more, 8)], "big"), begin + more
    if begin + size > len(raw):
        raise Broken
    return tag, begin, begin + size, begin + size

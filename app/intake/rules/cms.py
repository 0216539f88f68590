"""S/MIME's envelope (CMS, RFC 5652), opened as far as that needs no key: what is signed is read, what is encrypted is said to be.

Signatures are not judged here. Lengths may be left open (BER), as programs that sign a stream write them.
"""

from collections.abc import Iterator

MEDIA_TYPES = {"application/pkcs7-mime", "application/x-pkcs7-mime"}

_SIGNED = bytes.fromhex("2a864886f70d010702")
_ENVELOPED = {bytes.fromhex("2a864886f70d010703"), bytes.fromhex("2a864886f70d0109100117")}
_SEQUENCE, _OCTETS, _OCTETS_IN_PIECES, _FIRST, _OID = 0x30, 0x04, 0x24, 0xA0, 0x06
_MOST_DEPTH = 20

Element = tuple[int, memoryview]


class _Broken(Exception):
    """It isn't BER."""


def signed(raw: bytes) -> bytes | None:
    """What was signed, as it was signed; None where nothing of that kind is inside."""
    try:
        kind, content = _typed(memoryview(raw))
        if kind != _SIGNED:
            return None
        inside = [value for tag, value in _elements(_only(content, _SEQUENCE)) if tag == _SEQUENCE]
        _, octets = _typed_in(inside[0])
        found = next(_elements(octets))
        return _octets(found, _MOST_DEPTH)
    except (_Broken, StopIteration, IndexError):
        return None


def is_encrypted(raw: bytes) -> bool:
    """Whether only who has the key can read it."""
    try:
        return _typed(memoryview(raw))[0] in _ENVELOPED
    except (_Broken, StopIteration):
        return False


def _typed(raw: memoryview) -> tuple[bytes, memoryview]:
    """The type that a ContentInfo names, and what it carries."""
    return _typed_in(_only(raw, _SEQUENCE))


def _typed_in(raw: memoryview) -> tuple[bytes, memoryview]:
    found = dict(reversed(list(_elements(raw))))
    if _OID not in found:
        raise _Broken
    return bytes(found[_OID]), found.get(_FIRST, raw[:0])


def _only(raw: memoryview, tag: int) -> memoryview:
    found, value = next(_elements(raw))
    if found != tag:
        raise _Broken
    return value


def _octets(element: Element, depth: int) -> bytes:
    tag, value = element
    if tag == _OCTETS:
        return bytes(value)
    if tag != _OCTETS_IN_PIECES or depth == 0:
        raise _Broken
    return b"".join(_octets(each, depth - 1) for each in _elements(value))


def _elements(raw: memoryview) -> Iterator[Element]:
    """Tag and value of each element of a level, up to a mark of its end."""
    at = 0
    while at + 2 <= len(raw) and not _ends(raw, at):
        tag, begin, end, after = _extent(raw, at, _MOST_DEPTH)
        yield tag, raw[begin:end]
        at = after


def _ends(raw: memoryview, at: int) -> bool:
    return bytes(raw[at : at + 2]) == b"\0\0"


def _extent(raw: memoryview, at: int, depth: int) -> tuple[int, int, int, int]:
    """Tag, where the value begins and ends, and where the next element begins."""
    if at + 2 > len(raw) or raw[at] & 31 == 31 or depth == 0:
        raise _Broken
    tag, size, begin = raw[at], raw[at + 1], at + 2
    if size == 0x80:
        end = begin
        while not _ends(raw, end):
            end = _extent(raw, end, depth - 1)[3]
        return tag, begin, end, end + 2
    if size > 0x80:
        more = size & 127
        size, begin = int.from_bytes(raw[begin : begin + min(more, 8)], "big"), begin + more
    if begin + size > len(raw):
        raise _Broken
    return tag, begin, begin + size, begin + size

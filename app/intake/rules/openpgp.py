"""Which keys an OpenPGP signature (RFC 9580, RFC 3156) says it is by, and where a mail brings keys. All of it is only named here:
`sequoia` says what it is worth.
"""

import binascii
import re
from collections.abc import Iterator
from itertools import islice

from app.intake.rules import body, headers, places
from app.intake.rules.keys import MEDIA_TYPE, MOST_KEY, MOST_KEYS
from app.intake.rules.parts import Part
from app.intake.rules.places import Place
from app.intake.rules.seal import UNCHECKED, Seal

MOST = 64 * 1024  # bytes of a signature
MOST_SIGNATURES = 10  # beside each other
SIGNATURE = "application/pgp-signature"

_BEGIN, _END = b"-----BEGIN PGP SIGNATURE-----", b"-----END PGP SIGNATURE-----"
_CLEARTEXT = "-----BEGIN PGP SIGNED MESSAGE-----"
_KEYDATA = re.compile(r"(?:^|;)\s*keydata\s*=([^;]*)", re.IGNORECASE)
_ISSUER, _FINGERPRINT = 16, 33  # types of subpackets
_SIGNATURE_PACKET = 2


class _Broken(Exception):
    """It is no signature."""


def place(mail: Part) -> Place | None:
    """The signature of the whole mail, or else the first one of a part."""
    return next(filter(None, (places.beside(part, mail, {SIGNATURE}) for part in mail.walk())), None)


def found(mail: Part) -> Seal | None:
    """What there is of an OpenPGP signature, before anybody has checked it: by which keys, if it says so."""
    if at := place(mail):
        return Seal(openpgp=True, keys=keys(at.envelope.content[:MOST]), trouble=UNCHECKED.trouble)
    return None


def within(text: str) -> Seal | None:
    """A signature that stands within a text, as programs wrote it before there was a type of mail for it (RFC 9580 section 7)."""
    begin = text.find(_CLEARTEXT)
    at = text.find(_BEGIN.decode(), begin)
    return Seal(openpgp=True, keys=keys(text[at:][:MOST].encode()), inline=True) if 0 <= begin < at else None


def brought(mail: Part) -> list[bytes]:
    """Keys that come along, attached or in the header (Autocrypt), as they are; large ones are left out."""
    attached = (part.content for part in mail.walk() if not part.children and body.kind(part) == MEDIA_TYPE)
    every = (raw for source in (attached, _in_header(mail)) for raw in source if 0 < len(raw) <= MOST_KEY)
    return list(islice(every, MOST_KEYS))


def _in_header(mail: Part) -> Iterator[bytes]:
    for value in mail.headers.all("autocrypt")[:MOST_KEYS]:
        if (data := _KEYDATA.search(value[: 2 * MOST_KEY])) and (raw := headers.base64(data[1].encode("ascii", "replace"))):
            yield raw


def keys(signature: bytes) -> tuple[str, ...]:
    """The fingerprints of the keys of these signatures, or their IDs, in capital hex; nothing of those that are damaged."""
    return tuple(dict.fromkeys(filter(None, map(_key, packets(signature)))))


def _key(packet: bytes) -> str:
    try:
        named = dict(_subpackets(packet))
    except (_Broken, IndexError):
        return ""
    value = named.get(_FINGERPRINT, b"")[1:] or named.get(_ISSUER, b"")
    return value.hex().upper() if len(value) in {8, 20, 32} else ""


def packets(signature: bytes) -> Iterator[bytes]:
    """What the first packets hold, armored or not, as long as they are signatures (section 4.2)."""
    at = 0
    try:
        raw = _unarmored(signature)
        for _ in range(MOST_SIGNATURES):
            begin, at = _packet(raw, at)
            yield raw[begin:at]
    except (_Broken, binascii.Error, IndexError):  # here it ends
        return


def _unarmored(signature: bytes) -> bytes:
    begin = signature.find(_BEGIN)
    end = signature.find(_END, begin)
    if begin < 0 or end < 0:
        return signature
    return binascii.a2b_base64(_without_header(signature[begin + len(_BEGIN) : end].rstrip()))


def _without_header(armor: bytes) -> bytes:
    """The base64 behind the armor's own header, without the checksum at its end."""
    lines = [line.strip() for line in armor.split(b"\n")][1:]
    begin = lines.index(b"") + 1 if b"" in lines else 0
    return b"".join(line for line in lines[begin:] if not line.startswith(b"="))


def _packet(raw: bytes, at: int) -> tuple[int, int]:
    """Where what a packet holds begins and ends. It has to be a signature."""
    tag, new = raw[at], raw[at] & 0x40
    if not tag & 0x80 or (tag & 0x3F if new else tag >> 2 & 0xF) != _SIGNATURE_PACKET:
        raise _Broken
    if new:
        size, begin = _length(raw, at + 1)
    else:
        width = (1, 2, 4)[tag & 3]
        size, begin = int.from_bytes(raw[at + 1 : at + 1 + width], "big"), at + 1 + width
    return begin, begin + size


def _subpackets(packet: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each subpacket, those that are not signed first: what is signed counts (section 5.2.3)."""
    if packet[0] not in {4, 6}:
        raise _Broken
    width = 2 if packet[0] == 4 else 4
    signed, after = _area(packet, 4, width)
    other, _ = _area(packet, after, width)
    for area in (other, signed):
        at = 0
        while at < len(area):
            size, begin = _length(area, at)
            if size:
                yield area[begin] & 0x7F, area[begin + 1 : begin + size]
            at = begin + size


def _area(packet: bytes, at: int, width: int) -> tuple[bytes, int]:
    size = int.from_bytes(packet[at : at + width], "big")
    begin = at + width
    return packet[begin : begin + size], begin + size


def _length(raw: bytes, at: int) -> tuple[int, int]:
    """A length of one, two or five bytes, and where what it is of begins."""
    first = raw[at]
    if first < 192:
        return first, at + 1
    if first < 255:
        return (first - 192 << 8) + raw[at + 1] + 192, at + 2
    return int.from_bytes(raw[at + 1 : at + 5], "big"), at + 5

"""Which key an OpenPGP signature (RFC 9580, RFC 3156) says it is by. Whether it fits takes a key that somebody has confirmed, and
is not checked.
"""

import binascii
import re
from collections.abc import Iterator

from app.intake.rules import body
from app.intake.rules.parts import Part
from app.intake.rules.seal import Seal

MOST = 64 * 1024  # bytes of a signature
SIGNATURE = "application/pgp-signature"

_ARMOR = re.compile(rb"-----BEGIN PGP SIGNATURE-----[ \t]*\r?\n(?P<rest>.*?)\n-----END PGP SIGNATURE-----", re.DOTALL)
_ISSUER, _FINGERPRINT = 16, 33  # types of subpackets
_SIGNATURE_PACKET = 2


class _Broken(Exception):
    """It is no signature."""


def found(mail: Part) -> Seal | None:
    """What there is of an OpenPGP signature beside what it signs: by which key, if it says so."""
    for part in mail.walk():
        if part.media_type == "multipart/signed" and len(part.children) > 1 and body.kind(part.children[1]) == SIGNATURE:
            return Seal(openpgp=True, key=key(part.children[1].content[:MOST]))
    return None


def key(armored: bytes) -> str:
    """The fingerprint of the key, or its ID, in capital hex; empty where the signature names none or is damaged."""
    armor = _ARMOR.search(armored)
    try:
        raw = binascii.a2b_base64(_without_header(armor["rest"])) if armor else armored
        named = dict(_subpackets(_packet(raw)))
    except (_Broken, binascii.Error, IndexError):
        return ""
    value = named.get(_FINGERPRINT, b"")[1:] or named.get(_ISSUER, b"")
    return value.hex().upper() if len(value) in {8, 20, 32} else ""


def _without_header(armor: bytes) -> bytes:
    """The base64 behind the armor's own header, without the checksum at its end."""
    lines = [line.strip() for line in armor.split(b"\n")]
    begin = lines.index(b"") + 1 if b"" in lines else 0
    return b"".join(line for line in lines[begin:] if not line.startswith(b"="))


def _packet(raw: bytes) -> bytes:
    """What the first packet holds, which has to be a signature (section 4.2)."""
    tag, new = raw[0], raw[0] & 0x40
    if not tag & 0x80 or (tag & 0x3F if new else tag >> 2 & 0xF) != _SIGNATURE_PACKET:
        raise _Broken
    if new:
        size, begin = _length(raw, 1)
    else:
        width = (1, 2, 4)[tag & 3]
        size, begin = int.from_bytes(raw[1 : 1 + width], "big"), 1 + width
    return raw[begin : begin + size]


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

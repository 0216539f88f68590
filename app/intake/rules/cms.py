"""S/MIME's envelope (CMS, RFC 5652), opened as far as that needs no key: what is signed is read, what is encrypted is said to be.

Whether a signature fits is told by `smime`; here is only taken apart what it rests on.
"""

from dataclasses import dataclass

from app.intake.rules import ber
from app.intake.rules.ber import Broken, Element

MEDIA_TYPES = {"application/pkcs7-mime", "application/x-pkcs7-mime"}
SIGNATURES = {"application/pkcs7-signature", "application/x-pkcs7-signature"}
MOST_CERTIFICATES, MOST_SIGNERS = 20, 5


_SIGNED = bytes.fromhex("2a864886f70d010702")
_ENVELOPED = {bytes.fromhex("2a864886f70d010703"), bytes.fromhex("2a864886f70d0109100117")}
_KEY_IDENTIFIER = 0x80
_MOST_FIELDS = 8  # of a structure that has seven at most


@dataclass(frozen=True)
class Algorithm:
    """Which one (the bytes of its OID), and how, as DER."""

    oid: bytes
    parameters: bytes


@dataclass(frozen=True)
class Signer:
    """One signature: by whose certificate, either issuer (DER) and serial number or the key's identifier; over what, and how.

    `attributes` are the values by their types, each as DER; `covered` is what they are signed as. Both are empty where the
    content itself is signed.
    """

    issuer: bytes
    serial: bytes
    key_identifier: bytes
    digest: Algorithm
    algorithm: Algorithm
    signature: bytes
    attributes: dict[bytes, bytes]
    covered: bytes


@dataclass(frozen=True)
class Signed:
    """What was signed (None where it stands elsewhere), what type that has, the certificates (DER) and the signatures."""

    content: bytes | None
    content_type: bytes
    certificates: tuple[bytes, ...]
    signers: tuple[Signer, ...]


def signed(raw: bytes) -> bytes | None:
    """What was signed, as it was signed; None where nothing of that kind is inside."""
    try:
        _, content, _ = _parts(raw)
    except Broken:
        return None
    return content


def opened(raw: bytes) -> Signed:
    """All that a signature rests on. Raises Broken."""
    content_type, content, rest = _parts(raw)
    certificates = [one for each in rest if each.tag == ber.FIRST for one in each.few(MOST_CERTIFICATES)]
    signers = [each for each in rest if each.tag == ber.SET][-1:]
    return Signed(
        content,
        content_type,
        tuple(bytes(one.whole) for one in certificates if one.tag == ber.SEQUENCE),
        tuple(_signer(one) for each in signers for one in each.few(MOST_SIGNERS)),
    )


def is_encrypted(raw: bytes) -> bool:
    """Whether only who has the key can read it."""
    try:
        return _typed(ber.only(raw, ber.SEQUENCE))[0] in _ENVELOPED
    except Broken:
        return False


def _parts(raw: bytes) -> tuple[bytes, bytes | None, list[Element]]:
    """The type of what is signed, what is signed, and what stands behind it."""
    kind, inside = _typed(ber.only(raw, ber.SEQUENCE))
    if kind != _SIGNED or inside is None:
        raise Broken
    every = inside.first(ber.SEQUENCE).few(_MOST_FIELDS)
    at = next((n for n, each in enumerate(every) if each.tag == ber.SEQUENCE), None)
    if at is None:
        raise Broken
    content_type, content = _typed(every[at])
    octets = None if content is None else content.first(ber.OCTETS, ber.OCTETS_IN_PIECES).octets()
    return content_type, octets, every[at + 1 :]


def _typed(element: Element) -> tuple[bytes, Element | None]:
    """The type that a ContentInfo names, and what it carries."""
    kind, carried = None, None
    for each in element.inside():
        if each.tag == ber.OID and kind is None:
            kind = bytes(each.value)
        elif each.tag == ber.FIRST and carried is None:
            carried = each
        if kind is not None and carried is not None:
            break
    if kind is None:
        raise Broken
    return kind, carried


def _signer(element: Element) -> Signer:
    """A SignerInfo (RFC 5652 section 5.3)."""
    if element.tag != ber.SEQUENCE:
        raise Broken
    every = element.few(_MOST_FIELDS)
    if len(every) < 5:
        raise Broken
    _, who, digest, *rest = every
    attributes = rest.pop(0) if rest[0].tag == ber.FIRST else None
    if len(rest) < 2 or rest[1].tag not in {ber.OCTETS, ber.OCTETS_IN_PIECES}:
        raise Broken
    issuer, serial = _issued(who) if who.tag == ber.SEQUENCE else (b"", b"")
    return Signer(
        issuer=issuer,
        serial=serial,
        key_identifier=bytes(who.value) if who.tag == _KEY_IDENTIFIER else b"",
        digest=algorithm(digest),
        algorithm=algorithm(rest[0]),
        signature=rest[1].octets(),
        attributes=_attributes(attributes) if attributes else {},
        covered=bytes([ber.SET]) + bytes(attributes.whole[1:]) if attributes else b"",  # section 5.4: signed as a SET
    )


def identity(certificate: bytes) -> tuple[bytes, bytes]:
    """Issuer (DER) and serial number of a certificate. Raises Broken."""
    every = [each for each in ber.only(certificate, ber.SEQUENCE).first(ber.SEQUENCE).few(4) if each.tag != ber.FIRST]
    if len(every) < 3:
        raise Broken
    return bytes(every[2].whole), bytes(every[0].value)


def algorithm(element: Element) -> Algorithm:
    """An AlgorithmIdentifier. Raises Broken."""
    oid, *parameters = [element.first(ber.OID), *element.few(2)[1:]]
    return Algorithm(bytes(oid.value), bytes(parameters[0].whole) if parameters else b"")


def _issued(who: Element) -> tuple[bytes, bytes]:
    every = who.few(3)
    if len(every) != 2:
        raise Broken
    return bytes(every[0].whole), bytes(every[1].value)


def _attributes(element: Element) -> dict[bytes, bytes]:
    """Each attribute's value; what stands there twice, or has several, is nothing (section 11)."""
    out: dict[bytes, bytes] = {}
    for attribute in element.inside():
        every = attribute.few(2)
        if len(every) != 2:
            raise Broken
        kind, values = bytes(every[0].value), every[1].few(2)
        out[kind] = bytes(values[0].whole) if len(values) == 1 and kind not in out else b""
    return out

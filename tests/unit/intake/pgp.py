"""OpenPGP keys and signatures for the tests: made at once, and those of GnuPG in another year, which lie beside this."""

import zlib
from functools import cache
from pathlib import Path

from pysequoia import ArmorKind, Cert, Profile, SignatureMode, Tsk, armor, sign
from pysequoia.packet import Packet, PacketPile

from app.intake.rules.keys import Confirmed
from tests.unit.intake.letters import multipart, part
from tests.unit.intake.signing import CAROL, ENTITY

_KEPT = Path(__file__).parent / "openpgp"


@cache
def _key(of: str, six: bool) -> Tsk:
    return Tsk.generate(of, profile=Profile.RFC9580 if six else Profile.RFC4880)


def key(of: str = "Carol <carol@acme.example>", *, six: bool = False) -> Tsk:
    """Somebody's key, the same each time; of version 6 or of version 4."""
    return _key(of, six)


def public(of: Tsk | None = None) -> Cert:
    """What everybody may have of it."""
    return (of or key()).extract_certificate()


def revoked(of: Tsk | None = None) -> bytes:
    """It, after its owner took it back."""
    own = of or key()
    return bytes(public(own)) + bytes(public(own).revoke(own.certifier()))


def packets(cert: Cert) -> list[Packet]:
    """What a key is made of."""
    return list(PacketPile.from_bytes(bytes(cert)))


def armored(cert: Cert | bytes) -> str:
    """A public key as people send it."""
    return armor(bytes(cert), ArmorKind.PublicKey)


def signature(content: bytes = ENTITY, by: Tsk | None = None) -> str:
    """A signature that stands beside what it signs."""
    return sign((by or key()).signer(), content, mode=SignatureMode.DETACHED).decode()


def kept(name: str) -> str:
    """A key (`….key`) or a signature of ENTITY (`….sig`) by GnuPG."""
    return (_KEPT / f"{name}.asc").read_text()


def beside(signature: str | bytes, content: bytes = ENTITY, *more: bytes, **fields: str) -> bytes:
    """A mail with a signature beside what it signs (RFC 3156)."""
    told = part(signature, "application/pgp-signature; name=signature.asc")
    return multipart(content, told, *more, kind="signed; micalg=pgp-sha512; protocol=application/pgp-signature", **fields)


def attached(content: str | bytes, name: str = "key.asc") -> bytes:
    """A part that brings a key."""
    return part(content, f"application/pgp-keys; name={name}")


def confirmed(cert: Cert | bytes | str, address: str = CAROL) -> Confirmed:
    """A key that somebody confirmed."""
    one = cert if isinstance(cert, Cert) else Cert.from_bytes(cert.encode() if isinstance(cert, str) else cert)
    return Confirmed(address, one.fingerprint.upper(), bytes(one))


def bomb(inside: bytes) -> bytes:
    """A packet of compressed packets (RFC 9580 section 5.6)."""
    packing = zlib.compressobj(9, wbits=-15)
    body = b"\x01" + packing.compress(inside) + packing.flush()
    return b"\xc8\xff" + len(body).to_bytes(4, "big") + body

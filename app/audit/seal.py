"""The signature under a checkpoint: Ed25519 (RFC 8032), by a key that is derived from the desk's own (HKDF, RFC 5869).

The private key exists only where the desk's secret key does; the public one is enough to check with, on any machine.
"""

from datetime import date

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.audit.rules import Mark
from app.core.errors import Invalid

_PURPOSE = b"atum-desk audit checkpoint"


class Seal:
    """Signs checkpoints with the desk's secret key."""

    def __init__(self, secret: bytes) -> None:
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret)
        self._key = Ed25519PrivateKey.from_private_bytes(derived)

    @property
    def public(self) -> bytes:
        """What the signatures are checked with: 32 bytes that anybody may know."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, day: date, seq: int, hash: bytes) -> bytes:
        return self._key.sign(_message(day, seq, hash))


class Check:
    """Whether a checkpoint was signed by the desk with this public key."""

    def __init__(self, public: bytes) -> None:
        try:
            self._key = Ed25519PublicKey.from_public_bytes(public)
        except ValueError:
            raise Invalid("A public key has 32 bytes, written as 64 hexadecimal digits.") from None

    def __call__(self, mark: Mark) -> bool:
        try:
            self._key.verify(mark.signature, _message(mark.day, mark.seq, mark.hash))
        except InvalidSignature:
            return False
        return True


def _message(day: date, seq: int, hash: bytes) -> bytes:
    return b"%s\n%s %d %s" % (_PURPOSE, day.isoformat().encode(), seq, hash.hex().encode())

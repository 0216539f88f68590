"""Short signatures for addresses and Message-IDs, so that nobody can make one up.

A purpose is mixed in, so a signature for one thing never passes for another.
"""

import base64
import hashlib
import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class Signer:
    """Signs with one secret key (32 bytes or more)."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 32:
            raise ValueError("a signing key has 32 bytes or more")
        self._key = key

    def sign(self, purpose: str, text: str, *, bits: int = 80) -> str:
        """Lower-case base32 of `bits` bits (a multiple of 5 keeps it free of padding)."""
        mac = hmac.new(self._key, f"{purpose}\0{text}".encode(), hashlib.sha256).digest()
        return base64.b32encode(mac).decode().lower()[: bits // 5]

    def derived(self, purpose: str) -> bytes:
        """A key of its own for something else than signing (HKDF, RFC 5869): nothing that was signed tells of it."""
        return HKDF(SHA256(), 32, salt=b"atum-desk", info=purpose.encode()).derive(self._key)

    def matches(self, purpose: str, text: str, signature: str) -> bool:
        """Whether `signature` is ours for `text`; in constant time, and whatever its case."""
        expected = self.sign(purpose, text, bits=len(signature) * 5) if signature else ""
        return len(signature) >= 16 and hmac.compare_digest(expected.encode(), signature.lower().encode())

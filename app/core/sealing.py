"""Secrets that have to be read again, sealed so that a copy of the database alone is worth nothing (AES-256-GCM)."""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.core.signing import Signer

_NONCE = 12  # bytes, as NIST SP 800-38D wants them


class Broken(ValueError):
    """This was sealed with another key, for something else, or it was changed since."""


class Sealer:
    """Seals with a key derived from the desk's own. What a secret is for is sealed in: it opens for nothing else."""

    def __init__(self, signer: Signer) -> None:
        self._cipher = AESGCM(signer.derived("sealing"))

    def seal(self, purpose: str, secret: str) -> bytes:
        """The secret as it may be stored."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), purpose.encode())

    def open(self, purpose: str, sealed: bytes) -> str:
        """The secret again. Raises Broken."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], purpose.encode()).decode()
        except (InvalidTag, ValueError) as wrong:
            raise Broken from wrong

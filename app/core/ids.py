"""Things nobody can guess."""

import hashlib
import secrets


def token() -> str:
    """256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)


def fingerprint(secret: str) -> bytes:
    """What is stored of a token: its SHA-256, 32 bytes. A random token needs no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def sha256(content: bytes) -> str:
    """Hex, 64 characters."""
    return hashlib.sha256(content).hexdigest()

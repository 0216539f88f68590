"""Things nobody can guess."""

import base64
import hashlib
import secrets

CHECKSUM = 7  # letters


def token() -> str:
    """256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)


def readable(bits: int) -> str:
    """So many random bits as lower-case base32, which nobody mistypes."""
    return base64.b32encode(secrets.token_bytes(-(-bits // 8))).decode().lower()[: -(-bits // 5)]


def checksum(words: str) -> str:
    """A few letters by which a mistyped or made-up key is known without asking anybody."""
    return base64.b32encode(hashlib.sha256(words.encode("utf-8", "surrogatepass")).digest()).decode().lower()[:CHECKSUM]


def fingerprint(secret: str) -> bytes:
    """What is stored of a token: its SHA-256, 32 bytes. A random token needs no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def sha256(content: bytes) -> str:
    """Hex, 64 characters."""
    return hashlib.sha256(content).hexdigest()

"""DKIM signatures (RFC 6376) on the letters of every domain whose DNS shows our key.

Whether to sign is asked of DNS alone: a desk whose relay signs, or whose owner never published the key, sends as ever. DNS that
does not answer holds a letter up for seconds at most, and never fails one.
"""

import base64
import contextlib
import logging
import os
import secrets
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import dkim
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from dns.exception import DNSException
from dns.resolver import NXDOMAIN, NoAnswer, Resolver

from app.config import Settings
from app.outbox.rules import wire_domain

SELECTOR = "atum"
PATIENCE = 3.0  # seconds for one question
FOUND_FOR, OTHERWISE_FOR = 3600.0, 300.0  # seconds until it is asked again
_PEM = (Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
_SIGNED = (
    "from", "to", "reply-to", "subject", "date", "message-id", "in-reply-to", "references", "mime-version", "content-type",
    "list-unsubscribe", "list-unsubscribe-post",
)  # fmt: skip

log = logging.getLogger(__name__)


class Shown(StrEnum):
    """What DNS shows at our selector. `silent`: it did not answer."""

    OURS = "ours"
    NOTHING = "nothing"
    ANOTHER = "another"
    SILENT = "silent"


class Key:
    """The desk's key for signatures: one for all its domains."""

    def __init__(self, pem: bytes) -> None:
        """Raises ValueError for what is no key that DKIM signs with."""
        key = load_pem_private_key(pem, None)
        if not isinstance(key, RSAPrivateKey):
            raise ValueError("a DKIM key is an RSA key")
        self._pem = key.private_bytes(*_PEM)
        self.public = base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()

    def sign(self, content: bytes, domain: str) -> bytes:
        """The mail (7 bit, CRLF) with a signature at its top. No second From can be added without breaking it."""
        there = {name.decode("ascii").lower() for name, _ in dkim.rfc822_parse(content)[0]}
        names = [name.encode() for name in _SIGNED if name in there] + [b"from"]
        relaxed = (b"relaxed", b"relaxed")
        who = (SELECTOR.encode(), domain.encode("ascii"), self._pem)
        signature: bytes = dkim.sign(content, *who, canonicalize=relaxed, include_headers=names)
        return signature + content

    def record(self, domain: str) -> str:
        """The line of a zone file that publishes this key, in strings of less than 255 characters."""
        text = f"v=DKIM1; k=rsa; p={self.public}"
        strings = " ".join(f'"{text[at : at + 250]}"' for at in range(0, len(text), 250))
        return f"{name_of(domain)}. IN TXT {strings}"


def name_of(domain: str) -> str:
    """Where a domain's record stands."""
    return f"{SELECTOR}._domainkey.{domain}"


def key_file(settings: Settings) -> Path:
    """Where the key lies, once it was asked for."""
    return settings.data_dir / "secrets" / "dkim_key"


def known_or_new(path: Path) -> Key:
    """The key in this file, made where there is none; of two who make one at once, both get the first one's."""
    if not path.exists():
        unfinished = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(generate_private_key(65537, 2048).private_bytes(*_PEM))
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(unfinished)
        finally:
            unfinished.unlink()
    return Key(path.read_bytes())


def shown(key: Key, domain: str, resolver: Resolver | None = None) -> Shown:
    """What DNS shows at our selector of this domain, within PATIENCE."""
    try:
        asked = resolver or Resolver()
        found = [b"".join(record.strings) for record in asked.resolve(name_of(domain), "TXT", lifetime=PATIENCE, search=False)]
    except (NXDOMAIN, NoAnswer):
        return Shown.NOTHING
    except (DNSException, OSError):
        return Shown.SILENT
    return Shown.OURS if len(found) == 1 and _names(found[0], key) else Shown.ANOTHER  # of several, nobody knows which counts


def _names(record: bytes, key: Key) -> bool:
    """Whether a record publishes this key, for mail and our hash (RFC 6376 3.6.1)."""
    parts = (part.partition("=") for part in "".join(record.decode("ascii", "replace").split()).split(";"))
    said = {name: value for name, _, value in parts}
    meant = {"v": {"DKIM1"}, "k": {"rsa"}, "p": {key.public}, "h": {"sha256"}, "s": {"email", "*"}}
    return "p" in said and all(values & set(said[name].split(":")) for name, values in meant.items() if name in said)


class Signatures:
    """Signs what is sent, as far as its domain's DNS shows the key in `path`. What DNS said is remembered for a while."""

    def __init__(
        self, path: Path, look: Callable[[Key, str], Shown] = shown, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path, self._look, self._clock = path, look, clock
        self._key: Key | None = None
        self._known: dict[str, tuple[Shown, float]] = {}

    def signed(self, content: bytes, sender: str) -> bytes:
        """The mail with a signature for its sender's domain; as it was, where nobody could check that or it can't be made."""
        try:
            domain = wire_domain(sender)
            key = self._there()
            return key.sign(content, domain) if key and self._shows(key, domain) else content
        except (OSError, ValueError, dkim.DKIMException) as wrong:
            log.warning("a letter goes out without a signature", extra={"reason": str(wrong), "sender": sender})
            return content

    def _there(self) -> Key | None:
        """Where nobody ever asked for the record, there is no key, and nothing to ask DNS."""
        if self._key is None and self._path.exists():
            self._key = Key(self._path.read_bytes())
        return self._key

    def _shows(self, key: Key, domain: str) -> bool:
        """While DNS is silent, what it said last still counts."""
        before, until = self._known.get(domain, (Shown.SILENT, 0.0))
        if self._clock() < until:
            return before is Shown.OURS
        now = self._look(key, domain)
        said = before if now is Shown.SILENT else now
        pause = FOUND_FOR if now is Shown.OURS else OTHERWISE_FOR
        self._known[domain] = said, self._clock() + pause
        if said is not before:
            log.info("asked DNS for the key of a domain", extra={"domain": domain, "shown": now.value})
        return said is Shown.OURS

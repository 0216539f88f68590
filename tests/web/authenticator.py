"""An authenticator without a finger: it makes passkeys (ES256) and answers challenges as a browser would, or as a thief might."""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Authenticator:
    """One passkey of one person. `verifies` is whether it asks for a PIN or a finger; `counts` whether it counts its answers."""

    origin: str = "https://localhost"
    rp_id: str = "localhost"
    verifies: bool = True
    counts: bool = True
    id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    handle: bytes = b""
    count: int = 0

    def create(self, options: dict[str, Any], **odd: Any) -> dict[str, Any]:
        """What navigator.credentials.create() answers. `odd` are fields of clientDataJSON that a browser would not write."""
        self.handle = decode(options["user"]["id"])
        self.rp_id = options["rp"]["id"]
        numbers = self.key.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        public = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + public
        data = self._data(ATTESTED) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        said = self._said("webauthn.create", options, odd)
        return self._credential({"clientDataJSON": encode(said), "attestationObject": encode(attestation)})

    def get(self, options: dict[str, Any], **odd: Any) -> dict[str, Any]:
        """What navigator.credentials.get() answers."""
        said, data = self._said("webauthn.get", options, odd), self._data()
        signature = self.key.sign(data + hashlib.sha256(said).digest(), ec.ECDSA(hashes.SHA256()))
        told = {"clientDataJSON": said, "authenticatorData": data, "signature": signature, "userHandle": self.handle}
        return self._credential({name: encode(raw) for name, raw in told.items()})

    def _data(self, flags: int = 0) -> bytes:
        self.count += self.counts
        flags |= PRESENT | (VERIFIED if self.verifies else 0)
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _said(self, kind: str, options: dict[str, Any], odd: dict[str, Any]) -> bytes:
        said = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps(said | odd).encode()

    def _credential(self, response: dict[str, str]) -> dict[str, Any]:
        shape = {"type": "public-key", "authenticatorAttachment": "platform", "clientExtensionResults": {}}
        return {**shape, "id": encode(self.id), "rawId": encode(self.id), "response": response}

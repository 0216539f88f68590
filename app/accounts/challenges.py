"""What a passkey is asked to sign: random, ours, good for five minutes and one answer.

A challenge carries its own end and our signature over what it is for, so that nothing is stored when anybody asks for one
(https://www.w3.org/TR/webauthn-3/, section 13.4.3). What was answered is remembered until it would have ended anyway.
"""

import base64
import binascii
import json
import secrets
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from app.accounts.models import SpentChallenge
from app.core import ids
from app.core.signing import Signer
from app.db.session import Session

LIFE = timedelta(minutes=5)
_RANDOM, _END = 16, 8  # bytes
_BITS = 160


def make(signer: Signer, purpose: str, *, now: datetime) -> bytes:
    """A challenge for `purpose` and nothing else."""
    body = secrets.token_bytes(_RANDOM) + int((now + LIFE).timestamp()).to_bytes(_END, "big")
    return body + signer.sign(f"passkey:{purpose}", body.hex(), bits=_BITS).encode()


def of(client_data: str, signer: Signer, purpose: str, *, now: datetime) -> bytes | None:
    """The challenge that an authenticator says it answered, if it is one of ours for this purpose that still counts."""
    try:
        said = json.loads(_bytes(client_data))
        challenge = _bytes(said["challenge"])
    except (binascii.Error, ValueError, TypeError, KeyError, AttributeError):
        return None
    if said.get("crossOrigin"):  # somebody else's page around ours
        return None
    body, signature = challenge[: _RANDOM + _END], challenge[_RANDOM + _END :].decode("ascii", "replace")
    ours = len(signature) == _BITS // 5 and signer.matches(f"passkey:{purpose}", body.hex(), signature)
    return challenge if ours and now.timestamp() < int.from_bytes(body[_RANDOM:], "big") else None


def spend(s: Session, challenge: bytes, *, now: datetime) -> bool:
    """Whether this is the first answer. Of two at once, the second waits here for the first."""
    s.execute(delete(SpentChallenge).where(SpentChallenge.expires_at < now))
    ends = datetime.fromtimestamp(int.from_bytes(challenge[_RANDOM : _RANDOM + _END], "big"), UTC)
    spent = insert(SpentChallenge).values(hash=ids.fingerprint(challenge.hex()), expires_at=ends + LIFE)
    return bool(s.execute(spent.on_conflict_do_nothing().returning(SpentChallenge.hash)).all())


def _bytes(encoded: str) -> bytes:
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))

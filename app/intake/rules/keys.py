"""OpenPGP keys as plain values: those that a mail brings, and those that somebody has confirmed."""

import base64
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

MEDIA_TYPE = "application/pgp-keys"
MOST_KEY = 256 * 1024  # bytes
MOST_KEYS = 10  # of one mail


@dataclass(frozen=True)
class Key:
    """A key as it says of itself. Nobody has said yet that it is theirs whom it names.

    `fingerprint` is in capital hex, `names` are the fingerprints and IDs of all its parts: a signature names the part it is by.
    `people` are who it says it belongs to. `expires_at` is the moment in ISO 8601 at which it runs out. `revoked`: its owner took
    it back. One that is `weak` is made in a way that signatures by it count for nothing.
    """

    fingerprint: str
    names: tuple[str, ...]
    people: tuple[str, ...]
    expires_at: str | None
    revoked: bool
    weak: bool
    content: bytes = field(repr=False)

    def ran_out(self, now: datetime) -> bool:
        """Whether it is good no more."""
        return self.expires_at is not None and datetime.fromisoformat(self.expires_at) <= now


@dataclass(frozen=True)
class Confirmed:
    """Somebody said that this key belongs to whoever writes from this address."""

    address: str
    fingerprint: str
    content: bytes = field(repr=False)


def to_json(keys: Sequence[Key | Confirmed]) -> list[dict[str, Any]]:
    """Plain values, for the way through a pipe."""
    return [asdict(key) | {"content": base64.b64encode(key.content).decode()} for key in keys]


def from_json(plain: Sequence[dict[str, Any]]) -> tuple[Key, ...]:
    """The keys again. Raises TypeError, KeyError or ValueError where that were none."""
    return tuple(
        Key(**{**one, **{name: tuple(one[name]) for name in ("names", "people")}, "content": base64.b64decode(one["content"])})
        for one in plain
    )


def confirmed_from_json(plain: Sequence[dict[str, Any]]) -> list[Confirmed]:
    """The confirmed keys again."""
    return [Confirmed(**{**one, "content": base64.b64decode(one["content"])}) for one in plain]


def in_groups(fingerprint: str) -> str:
    """A fingerprint as people compare it."""
    return " ".join(fingerprint[at : at + 4] for at in range(0, len(fingerprint), 4))

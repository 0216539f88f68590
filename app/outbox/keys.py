"""The keys of what mail shows us again: reply addresses, return paths, Message-IDs, marks, and links to follow no more.

The first, number 0, is the desk's own. Others are made when somebody asks, and lie beside it in a file that is read anew for each
letter and mail: no process has to be told. The newest signs; all that were not withdrawn are known again.
"""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

from app import config
from app.audit import actions as audit
from app.audit.models import Event
from app.config import Settings
from app.core.errors import Conflict, NotFound
from app.core.signing import Signer
from app.db import locks
from app.db.session import Session

MOST = 10  # keys that are known again: each costs a hash for whatever address a stranger makes up
LOCK = "mail-keys"


class KeysBroken(OSError):
    """Their file is not as it was written. That is no mail's fault: mails wait until it is mended."""


@dataclass(frozen=True)
class Key:
    """One key. The first has no `secret` (hexadecimal) of its own and no `since`: it was there before any letter."""

    id: int
    secret: str = field(default="", repr=False)
    since: datetime | None = None
    withdrawn_at: datetime | None = None


class Keys:
    """All of them, oldest first; never none. `desk` signs as the first."""

    def __init__(self, desk: Signer, known: Sequence[Key] = (Key(0),)) -> None:
        self.known = tuple(known)
        self._signers = [Signer(bytes.fromhex(key.secret)) if key.secret else desk for key in self.known]

    def sign(self, purpose: str, text: str, *, bits: int = 80) -> str:
        """By the newest."""
        return self._signers[-1].sign(purpose, text, bits=bits)

    def sign_as_of(self, written: datetime | None, purpose: str, text: str) -> str:
        """By the newest of that moment, withdrawn or not: what a letter is called stays what it was. None: by the first."""
        made = [key.since for key in self.known[1:] if key.since]
        return self._signers[sum(since <= written for since in made) if written else 0].sign(purpose, text)

    def matches(self, purpose: str, text: str, signature: str) -> bool:
        """Whether one that is in force signed this. All are tried, whichever fits: how long that takes tells nothing."""
        pairs = zip(self.known, self._signers, strict=True)
        fits = [signer.matches(purpose, text, signature) for key, signer in pairs if key.withdrawn_at is None]
        return any(fits)


def known(settings: Settings, desk: Signer) -> Keys:
    """The keys there are. Raises OSError where their file can't be read."""
    path = _file(settings)
    try:
        rows = json.loads(path.read_bytes())
        return Keys(desk, [_read(rows[0]), *map(_read, rows[1:])])
    except FileNotFoundError:
        return Keys(desk)
    except (ValueError, LookupError, TypeError) as wrong:
        raise KeysBroken(f"{path} is not as it was written; put it back from a backup") from wrong


def rotate(s: Session, settings: Settings, *, now: datetime) -> Key:
    """A new key, which signs from now on; those before stay known. Raises Conflict where there are too many."""
    keys = _held(s, settings)
    in_force = [key.id for key in keys if key.withdrawn_at is None]
    if len(in_force) >= MOST:
        raise Conflict(f"{MOST} keys are in force. Withdraw an old one first: atum mail rotate-key --withdraw {in_force[0]}")
    made = Key(keys[-1].id + 1, token_hex(32), now)
    audit.record(s, Event.MAIL_KEY_CHANGED, now=now, key=made.id, new=True)
    _write(_file(settings), [*keys, made])
    return made


def withdraw(s: Session, settings: Settings, id: int, *, now: datetime) -> None:
    """Know this key's signatures no more. Raises NotFound, and Conflict for the one that signs."""
    keys = _held(s, settings)
    if id not in {key.id for key in keys}:
        raise NotFound(f"There is no key {id}. List them with: atum mail keys")
    if id == keys[-1].id:
        raise Conflict(f"Key {id} is the one that signs. Make another first: atum mail rotate-key")
    if any(key.id == id and key.withdrawn_at for key in keys):
        return
    audit.record(s, Event.MAIL_KEY_CHANGED, now=now, key=id, withdrawn=True)
    _write(_file(settings), [replace(key, withdrawn_at=now) if key.id == id else key for key in keys])


def _held(s: Session, settings: Settings) -> tuple[Key, ...]:
    """The keys, for whoever changes them: one at a time."""
    locks.take_in_transaction(s, LOCK)
    return known(settings, Signer(config.secret_key(settings))).known


def _file(settings: Settings) -> Path:
    return settings.data_dir / "secrets" / "mail_keys"


def _read(row: dict[str, Any]) -> Key:
    since, withdrawn_at = (datetime.fromisoformat(row[name]) if row[name] else None for name in ("since", "withdrawn_at"))
    return Key(row["id"], row["secret"], since, withdrawn_at)


def _write(path: Path, keys: Iterable[Key]) -> None:
    """Whole or not at all."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump([vars(key) for key in keys], file, default=datetime.isoformat)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

"""The key pair that archives are made for (age, X25519): made once, kept beside the desk's other secrets.

Whoever has only the archive and not this needs nothing else to lose: it has to be kept somewhere else as well.
"""

import os
import tempfile
from datetime import datetime
from pathlib import Path

import pyrage

from app.audit import actions as audit
from app.audit.models import Event
from app.config import Settings
from app.db.session import Session
from app.files.disk import sync_folder
from app.ops.backup.archive import WrongKey
from app.ops.models import BackupKey


def path(settings: Settings) -> Path:
    return settings.data_dir / "secrets" / "backup_key"


def identity(settings: Settings) -> str:
    """The secret half (AGE-SECRET-KEY-1…), made where there is none yet. Any number of processes may ask at once."""
    place = path(settings)
    if not place.exists():
        _make(place)
    return place.read_text().strip()


def recipient(identity: str) -> str:
    """The public half (age1…)."""
    return str(pyrage.x25519.Identity.from_str(identity).to_public())


def read(file: Path) -> str:
    """The key in a file such as `atum backup key` prints. Raises WrongKey."""
    lines = (line.strip() for line in file.read_text(errors="replace").splitlines())
    found = next((line for line in lines if line.startswith("AGE-SECRET-KEY-1")), None)
    if found is None:
        raise WrongKey(f"There is no key in {file}: one begins with AGE-SECRET-KEY-1. Nothing was changed.")
    return found


def printed(settings: Settings, identity: str) -> str:
    """As age reads it, with words for whoever finds it one day."""
    return (
        f"# The key of the backups of the desk at {settings.atum_url}. Without it they open nothing. Keep it somewhere else.\n"
        f"# public key: {recipient(identity)}\n{identity}"
    )


def note_shown(s: Session, identity: str, *, now: datetime) -> None:
    """Remember, and record, that somebody has had it printed."""
    if s.get(BackupKey, recipient(identity)) is None:
        s.add(BackupKey(recipient=recipient(identity), shown_at=now))
    audit.record(s, Event.BACKUP_KEY_SHOWN, now=now, recipient=recipient(identity))


def _make(place: Path) -> None:
    """Whole or not at all, and never over one that is there: half a key, or a second one, opens nothing."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=place.parent, prefix=".backup_key.") as part:
        part.write(f"{pyrage.x25519.Identity.generate()}\n")
        part.flush()
        os.fsync(part.fileno())
        try:
            os.link(part.name, place)
        except FileExistsError:
            return
    sync_folder(place.parent)

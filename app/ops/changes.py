"""Noticing that the desk was started with other settings than before: one audit entry that names what changed."""

import hashlib
import hmac
from dataclasses import fields
from datetime import datetime
from typing import Any

from app import config
from app.audit import actions as audit
from app.audit.models import Event
from app.config import Settings
from app.db import locks
from app.db.session import Session
from app.ops.models import SettingsSeen

SECRET = ("admin_password", "imap_password", "smtp_password", "database_url", "redis_url", "backup_s3_secret")


def note(s: Session, settings: Settings, *, now: datetime) -> None:
    """Compare with the settings of the last start. Of a secret only a keyed fingerprint is kept, and only its name recorded."""
    locks.take_in_transaction(s, "settings-seen")
    present, seen = told(settings), s.get(SettingsSeen, 1)
    if seen is None:
        s.add(SettingsSeen(id=1, settings=present, seen_at=now))
        return
    if changed := differences(seen.settings, present):
        audit.record(s, Event.SETTINGS_CHANGED, now=now, changes=changed)
    seen.settings, seen.seen_at = present, now


def told(settings: Settings) -> dict[str, str | None]:
    """Every setting by its name, in words; secrets as fingerprints that mean nothing without the desk's key."""
    key = config.secret_key(settings)
    found = {}
    for field in fields(settings):
        value = _word(getattr(settings, field.name))
        found[field.name.upper()] = _fingerprint(key, field.name, value) if value and field.name in SECRET else value
    return found


def differences(before: dict[str, Any], after: dict[str, str | None]) -> dict[str, dict[str, str | None]]:
    """What changed, by name: before and after, of a secret only that it did. What one version alone knows did not change."""
    return {
        name: {"secret": _happened(before[name], value)} if name.lower() in SECRET else {"before": before[name], "after": value}
        for name, value in after.items()
        if name in before and before[name] != value
    }


def _happened(before: str | None, after: str | None) -> str:
    return "changed" if before and after else "set" if after else "removed"


def _word(value: Any) -> str | None:
    if value is None or value == ():
        return None
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _fingerprint(key: bytes, name: str, value: str) -> str:
    return hmac.new(key, f"settings\0{name}\0{value}".encode(), hashlib.sha256).hexdigest()[:32]

"""The certificate in force for those who show it or tell of it: where it lies, what is known of it. Needs no cryptography."""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from app.config import Settings

Mark = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True)
class State:
    """What RUN_DIR/tls.json says. Times are ISO 8601; `problem` and `hint` are for people: what is wrong, and what to do."""

    mode: str
    shown: str | None = None
    not_before: str | None = None
    not_after: str | None = None
    names: tuple[str, ...] = ()
    issuer: str | None = None
    serial: str | None = None
    trusted: bool = False
    problem: str | None = None
    hint: str | None = None
    tried: dict[str, Any] | None = None


def state(settings: Settings) -> State | None:
    """What is known of the certificate in force; None before anything is."""
    try:
        found = json.loads((settings.run_dir / "tls.json").read_text())
        return State(**{each.name: found[each.name] for each in fields(State) if each.name in found})
    except (OSError, ValueError, TypeError):
        return None


def for_nginx(settings: Settings) -> tuple[Path, Path]:
    """What nginx shows: certificate, key."""
    folder = settings.run_dir / "tls"
    return folder / "tls.crt", folder / "tls.key"


def for_browsers(settings: Settings) -> Path:
    """What nginx is told to say to browsers about HTTPS (HSTS)."""
    return settings.run_dir / "tls" / "hsts.conf"


def for_smtp(settings: Settings) -> tuple[Path, Path]:
    """The SMTP door's copies: certificate, key."""
    folder = settings.run_dir / "tls-smtp"
    return folder / "tls.crt", folder / "tls.key"


def asked(settings: Settings) -> Path:
    """The file that the program `certificates` looks at: somebody would have an authority asked now."""
    return settings.app_run / "certificate-asked"


def mark(*paths: Path) -> Mark:
    """What changes when one of these files is replaced."""
    return tuple(_one(path) for path in paths)


def _one(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size

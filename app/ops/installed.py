"""Where the certificate in force lies for those who show it, and what tells that it was replaced. Needs no cryptography."""

from pathlib import Path

from app.config import Settings

Mark = tuple[tuple[int, int, int] | None, ...]


def for_nginx(settings: Settings) -> tuple[Path, Path]:
    """What nginx shows: certificate, key."""
    folder = settings.run_dir / "tls"
    return folder / "tls.crt", folder / "tls.key"


def for_smtp(settings: Settings) -> tuple[Path, Path]:
    """The SMTP door's copies: certificate, key."""
    folder = settings.run_dir / "tls-smtp"
    return folder / "tls.crt", folder / "tls.key"


def mark(*paths: Path) -> Mark:
    """What changes when one of these files is replaced."""
    return tuple(_one(path) for path in paths)


def _one(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size

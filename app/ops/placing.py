"""Putting a file where others read it: whole or not at all."""

import grp
import os
from pathlib import Path


def put(path: Path, content: bytes, mode: int, *, group: str | None = None) -> None:
    """Whole or not at all, and untouched where nothing changed: a new file is what tells that nginx has to reload."""
    if path.exists() and path.read_bytes() == content:
        return
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
        os.fchmod(descriptor, mode)
        if group and os.geteuid() == 0:
            os.fchown(descriptor, -1, group_id(group))
    new.replace(path)


def group_id(name: str) -> int:
    return grp.getgrnam(name).gr_gid

"""Blobs on disk, named by the SHA-256 of what they hold, so that the same file is stored once and can be checked."""

import os
import re
import tempfile
from pathlib import Path

from app.core import ids
from app.core.errors import NotFound

_NAME = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """A folder of blobs: ab/cd/abcd….

    `put` returns when the bytes are on the disk, not in its cache: a row that names a blob never outlives it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, content: bytes) -> str:
        """Store `content` and answer its name (64 hex digits)."""
        name = ids.sha256(content)
        path = self.path(name)
        if path.exists():
            return name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
            try:
                part.write(content)
                part.flush()
                os.fsync(part.fileno())
            except OSError:  # a disk that is full must not get fuller by what it refused
                Path(part.name).unlink()
                raise
        Path(part.name).replace(path)
        _sync_folder(path.parent)
        return name

    def get(self, name: str) -> bytes:
        """The bytes. Raises NotFound."""
        return self.existing(name).read_bytes()

    def existing(self, name: str) -> Path:
        """Where it is. Raises NotFound."""
        path = self.path(name)
        if not path.exists():
            raise NotFound(f"The file {name} is not in {self.root}.")
        return path

    def path(self, name: str) -> Path:
        """Where it is, whether it exists or not."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no blob's name")
        return self.root / name[:2] / name[2:4] / name


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

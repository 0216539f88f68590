"""Blobs on disk, named by the SHA-256 of what they hold, so that the same file is stored once and can be checked."""

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from app.core import ids
from app.core.errors import NotFound

_NAME = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """A folder of blobs: ab/cd/abcd….

    `put` returns when the bytes and all their folders are on the disk, not in its cache: a row that names a blob never outlives
    it. What is there already may be another's, who was killed before it was.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, content: bytes) -> str:
        """Store `content` and answer its name (64 hex digits)."""
        name = ids.sha256(content)
        try:
            os.utime(self.path(name))  # as if it were new, so that nobody takes it for forgotten
        except FileNotFoundError:
            return self.put_pieces([content])[0]
        self._sync(name)
        return name

    def put_pieces(self, pieces: Iterable[bytes]) -> tuple[str, int]:
        """Store what comes in pieces and is never whole in memory. Its name and its size in bytes."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        digest, size = hashlib.sha256(), 0
        with tempfile.NamedTemporaryFile(dir=self.root, delete=False) as part:
            try:
                for piece in pieces:
                    size += part.write(piece)
                    digest.update(piece)
                part.flush()
                os.fsync(part.fileno())
            except OSError:  # a disk that is full must not get fuller by what it refused
                Path(part.name).unlink()
                raise
        path = self.path(digest.hexdigest())
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        Path(part.name).replace(path)
        self._sync(path.name)
        return path.name, size

    def get(self, name: str) -> bytes:
        """The bytes. Raises NotFound."""
        return self.existing(name).read_bytes()

    def existing(self, name: str) -> Path:
        """Where it is. Raises NotFound."""
        path = self.path(name)
        if not path.exists():
            raise NotFound(f"The file {name} is not in {self.root}.")
        return path

    def untouched(self, since: float) -> Iterator[Path]:
        """Blobs that nobody has put since then (seconds of the epoch), and what was never written to its end."""
        for path in self.root.rglob("*"):
            if (_NAME.fullmatch(path.name) or path.parent == self.root) and path.is_file() and path.stat().st_mtime < since:
                yield path

    def path(self, name: str) -> Path:
        """Where it is, whether it exists or not."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no blob's name")
        return self.root / name[:2] / name[2:4] / name

    def _sync(self, name: str) -> None:
        path = self.path(name)
        for folder in (path.parent, path.parent.parent, self.root):  # each holds the name of the one before, which may be new
            sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

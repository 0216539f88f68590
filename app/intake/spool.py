"""A mail on its way in: in memory while it is small, then in a file of the volume that has no name and ends with its process."""

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from app.intake.rules import trace
from app.intake.rules.headers import MOST_ALL

IN_MEMORY = 64 * 1024  # bytes
_HEAD = 2 * MOST_ALL  # bytes: more than is read of any header
_PIECE = 256 * 1024


class Spool:
    """Bytes as they come. Whatever the disk refuses is raised as OSError."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY, dir=str(folder))  # noqa: SIM115 (closed by __exit__)
        self.size = 0

    def write(self, piece: bytes) -> None:
        self._file.write(piece)
        self.size += len(piece)

    def pieces(self, above: bytes, host: str) -> Iterator[bytes]:
        """The mail with `above` on top of it, and without what it says in our name."""
        self._file.seek(0)
        yield above
        yield trace.distrusted(self._file.read(_HEAD), host)
        while piece := self._file.read(_PIECE):
            yield piece

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, wrong: BaseException | None, at: TracebackType | None) -> None:
        with suppress(OSError):  # a full disk refuses what is still to be written, which nobody wants any more
            self._file.close()

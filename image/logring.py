"""The last lines of the log, kept below /run for a support bundle: two files of HALF bytes. When one is full, the older goes.

The desk's own group alone may read them. Where they can't be kept the log goes on.
"""

import contextlib
import os
import threading
from pathlib import Path

HALF = 256 * 1024  # bytes
OLDER, NEWER = "older.jsonl", "newer.jsonl"


class Ring:
    """Takes whole lines from any thread. Until it is told where, it holds them itself."""

    def __init__(self, half: int = HALF) -> None:
        self._half = half
        self._lock = threading.Lock()
        self._early: list[bytes] | None = []
        self._folder: Path | None = None
        self._file = -1
        self._size = self._group = 0

    def keep_in(self, folder: Path, group: int) -> None:
        """Write them there from now on. The folder must not be there yet."""
        with self._lock:
            early, self._early = self._early or [], None
            with contextlib.suppress(OSError):
                folder.mkdir(mode=0o750)
                with contextlib.suppress(PermissionError):  # then all programs are one user, whose they are anyway
                    os.chown(folder, -1, group)
                self._folder, self._group = folder, group
                for line in early:
                    self._write(line)

    def put(self, line: str) -> None:
        data = f"{line}\n".encode("utf-8", "replace")
        with self._lock, contextlib.suppress(OSError):
            if self._early is not None:
                self._early.append(data)
            elif self._folder is not None:
                self._write(data)

    def _write(self, data: bytes) -> None:
        if self._file < 0 or self._size + len(data) > self._half:
            self._turn()
        self._size += os.write(self._file, data)

    def _turn(self) -> None:
        assert self._folder is not None
        newer = self._folder / NEWER
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            newer.rename(self._folder / OLDER)
        self._file = os.open(newer, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
        with contextlib.suppress(PermissionError):
            os.fchown(self._file, -1, self._group)
        self._size = 0

"""The parent's side of reading: keeps a child, gives it a mail, and replaces it when it falls, hangs or eats too much."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from app.intake import frames
from app.intake.rules import mail as mails
from app.intake.rules.mail import Found, Mail

PATIENCE = 20.0  # seconds by the clock for one mail
_ROOT = Path(__file__).parents[2]

Keep = Callable[[Found], None]


class Unreadable(Exception):
    """The child could not read this mail; the words say why."""


class Reader:
    """Reads one mail at a time, for any thread. `beat` is called about once a second meanwhile; the child runs `command`."""

    def __init__(
        self,
        *,
        patience: float = PATIENCE,
        beat: Callable[[], None] = lambda: None,
        command: tuple[str, ...] = ("-m", "app.intake.child"),
    ) -> None:
        self._patience = patience
        self._beat = beat
        self._command = command
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._busy = False

    def read(self, raw: bytes | Path, keep: Keep) -> Mail:
        """The mail, from its bytes or the file they lie in; `keep` is given each file. Raises Unreadable."""
        with self._lock:
            for _ in range(2):
                try:
                    return self._ask(raw, keep)
                except TimeoutError:
                    raise Unreadable(f"reading it took longer than {self._patience:g} s") from None
                except frames.Broken:
                    words = self._last_words()
                    if words:
                        raise Unreadable(words) from None
                finally:
                    if self._busy:
                        self.close()
            raise Unreadable("the reader does not stay")

    def close(self) -> None:
        """End the child. The next mail gets a new one."""
        if self._line:
            self._line.close()
        if self._child:
            self._child.kill()
            self._child.communicate()
        self._child = self._line = None
        self._busy = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, wrong: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _ask(self, raw: bytes | Path, keep: Keep) -> Mail:
        line = self._line or self._start()
        self._busy = True
        until = time.monotonic() + self._patience
        frames.send(line, raw, until=until)
        head = json.loads(frames.receive(line, until=until, meanwhile=self._beat))
        for described in head["files"]:
            keep(Found.of(described, frames.receive(line, until=until, meanwhile=self._beat)))
            until = max(until, time.monotonic() + 1.0)  # our own disk's slowness isn't the child's
        self._busy = False
        return mails.from_json(head["mail"])

    def _start(self) -> socket.socket:
        self._line, theirs = socket.socketpair()
        with theirs:
            self._child = subprocess.Popen(
                [sys.executable, "-B", *self._command],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd=_ROOT,
                env={"LANG": "C.UTF-8"},
            )
        return self._line

    def _last_words(self) -> str:
        """Why the child went: the signal that ended it, or the last line of its traceback. Empty where it had been idle."""
        assert self._child
        assert self._line
        self._line.close()
        try:
            _, said = self._child.communicate(timeout=2)
        except subprocess.TimeoutExpired:
            return "the reader closed its line and stayed"
        if self._child.returncode == 0:
            return ""
        if self._child.returncode == -signal.SIGXCPU:
            return "reading it took too much computing time"
        if self._child.returncode < 0:
            return f"the reader was ended by {signal.Signals(-self._child.returncode).name}"
        last = said.decode("utf-8", "replace").strip().rpartition("\n")[2]
        return "reading it took too much memory" if last.startswith("MemoryError") else f"the reader failed: {last[:300]}"

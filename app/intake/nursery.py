"""A process that has loaded what reading takes, reads nothing itself, and has a child forked from it for whoever asks.

A child that falls costs a few milliseconds like this; loading the parsers anew takes thirty times as long. Both sides speak
over the nursery's standard input: asked with two descriptors (the child's line, and where its last words go), it tells a child's
number, and its exit code when it has ended. It buries a child only when it is asked for the next one: until then the number is
nobody else's, so that whoever kills by it kills no other.
"""

import gc
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from app.intake import frames

IDLE = 10.0  # seconds
LAST = 2.0  # seconds that a child has to end
_ROOT = Path(__file__).parents[2]


class Child:
    """A child as its parent sees it: its line is a stream."""

    def __init__(self, number: int, control: socket.socket, line: socket.socket, words: int) -> None:
        self.number, self._control, self._words = number, control, words
        self._code: int | None = None
        self.line = line

    def last_words(self) -> tuple[int, str]:
        """Its exit code, and the last line of what it said. Raises TimeoutError if it stays, Broken if the nursery is gone."""
        self.line.close()
        self._wait()
        assert self._code is not None
        with open(self._words, "rb", closefd=False) as said:
            return self._code, said.read().decode("utf-8", "replace").strip().rpartition("\n")[2]

    def kill(self) -> None:
        """End it, if it hasn't ended."""
        self.line.close()
        os.close(self._words)
        if self._code is None and not select.select([self._control], [], [], 0)[0]:
            with suppress(ProcessLookupError):
                os.kill(self.number, signal.SIGKILL)

    def end(self) -> bool:
        """The same, and until it has ended; whether its nursery has another one."""
        self.kill()
        try:
            if self._code is None:
                self._wait()
        except (TimeoutError, frames.Broken):
            return False
        return self._code != 0

    def _wait(self) -> None:
        self._code = int(frames.receive(self._control, until=time.monotonic() + LAST))


class Nursery:
    """One process at most, started when a child is wanted. It has nothing of our environment, and runs `command`."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def child(self, *, until: float, meanwhile: Callable[[], None]) -> Child:
        """A new child. Raises TimeoutError, or Broken where the nursery went this moment: the next one is forked from another."""
        control = self._control or self._start()
        line, theirs = socket.socketpair()
        words, said = os.pipe()
        try:
            with theirs, suppress(BrokenPipeError, ConnectionResetError):  # the answer says so too
                socket.send_fds(control, [b"+"], [theirs.fileno(), said])
            os.close(said)
            number = int(frames.receive(control, until=until, meanwhile=meanwhile))
        except (TimeoutError, frames.Broken):
            line.close()
            os.close(words)
            self.close()
            raise
        return Child(number, control, line, words)

    def close(self) -> None:
        """End it. A child of it ends when its line does."""
        if self._control:
            self._control.close()
        if self._process:
            self._process.kill()
            self._process.wait()
        self._process = self._control = None

    def _start(self) -> socket.socket:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-B", *self._command],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                cwd=_ROOT,
                env={"LANG": "C.UTF-8"},
            )
        return self._control


def keep(serve: Callable[[], None]) -> None:
    """The nursery itself: one child after the other, which runs `serve` with its line as standard input.

    It ends with its parent, and with a child that went for want of work.
    """
    gc.freeze()  # what is loaded stays shared
    with socket.socket(fileno=0) as parent:
        while select.select([parent], [], [], IDLE)[0]:
            asked, given, _, _ = socket.recv_fds(parent, 1, 2)
            if not asked:
                return
            child = os.fork()
            if child == 0:
                parent.detach()
                for theirs, ours in zip(given, (0, 2), strict=True):
                    os.dup2(theirs, ours)
            for each in given:
                os.close(each)
            if child == 0:
                _live(serve)
            if not _stay_with(child, parent):
                return


def _live(serve: Callable[[], None]) -> NoReturn:
    """Serve and end, without taking down what the nursery has loaded: that would take longer than all else."""
    code = 1
    try:
        serve()
        code = 0
    finally:
        if code:
            sys.excepthook(*sys.exc_info())
        os._exit(code)


def _stay_with(child: int, parent: socket.socket) -> bool:
    """Tell of it until it has ended; whether somebody may want another."""
    try:
        frames.send(parent, b"%d" % child)
        end = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        assert end
        code = end.si_status if end.si_code == os.CLD_EXITED else -end.si_status
        frames.send(parent, b"%d" % code)
    except frames.Broken:
        return False
    wanted = code != 0 and select.select([parent], [], [], IDLE)[0]
    os.waitpid(child, 0)
    return bool(wanted)

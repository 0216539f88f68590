"""Carries what every program writes to the container's stdout, one record a line.

One thread only reads, so that no program ever waits for whoever reads the container's log; another only writes. What piles up
between them beyond BACKLOG is thrown away, and said so. What a program repeats is counted rather than written (repeats.py),
unless everything is wanted (LOG_LEVEL=debug).
"""

import os
import selectors
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from image.loglines import LEVELS, Joiner, Lines, Record, as_json, as_text, parse
from image.logring import Ring
from image.repeats import Repeats

BACKLOG = 8 * 1024 * 1024  # characters
CHUNK = 64 * 1024  # bytes: what a named pipe holds
PAUSE = 0.2  # seconds of silence after which a held line is complete
TAIL = 20  # lines kept of each program, for the last word about one that failed


class Source:
    """One program's stream. `finished` says that its lines are records already, as nginx's access log is."""

    def __init__(self, proc: str, *, finished: bool) -> None:
        self.proc = proc
        self.finished = finished
        self.lines = Lines()
        self.joiner = Joiner()
        self.heard = 0.0


class Pump:
    """Reads streams, writes records. `level` is the least that is written, `form` is json or text."""

    def __init__(self, out: int, *, level: str, form: str) -> None:
        self.write_as(level=level, form=form)
        self._tails: dict[str, deque[str]] = {}
        self._writer = Writer(out)
        self.ring = Ring()
        self._repeats = Repeats()
        self._streams = selectors.DefaultSelector()
        self._new: deque[tuple[int, Source]] = deque()
        told, self._tell = os.pipe()
        self._streams.register(told, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._read, name="reader", daemon=True)
        self._thread.start()

    def write_as(self, *, level: str, form: str) -> None:
        """How records are written from here on; a word that is none of ours counts as the default."""
        self._least = LEVELS.get(level, LEVELS["info"])
        self._render: Callable[[Record], str] = as_text if form == "text" else as_json
        self._as_is = form != "text" and self._least <= LEVELS["info"]
        self._all = self._least <= LEVELS["debug"]

    def add(self, descriptor: int, proc: str, *, finished: bool = False) -> None:
        """Read `proc`'s lines from this descriptor from now on."""
        os.set_blocking(descriptor, False)
        self._new.append((descriptor, Source(proc, finished=finished)))
        os.write(self._tell, b"+")

    def add_fifo(self, path: str, proc: str, *, group: int | None = None, finished: bool = False) -> None:
        """Make a named pipe that `proc`'s lines come through; `group` may write to it.

        It is held open at both ends, so that a writer neither waits for a reader nor ever finds it closed.
        """
        os.mkfifo(path, stat.S_IRUSR | stat.S_IWUSR)
        descriptor = os.open(path, os.O_RDWR)
        if group is not None:
            os.fchmod(descriptor, stat.S_IRUSR | stat.S_IWUSR | stat.S_IWGRP)
            os.fchown(descriptor, -1, group)
        self.add(descriptor, proc, finished=finished)

    def say(self, msg: str, *, level: str = "info", **more: object) -> None:
        """A line of the launcher's own."""
        self._put({"ts": _now(), "level": level, "proc": "launcher", "msg": msg} | more)

    def tail(self, proc: str) -> list[str]:
        """The last lines of one program, oldest first."""
        return list(self._tails.get(proc, ()))

    def finish_reading(self) -> None:
        """Read what is still in the pipes, and no more after that."""
        os.write(self._tell, b".")
        self._thread.join(2)

    def close(self) -> None:
        """Write what was read, and end. A reader of our output who is stuck is not waited for."""
        self.finish_reading()
        self._writer.close()

    def _read(self) -> None:
        going = True
        while going:
            ready = self._streams.select(PAUSE)
            now = time.monotonic()
            for key, _ in ready:
                if key.data:
                    self._drain(key.fd, key.data, now)
                else:
                    going = b"." not in os.read(key.fd, CHUNK)
            while self._new:
                descriptor, source = self._new.popleft()
                self._streams.register(descriptor, selectors.EVENT_READ, source)
            self._finish_paused(now)
            self._sum_up(now)
        self._read_the_rest()
        self._sum_up(float("inf"))

    def _read_the_rest(self) -> None:
        for key in list(self._streams.get_map().values()):
            while key.data and self._drain(key.fd, key.data, 0.0):
                pass
        self._finish_paused(float("inf"))

    def _drain(self, descriptor: int, source: Source, now: float) -> bool:
        """Whether something came."""
        try:
            data = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self._streams.unregister(descriptor)
            os.close(descriptor)
            source.heard = 0.0
            self._take(source, source.joiner.flush())
            return False
        source.heard = now
        for line in source.lines.feed(data):
            self._take(source, [line] if source.finished else source.joiner.feed(line))
        return True

    def _finish_paused(self, now: float) -> None:
        for key in list(self._streams.get_map().values()):
            if key.data and now - key.data.heard >= PAUSE:
                self._take(key.data, key.data.joiner.flush())

    def _take(self, source: Source, lines: Iterable[str]) -> None:
        for line in lines:
            if source.finished and self._as_is:
                self._writer.put(line)
                self.ring.put(line)
                continue
            record = parse(source.proc, line, _now())
            if record["level"] != "debug":
                self._tails.setdefault(source.proc, deque(maxlen=TAIL)).append(str(record.get("trace", record["msg"])))
            if source.finished or self._all or self._repeats.passes(record, time.monotonic()):
                self._put(record)

    def _sum_up(self, now: float) -> None:
        for record in self._repeats.over(now):
            self._put(record | {"ts": _now()})

    def _put(self, record: Record) -> None:
        if LEVELS[str(record["level"])] >= self._least:
            line = self._render(record)
            self._writer.put(line)
            self.ring.put(line if self._render is as_json else as_json(record))


class Writer:
    """Writes lines in the order they came, in a thread of its own."""

    def __init__(self, out: int) -> None:
        self._out = out
        self._lines: deque[str] = deque()
        self._size = 0
        self._dropped = 0
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._write, name="writer", daemon=True)
        self._thread.start()

    def write_as(self, *, level: str, form: str) -> None:
        """How records are written from here on; a word that is none of ours counts as the default."""
        self._least = LEVELS.get(level, LEVELS["info"])
        self._render: Callable[[Record], str] = as_text if form == "text" else as_json
        self._as_is = form != "text" and self._least <= LEVELS["info"]

    def put(self, line: str) -> None:
        with self._changed:
            if self._size + len(line) > BACKLOG:
                self._dropped += 1
                return
            if self._dropped:
                self._lines.append(_notice(self._dropped))
                self._dropped = 0
            self._lines.append(line)
            self._size += len(line)
            self._changed.notify()

    def close(self) -> None:
        """Write what is there, for 2 s at most."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(2)

    def _write(self) -> None:
        while batch := self._next():
            data = memoryview("".join(f"{line}\n" for line in batch).encode("utf-8", "replace"))
            while data:
                try:
                    data = data[os.write(self._out, data) :]
                except BrokenPipeError:
                    break  # nobody reads the log; the desk goes on

    def _next(self) -> list[str]:
        """What is waiting, or nothing when it is over."""
        with self._changed:
            while not self._lines and not self._closing:
                self._changed.wait()
            batch = list(self._lines)
            self._lines.clear()
            self._size = 0
            return batch


def _notice(dropped: int) -> str:
    msg = f"{dropped} lines were thrown away: whoever reads the container's log was too slow"
    return as_json({"ts": _now(), "level": "warning", "proc": "launcher", "msg": msg})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")

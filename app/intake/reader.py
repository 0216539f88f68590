"""The parent's side of reading: keeps a child, gives it a mail, and replaces it when it falls, hangs or eats too much."""

import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from app.intake import frames
from app.intake.nursery import Child, Nursery
from app.intake.rules import keys, seal
from app.intake.rules import mail as mails
from app.intake.rules.keys import Confirmed
from app.intake.rules.mail import Found, Mail
from app.intake.rules.seal import FAILED

PATIENCE = 20.0  # seconds by the clock for one mail
PATIENCE_WITH_A_SEAL = 5.0  # seconds more
# What a child may hand over: of a mail its own size this often (a file as it came, and what is in it), and so much beside it.
TIMES, BESIDE, MOST_FILES = 3, 64_000_000, 5_000

Keep = Callable[[Found], None]
Known = Callable[[Sequence[str]], Sequence[Confirmed]]


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
        self._nursery = Nursery(command)
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._busy = False

    def read(self, raw: bytes | Path, keep: Keep, known: Known = lambda _: ()) -> Mail:
        """The mail, from its bytes or the file they lie in; `keep` is given each file. Raises Unreadable.

        `known` gives the confirmed keys among those that an OpenPGP signature names. It may raise what it likes.
        """
        with self._lock:
            for _ in range(2):
                try:
                    return self._ask(raw, keep, known)
                except TimeoutError:
                    raise Unreadable(f"reading it took longer than {self._patience:g} s") from None
                except frames.TooMuch:
                    raise Unreadable("its reader wants to hand over more than a mail can hold") from None
                except frames.Broken:
                    words = self._last_words()
                    if words:
                        raise Unreadable(words) from None
                finally:
                    if self._busy:
                        self._end()
            raise Unreadable("the reader does not stay")

    def close(self) -> None:
        """End the child. The next mail gets a new one."""
        if self._child:
            self._child.kill()
        self._nursery.close()
        self._child, self._busy = None, False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, wrong: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _ask(self, raw: bytes | Path, keep: Keep, known: Known) -> Mail:
        self._busy = True
        until = time.monotonic() + self._patience
        self._child = self._child or self._nursery.child(until=until, meanwhile=self._beat)
        line = self._child.line
        frames.send(line, raw, until=until)
        room = BESIDE + TIMES * (raw.stat().st_size if isinstance(raw, Path) else len(raw))
        head = json.loads(frames.receive(line, until=until, meanwhile=self._beat, most=BESIDE))
        if len(head["files"]) > MOST_FILES:
            raise frames.TooMuch
        for described in head["files"]:
            content = frames.receive(line, until=until, meanwhile=self._beat, most=room)
            keep(Found.of(described, content))
            room -= len(content)
            until = max(until, time.monotonic() + 1.0)  # our own disk's slowness isn't the child's
        mail = mails.from_json(head["mail"])
        if mail.unchecked:
            named = mail.seal.keys if mail.seal and mail.seal.unchecked else ()
            return self._looked_closer(line, mail, known(named) if named else ())
        self._busy = False
        return mail

    def _looked_closer(self, line: socket.socket, mail: Mail, confirmed: Sequence[Confirmed]) -> Mail:
        """With what its signature shows. A child that falls over it, or takes too long, has read the mail all the same."""
        until = time.monotonic() + PATIENCE_WITH_A_SEAL
        try:
            frames.send(line, json.dumps(keys.to_json(confirmed)).encode(), until=until)
            told = json.loads(frames.receive(line, until=until, meanwhile=self._beat, most=BESIDE))
        except (TimeoutError, frames.Broken, frames.TooMuch):
            failed = mail.seal and mail.seal.unchecked
            return replace(mail, seal=replace(mail.seal, trouble=FAILED.trouble)) if mail.seal and failed else mail
        self._busy = False
        return replace(mail, seal=seal.from_json(told["seal"]), keys=keys.from_json(told["keys"]))

    def _end(self) -> None:
        if self._child and not self._child.end():
            self._nursery.close()
        self._child, self._busy = None, False

    def _last_words(self) -> str:
        """Why the child went: the signal that ended it, or the last line of its traceback. Empty where it had been idle."""
        if not self._child:
            return ""
        try:
            code, last = self._child.last_words()
        except TimeoutError:
            return "the reader closed its line and stayed"
        except frames.Broken:
            return ""
        if code == 0:
            return ""
        if code == -signal.SIGXCPU:
            return "reading it took too much computing time"
        if code < 0:
            return f"the reader was ended by {signal.Signals(-code).name}"
        return "reading it took too much memory" if last.startswith("MemoryError") else f"the reader failed: {last[:300]}"

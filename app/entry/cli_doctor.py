"""`atum doctor`: look at everything at once, in threads that may each get stuck without holding up the others."""

import argparse
import os
import sys
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any

from app.config import BadSettings, Settings
from app.core import clock
from app.core.errors import DeskError, Invalid
from app.db.session import Database
from app.entry.cli_mail import Answer
from app.ops.doctor import (
    asking,
    backlog,
    bundle,
    choices,
    clocks,
    machine,
    mailboxes,
    names,
    parts,
    ports,
    postgres,
    proxy,
    redis,
    senders,
    smtp,
    versions,
)
from app.ops.doctor.findings import Examination, Finding, Level, Look, Room, in_words

TOGETHER = 15.0  # seconds; Python needs some for itself, and all of it has to take less than 20
AGAIN = "docker compose logs --tail 100 desk"
Answers = SimpleQueue[tuple[str, Finding | None]]
LOOKS: dict[str, Look] = {
    "health": parts.look,
    "settings": choices.look,
    "dns": names.look,
    "ports": ports.look,
    "proxy": proxy.look,
    "clock": clocks.look,
    "machine": machine.look,
    "postgresql": postgres.look,
    "redis-server": redis.look,
    "mailbox": mailboxes.look,
    "smtp": smtp.look,
    "sender": senders.look,
    "queues": backlog.look,
    "version": versions.look,
}


def add_to(verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    made = verb("doctor", doctor, "Look at the desk and what is around it; what is amiss, and the line that mends it.")
    made.set_defaults(refused=refused)
    made.add_argument(
        "--bundle",
        metavar="FILE",
        help="write all that somebody who helps needs to know into this file (tar.gz), without secrets; - for standard output",
    )


def doctor(settings: Settings, given: argparse.Namespace) -> Answer:
    """Exit 1 where something is amiss; a hint is not. A bundle that was written is a success."""
    found = examine(settings)
    asking.keep(settings, found)
    return _bundled(settings, found, given) if given.bundle else _answer(found, given)


def refused(wrong: BadSettings, given: argparse.Namespace) -> Answer:
    """With settings that the desk would not start with, they are all there is to say."""
    return _answer(Examination(clock.now(), 0.0, tuple(choices.of_problems(wrong))), given)


def examine(settings: Settings, looks: dict[str, Look] | None = None, *, within: float = TOGETHER) -> Examination:
    """Look at everything. What does not come to an end by itself is left behind; what it had found by then is told."""
    looks, began, at = looks or LOOKS, monotonic(), clock.now()
    answers: Answers = SimpleQueue()
    room = _room(settings, pool=len(looks))
    for subject, look in looks.items():
        Thread(target=_look, args=(subject, look, room, answers), name=subject, daemon=True).start()
    found: dict[str, list[Finding]] = {subject: [] for subject in looks}
    going = set(looks)
    while going:
        try:
            subject, finding = answers.get(timeout=max(began + within - monotonic(), 0))
        except Empty:
            break
        if finding is None:
            going.discard(subject)
        else:
            found[subject].append(finding)
    room.db.close()
    slow = f"It was not done within {within:.0f} s, and left."
    for subject in going:
        found[subject].append(Finding(subject, Level.WARNING, slow, "Something it asks does not answer.", AGAIN))
    return Examination(at, monotonic() - began, tuple(finding for findings in found.values() for finding in findings))


def _look(subject: str, look: Look, room: Room, answers: Answers) -> None:
    """One subject, finding by finding; nothing at its end."""
    try:
        for finding in look(room):
            answers.put((subject, finding))
    except DeskError as wrong:
        answers.put((subject, Finding(subject, Level.HINT, f"It could not be looked at: {wrong.message}")))
    except Exception as wrong:  # whatever it is, the others are still told
        words = next(iter(str(wrong).splitlines()), "")
        what = f"Looking at it failed: {type(wrong).__name__}: {words}"
        answers.put((subject, Finding(subject, Level.WARNING, what, None, AGAIN)))
    answers.put((subject, None))


def _room(settings: Settings, *, pool: int) -> Room:
    return Room(settings, Database(settings.database_dsn, pool=pool, patience=10, name="doctor"))


def _bundled(settings: Settings, found: Examination, given: argparse.Namespace) -> Answer:
    room, name = _room(settings, pool=2), given.bundle
    try:
        if name == "-":
            if sys.stdout.isatty():
                raise Invalid(
                    "A terminal can't show it. Send it to a file: docker compose exec -T desk atum doctor --bundle - >FILE"
                )
            bundle.write(sys.stdout.buffer, room, found)
            return 0, ""
        with open(name, "xb", opener=_for_us_alone) as file:
            count = bundle.write(file, room, found)
    except OSError as wrong:
        raise Invalid(f"{name} can't be written: {wrong.strerror}. Name a new file in /tmp, or - for standard output.") from wrong
    finally:
        room.db.close()
    told = {"file": name, "parts": count}
    return 0, told if given.json else f"{name}: {count} parts, and no secret in them. Look at it before you send it."


def _for_us_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _answer(found: Examination, given: argparse.Namespace) -> Answer:
    told: Any = found.told() if given.json else in_words(found)
    return int(found.amiss), told

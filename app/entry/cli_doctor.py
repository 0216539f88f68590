"""`atum doctor`: look at everything at once, in threads that may each get stuck without holding up the others."""

import argparse
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any

from app.config import BadSettings, Settings
from app.core import clock
from app.core.errors import DeskError
from app.db.session import Database
from app.entry.cli_mail import Answer
from app.ops.doctor import (
    backlog,
    choices,
    clocks,
    machine,
    mailboxes,
    names,
    parts,
    ports,
    postgres,
    redis,
    senders,
    smtp,
    versions,
)
from app.ops.doctor.findings import Examination, Finding, Level, Look, Room, in_words

TOGETHER = 15.0  # seconds; Python needs some for itself, and all of it has to take less than 20
LOOKS: dict[str, Look] = {
    "health": parts.look,
    "settings": choices.look,
    "dns": names.look,
    "ports": ports.look,
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
    verb("doctor", doctor, "Look at the desk and what is around it; what is amiss, and the line that mends it.").set_defaults(
        refused=refused
    )


def doctor(settings: Settings, given: argparse.Namespace) -> Answer:
    """Exit 1 where something is amiss; a hint is not."""
    return _answer(examine(settings), given)


def refused(wrong: BadSettings, given: argparse.Namespace) -> Answer:
    """With settings that the desk would not start with, they are all there is to say."""
    return _answer(Examination(clock.now(), 0.0, tuple(choices.of_problems(wrong))), given)


def examine(settings: Settings, looks: dict[str, Look] | None = None, *, within: float = TOGETHER) -> Examination:
    """Look at everything. What does not come to an end by itself is left behind."""
    looks, began, at = looks or LOOKS, monotonic(), clock.now()
    answers: SimpleQueue[tuple[str, list[Finding]]] = SimpleQueue()
    room = Room(settings, Database(settings.database_dsn, pool=len(looks), patience=10, name="doctor"))
    for subject, look in looks.items():
        Thread(target=_look, args=(subject, look, room, answers), name=subject, daemon=True).start()
    found: dict[str, list[Finding]] = {}
    while len(found) < len(looks):
        try:
            subject, findings = answers.get(timeout=max(began + within - monotonic(), 0))
        except Empty:
            break
        found[subject] = findings
    room.db.close()
    slow = f"It was not done within {within:.0f} s, and left. Try once more, or look at its servers and the network."
    told = [finding for subject in looks for finding in found.get(subject, [Finding(subject, Level.WARNING, slow)])]
    return Examination(at, monotonic() - began, tuple(told))


def _look(subject: str, look: Look, room: Room, answers: SimpleQueue[tuple[str, list[Finding]]]) -> None:
    """One subject. What was found before something broke is told as well."""
    found: list[Finding] = []
    try:
        found.extend(look(room))
    except DeskError as wrong:
        found.append(Finding(subject, Level.HINT, f"It could not be looked at: {wrong.message}"))
    except Exception as wrong:  # whatever it is, the others are still told
        words = next(iter(str(wrong).splitlines()), "")
        what = f"Looking at it failed: {type(wrong).__name__}: {words}"
        found.append(Finding(subject, Level.WARNING, what, None, "docker compose logs --tail 100 desk"))
    answers.put((subject, found))


def _answer(found: Examination, given: argparse.Namespace) -> Answer:
    told: Any = found.told() if given.json else in_words(found)
    return int(found.amiss), told

"""Passwords, hashed with argon2id (RFC 9106).

A hash takes 46 MB and a processor for a twentieth of a second, so there is one at a time in each process, and four at a time on
the whole desk however many processes it has. Whoever would have to wait long is asked to come back: a flood of sign-ins takes
neither the memory nor the threads that everybody else's requests need.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from app.core.errors import Unavailable

AT_ONCE = 4
QUEUE = 4  # in each process, the one that is being made with them: half of its threads

_hasher = PasswordHasher(time_cost=2, memory_cost=47_104, parallelism=1)
_one_at_a_time = threading.Semaphore(1)
_queue = threading.Semaphore(QUEUE)
_nobody = "$argon2id$v=19$m=47104,t=2,p=1$Ll+YD08Yb7NKZPF5jb5sLw$plCgZihkmZZaREpWlORo1YBU6oo50bjq8Rgh3wzUc0I"
_places: list[Path] = []


class Busy(Unavailable):
    """Many people are signing in at this moment. Try again in a few seconds."""

    slug = "busy"


def share(folder: Path) -> None:
    """From now on hash in one of the four places that all processes with this folder share."""
    _places[:] = [folder / f"hashing-{place}" for place in range(AT_ONCE)]


def hashed(password: str) -> str:
    """What is stored of a password. Raises Busy."""
    with _turn():
        return _hasher.hash(password)


def matches(password: str, stored: str | None) -> bool:
    """Whether this is the password. It takes as long for nobody's password as for somebody's. Raises Busy."""
    with _turn():
        try:
            _hasher.verify(stored or _nobody, password)
        except (VerifyMismatchError, InvalidHashError):
            return False
    return stored is not None


def outdated(stored: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(stored)


@contextmanager
def _turn() -> Iterator[None]:
    if not _queue.acquire(blocking=False):
        raise Busy
    try:
        with _one_at_a_time, _place():
            yield
    finally:
        _queue.release()


@contextmanager
def _place() -> Iterator[None]:
    """One of the four, held by a lock on a file: it is free again when its process dies, however it dies."""
    if not _places:
        yield
        return
    held = _free_place()
    if held is None:
        held = os.open(_places[os.getpid() % AT_ONCE], os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _free_place() -> int | None:
    for place in _places:
        held = os.open(place, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(held)
        else:
            return held
    return None

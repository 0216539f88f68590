"""Passwords, hashed with argon2id (RFC 9106); one hash at a time in each process, so that sign-ins can't eat the memory."""

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

_hasher = PasswordHasher(time_cost=2, memory_cost=47_104, parallelism=1)
_one_at_a_time = threading.Semaphore(1)
_nobody = "$argon2id$v=19$m=47104,t=2,p=1$Ll+YD08Yb7NKZPF5jb5sLw$plCgZihkmZZaREpWlORo1YBU6oo50bjq8Rgh3wzUc0I"


def hashed(password: str) -> str:
    """What is stored of a password."""
    with _one_at_a_time:
        return _hasher.hash(password)


def matches(password: str, stored: str | None) -> bool:
    """Whether this is the password. It takes as long for nobody's password as for somebody's."""
    with _one_at_a_time:
        try:
            _hasher.verify(stored or _nobody, password)
        except (VerifyMismatchError, InvalidHashError):
            return False
    return stored is not None


def outdated(stored: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(stored)

"""What is killed in the tests: a process of its own, in place of the statement whose number it is given."""

import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import psycopg

from app import config
from app.entry import boot
from app.ops import migrate


def migrating(given: dict[str, str]) -> None:
    migrate.up(given["DATABASE_URL"])


def opening(given: dict[str, str]) -> None:
    """The first start's work: service levels, a mailbox, an administrator, and the demo."""
    boot.open_the_door(config.load(given))


def until(work: Callable[[dict[str, str]], None], given: dict[str, str], number: int, told: Connection) -> None:
    """Do the work, and be killed in place of statement `number`, commits being counted as well; tell how many there were."""
    sent = 0

    def counted(real: Any) -> Any:
        def instead(*arguments: Any, **more: Any) -> Any:
            nonlocal sent
            sent += 1
            if sent == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **more)

        return instead

    psycopg.Cursor.execute = counted(psycopg.Cursor.execute)  # type: ignore[method-assign]
    psycopg.Connection.commit = counted(psycopg.Connection.commit)  # type: ignore[method-assign]
    work(given)
    told.send(sent)

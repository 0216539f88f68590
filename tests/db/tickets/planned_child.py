"""A worker of its own, to be killed: `python -m tests.db.tickets.planned_child DSN before|after`.

It sends what is due, and is killed when everything is written and nothing committed, or just after that.
"""

import os
import signal
import sys
from typing import Any

from sqlalchemy import event

from app.db.session import Database, Session
from app.tickets import planned


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    dsn, moment = sys.argv[1:]
    event.listen(Session, "before_commit" if moment == "before" else "after_commit", die, insert=moment == "before")
    planned.process_one(Database(dsn))

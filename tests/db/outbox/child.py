"""A sender of its own, to be killed: `python -m tests.db.outbox.child DSN PORT FILES`."""

import sys
from pathlib import Path

from app.db.session import Database
from app.files.disk import Blobs
from app.outbox.delivery import process_one
from app.outbox.smtp import Account, Line
from tests.unit.outbox.letters import a_house

if __name__ == "__main__":
    dsn, port, files = sys.argv[1:]
    account = Account("127.0.0.1", int(port), "none", None, None, "desk.example")
    process_one(Database(dsn), a_house(), Line(account), Blobs(Path(files)))

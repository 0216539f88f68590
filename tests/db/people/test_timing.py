"""Nobody learns from the time an answer takes whether an address exists."""

import time
from statistics import median

from app.accounts import actions as accounts
from app.accounts.rules import Role
from app.db.redis import Counters
from app.db.session import Database
from app.db.session import now as database_now
from app.people import actions as people
from tests.db.people.post import HOUSE

TRIES = 200
GAP = 0.005  # seconds


def test_asking_for_a_new_password_takes_as_long_for_nobody_as_for_somebody(database: Database) -> None:
    counters = Counters("redis://127.0.0.1:1")
    with database.transaction() as s:
        for n in range(TRIES):
            accounts.add(s, email=f"known{n}@acme.example", name="", role=Role.CUSTOMER, now=database_now(s))

    def took(email: str, n: int) -> float:
        began = time.perf_counter()
        with database.transaction() as s:
            people.forgot(s, HOUSE, counters, email=email, source=f"192.0.2.{n}", now=database_now(s))
        return time.perf_counter() - began

    took("warm@up.example", 1)
    pairs = [(took(f"known{n}@acme.example", n), took(f"other{n}@acme.example", n)) for n in range(TRIES)]
    known, unknown = (median(each) for each in zip(*pairs, strict=True))
    assert abs(known - unknown) < GAP, f"{known * 1000:.2f} ms and {unknown * 1000:.2f} ms"

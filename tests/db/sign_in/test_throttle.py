"""Guessing gets nobody in, and keeps no owner out."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from app.accounts import actions, passwords, sessions, throttle
from app.accounts.models import Person
from app.accounts.rules import Door, Role
from app.accounts.throttle import TooManyTries
from app.audit.models import Entry, Event
from app.db.redis import Counters
from app.db.session import Session
from tests.cast import PASSWORD

HOME = "192.0.2.1"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested here is counting: a hash is as good as its password."""
    monkeypatch.setattr(passwords, "hashed", lambda password: password)
    monkeypatch.setattr(passwords, "matches", lambda password, stored: password == stored)
    monkeypatch.setattr(passwords, "outdated", lambda _: False)


@pytest.fixture
def counters() -> Counters:
    return Counters("redis://127.0.0.1:1")


@pytest.fixture
def erin(s: Session, now: datetime) -> Person:
    return actions.add(s, email="erin@desk.example", name="Erin", role=Role.AGENT, now=now, password=PASSWORD)


def attempt(s: Session, counters: Counters, now: datetime, *, email: str, password: str, source: str) -> str:
    """How it went: in, wrong or later."""
    try:
        person = sessions.check_password(s, counters, email=email, password=password, source=source, now=now)
    except sessions.WrongPassword:
        return "wrong"
    except TooManyTries:
        return "later"
    throttle.succeeded(counters, email=person.email, source=source)
    return "in"


def guess(s: Session, counters: Counters, now: datetime, source: str, *, email: str = "erin@desk.example") -> str:
    return attempt(s, counters, now, email=email, password="a guess", source=source)


def enter(s: Session, counters: Counters, now: datetime, source: str) -> str:
    return attempt(s, counters, now, email="erin@desk.example", password=PASSWORD, source=source)


def test_of_a_thousand_passwords_for_one_account_ten_are_looked_at(
    s: Session, counters: Counters, now: datetime, erin: Person
) -> None:
    said = [guess(s, counters, now, HOME) for _ in range(1000)]
    assert said == ["wrong"] * 10 + ["later"] * 990
    assert enter(s, counters, now, HOME) == "later"


def test_of_one_password_for_a_thousand_accounts_a_hundred_are_looked_at(s: Session, counters: Counters, now: datetime) -> None:
    said = [guess(s, counters, now, HOME, email=f"person{n}@desk.example") for n in range(1000)]
    assert said == ["wrong"] * 100 + ["later"] * 900


def test_who_is_over_the_budget_of_a_place_makes_no_new_counters(s: Session, counters: Counters, now: datetime) -> None:
    for n in range(300):
        guess(s, counters, now, HOME, email=f"person{n}@desk.example")
    assert len(counters._own) <= 2 * throttle.SOURCE + 5


def test_many_places_together_get_fifty_tries_at_one_account(s: Session, counters: Counters, now: datetime, erin: Person) -> None:
    said = [guess(s, counters, now, f"198.51.{n // 250}.{n % 250}") for n in range(500)]
    assert said.count("wrong") == throttle.ACCOUNT
    assert enter(s, counters, now, "203.0.113.9") == "later"


def test_a_siege_does_not_keep_the_owner_out_where_they_have_been_before(
    s: Session, counters: Counters, now: datetime, erin: Person
) -> None:
    sessions.sign_in(s, erin, door=Door.PAGE, source=HOME, now=now - timedelta(days=20))
    s.flush()
    for n in range(500):
        guess(s, counters, now, f"198.51.{n // 250}.{n % 250}")
    assert enter(s, counters, now, "203.0.113.9") == "later"
    assert [enter(s, counters, now, HOME) for _ in range(20)] == ["in"] * 20


def test_where_somebody_was_two_months_ago_is_no_longer_known(
    s: Session, counters: Counters, now: datetime, erin: Person
) -> None:
    sessions.sign_in(s, erin, door=Door.PAGE, source=HOME, now=now - timedelta(days=60))
    s.flush()
    for n in range(60):
        guess(s, counters, now, f"198.51.100.{n}")
    assert enter(s, counters, now, HOME) == "later"


def test_coming_in_forgets_the_tries_but_not_those_of_the_place(
    s: Session, counters: Counters, now: datetime, erin: Person
) -> None:
    """Else one account of one's own would buy any number of guesses at others'."""
    said = []
    for n in range(200):
        said.append(guess(s, counters, now, HOME, email=f"person{n}@desk.example"))
        enter(s, counters, now, HOME)
    assert said.count("wrong") == throttle.SOURCE
    assert [guess(s, counters, now, "192.0.2.77") for _ in range(9)] == ["wrong"] * 9
    assert enter(s, counters, now, "192.0.2.77") == "in"
    assert [guess(s, counters, now, "192.0.2.77") for _ in range(10)] == ["wrong"] * 10


def test_an_office_of_a_thousand_signs_in_from_one_address(s: Session, counters: Counters, now: datetime, erin: Person) -> None:
    assert [enter(s, counters, now, HOME) for _ in range(1000)] == ["in"] * 1000


def test_all_addresses_of_one_ipv6_network_are_one_place(s: Session, counters: Counters, now: datetime, erin: Person) -> None:
    said = [guess(s, counters, now, f"2001:db8:1:2::{n:x}") for n in range(1, 50)]
    assert said.count("wrong") == throttle.PAIR
    assert guess(s, counters, now, "2001:db8:1:3::1") == "wrong"
    assert throttle.place("::ffff:192.0.2.1") == throttle.place("192.0.2.1") == "192.0.2.1"


def refused(s: Session) -> list[dict[str, object]]:
    s.commit()
    return [entry.data for entry in s.scalars(select(Entry).where(Entry.kind == Event.SIGN_IN_REFUSED).order_by(Entry.seq))]


def test_a_thousand_refusals_are_two_rows_of_the_audit(s: Session, counters: Counters, now: datetime, erin: Person) -> None:
    for _ in range(1000):
        guess(s, counters, now, HOME)
    first, *others = refused(s)
    assert (first["person"], first["source"], first["why"], first["tries"]) == (erin.email, HOME, "wrong password", 1)
    assert [(row["why"], row["tries"]) for row in others] == [
        ("too many tries (address and place)", 10),
        ("too many tries (place)", 100),
    ]


def test_a_flood_from_everywhere_can_not_fill_the_audit(s: Session, counters: Counters, now: datetime) -> None:
    for n in range(throttle.TOLD * 2):
        guess(s, counters, now, f"198.51.{n // 250}.{n % 250}", email=f"person{n}@desk.example")
    rows = refused(s)
    assert len(rows) == throttle.TOLD + 1
    assert rows[-1]["why"] == "more than are told here"


def test_a_password_typed_where_the_address_goes_is_not_written_down(s: Session, counters: Counters, now: datetime) -> None:
    guess(s, counters, now, HOME, email="correct horse battery staple")
    assert [row["person"] for row in refused(s)] == ["(no address)"]


def test_unknown_addresses_are_counted_and_told_like_known_ones(
    s: Session, counters: Counters, now: datetime, erin: Person
) -> None:
    known = [guess(s, counters, now, "192.0.2.8") for _ in range(15)]
    unknown = [guess(s, counters, now, "192.0.2.9", email="nobody@desk.example") for _ in range(15)]
    assert known == unknown
    rows = refused(s)
    assert [row["why"] for row in rows if row["person"] == erin.email] == [
        row["why"] for row in rows if row["person"] == "nobody@desk.example"
    ]

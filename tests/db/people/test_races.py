"""Who comes at the same moment: of two that can't both be, one is."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.accounts import actions as accounts
from app.accounts.models import Person, SetupLink, SignIn
from app.accounts.rules import LinkPurpose, Role
from app.core.errors import NotFound
from app.db.redis import Counters
from app.db.session import Database, Session
from app.db.session import now as database_now
from app.people import actions as people
from app.people import links
from app.people.links import LinkSpent
from tests.cast import PASSWORD, Cast, assemble
from tests.db.people.post import HOUSE, tokens

NEW = "four words in a row"


def forgot(s: Session, person: Person) -> str:
    counters, now = Counters("redis://127.0.0.1:1"), database_now(s)
    people.forgot(s, HOUSE, counters, email=person.email, source="", now=now)
    return tokens(s, person.email)[-1]


@pytest.fixture
def committed(database: Database) -> tuple[Database, Cast]:
    with database.transaction() as s:
        cast = assemble(s, database_now(s))
    return database, cast


def at_once(*work: Any) -> list[Any]:
    """What each came to when all began together: None, or what it was refused with."""
    barrier, outcomes = threading.Barrier(len(work)), [None] * len(work)

    def run(n: int) -> None:
        barrier.wait()
        try:
            work[n]()
        except Exception as refused:
            outcomes[n] = refused  # type: ignore[call-overload]

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_a_link_used_twice_at_once_works_once(committed: tuple[Database, Cast]) -> None:
    db, cast = committed
    with db.transaction() as s:
        token = forgot(s, cast.carol)

    def use(password: str) -> None:
        with db.transaction() as s:
            people.reset(s, HOUSE, token, password=password, now=database_now(s))

    outcomes = at_once(*(lambda n=n: use(f"{NEW} {n}") for n in range(4)))
    assert sorted(type(each).__name__ for each in outcomes) == ["LinkSpent", "LinkSpent", "LinkSpent", "NoneType"]


def test_two_administrators_can_not_remove_each_other_at_once(committed: tuple[Database, Cast]) -> None:
    db, cast = committed
    with db.transaction() as s:
        now = database_now(s)
        accounts.set_password(s, s.merge(cast.root), PASSWORD, by=None, now=now)
        accounts.add(s, email="second@desk.example", name="", role=Role.ADMIN, password=PASSWORD, now=now)

    def demote(whom: str) -> None:
        with db.transaction() as s:
            found = s.scalar(select(Person).where(Person.email == whom).with_for_update(of=Person, key_share=True))
            assert found
            accounts.set_role(s, found, Role.AGENT, by=None, now=database_now(s))

    outcomes = at_once(lambda: demote("root@desk.example"), lambda: demote("second@desk.example"))
    assert sorted(type(each).__name__ for each in outcomes) == ["LastAdministrator", "NoneType"]


def test_an_address_that_two_want_at_once_is_one_persons(committed: tuple[Database, Cast]) -> None:
    db, cast = committed

    def take(person: Person) -> None:
        with db.transaction() as s:
            accounts.set_email(s, s.merge(person), "free@desk.example", by=None, now=database_now(s))

    def join() -> None:
        with db.transaction() as s:
            accounts.add(s, email="free@desk.example", name="", role=Role.CUSTOMER, now=database_now(s))

    outcomes = at_once(lambda: take(cast.carol), lambda: take(cast.mallory), join)
    assert sorted(type(each).__name__ for each in outcomes) == ["AddressTaken", "AddressTaken", "NoneType"]


def test_disabling_and_resetting_at_once_never_leaves_a_session(committed: tuple[Database, Cast]) -> None:
    db, cast = committed
    with db.transaction() as s:
        token = forgot(s, cast.carol)

    def use() -> None:
        with db.transaction() as s:
            people.reset(s, HOUSE, token, password=NEW, now=database_now(s))

    def off() -> None:
        with db.transaction() as s:
            found = s.scalar(select(Person).where(Person.id == cast.carol.id).with_for_update(of=Person, key_share=True))
            assert found
            accounts.disable(s, found, by=None, now=database_now(s))

    outcomes = at_once(use, off)
    assert outcomes[1] is None
    assert outcomes[0] is None or isinstance(outcomes[0], LinkSpent)
    with db.transaction() as s:
        assert not s.scalars(select(SignIn).where(SignIn.ended_at.is_(None))).all()
        with pytest.raises(LinkSpent):
            links.shown(s, token, LinkPurpose.RESET, now=database_now(s))


def test_of_two_setup_links_made_at_once_one_is_good_and_two_used_at_once_make_one_administrator(database: Database) -> None:
    made: list[str] = []

    def make() -> None:
        with database.transaction() as s:
            made.append(accounts.make_setup_link(s, now=database_now(s)))

    assert at_once(make, make) == [None, None]
    with database.transaction() as s:
        assert [accounts.setup_link_is_good(s, token, now=database_now(s)) for token in made].count(True) == 1
        s.execute(update(SetupLink).values(expires_at=database_now(s) + timedelta(minutes=5)))

    def use(token: str, email: str) -> None:
        with database.transaction() as s:
            accounts.set_up(s, token, email=email, name="Root", password=NEW, now=database_now(s))

    outcomes = at_once(lambda: use(made[0], "a@desk.example"), lambda: use(made[1], "b@desk.example"))
    assert {type(outcome) for outcome in outcomes} == {NotFound, type(None)}
    with database.transaction() as s:
        assert len(s.scalars(select(Person).where(Person.role == Role.ADMIN)).all()) == 1

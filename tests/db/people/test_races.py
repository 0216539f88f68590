"""Who comes at the same moment: of two that can't both be, one is."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.accounts import actions as accounts
from app.accounts import passwords, sessions
from app.accounts import tokens as tokens_of_programs
from app.accounts.models import ApiToken, Person, SetupLink, SignIn
from app.accounts.rules import Door, LinkPurpose, Role
from app.core.errors import NotFound, NotSignedIn
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


@pytest.mark.parametrize("change", ["password", "disabled"])
def test_a_sign_in_that_a_change_overtook_leaves_no_session(committed: tuple[Database, Cast], change: str) -> None:
    """Whichever comes first: the session is refused, or it is ended with the others."""
    db, cast = committed

    def changed(s: Session) -> None:
        now, dave = database_now(s), s.get_one(Person, cast.dave.id)
        if change == "password":
            accounts.set_password(s, dave, NEW, by=None, now=now)
        else:
            accounts.disable(s, dave, by=None, now=now)

    def living() -> int:
        with db.transaction() as s:
            s.get_one(Person, cast.dave.id).disabled_at = None
            return len(s.scalars(select(SignIn).where(SignIn.person_id == cast.dave.id, SignIn.ended_at.is_(None))).all())

    def sign_in(s: Session, dave: Person) -> None:
        sessions.sign_in(s, dave, door=Door.API, source="", now=database_now(s))

    with db.transaction() as s:
        accounts.set_password(s, s.get_one(Person, cast.dave.id), PASSWORD, by=None, now=database_now(s))

    def overtaken(s: Session) -> None:
        dave = s.get_one(Person, cast.dave.id)  # the password that was shown fits this row
        committing(db, changed)
        sign_in(s, dave)

    with pytest.raises(sessions.Outrun):
        committing(db, overtaken)
    assert living() == 0

    with ThreadPoolExecutor(1) as pool:
        with db.transaction() as s:
            sign_in(s, s.get_one(Person, cast.dave.id))
            s.flush()
            other = pool.submit(lambda: committing(db, changed))
            time.sleep(0.5)
            assert not other.done()
        other.result(timeout=10)
    assert living() == 0


def test_a_token_made_while_its_owner_is_disabled_dies_with_the_others_or_is_refused(committed: tuple[Database, Cast]) -> None:
    db, cast = committed

    def make(s: Session, dave: Person) -> None:
        tokens_of_programs.make(s, dave, name="script", scopes=[], days=None, now=database_now(s))

    def disable(s: Session) -> None:
        accounts.disable(s, s.get_one(Person, cast.dave.id), by=None, now=database_now(s))

    def living() -> int:
        with db.transaction() as s:
            return len(s.scalars(select(ApiToken).where(ApiToken.revoked_at.is_(None))).all())

    with ThreadPoolExecutor(1) as pool:
        with db.transaction() as s:
            make(s, s.get_one(Person, cast.dave.id))
            other = pool.submit(lambda: committing(db, disable))
            time.sleep(0.5)
            assert not other.done()
        other.result(timeout=10)
    assert living() == 0

    committing(db, lambda s: accounts.enable(s, s.get_one(Person, cast.dave.id), by=None, now=database_now(s)))

    def overtaken(s: Session) -> None:
        dave = s.get_one(Person, cast.dave.id)
        committing(db, disable)
        make(s, dave)

    with pytest.raises(NotSignedIn):
        committing(db, overtaken)
    assert living() == 0


def test_an_old_hash_that_is_made_anew_does_not_bring_the_old_password_back(
    committed: tuple[Database, Cast], monkeypatch: pytest.MonkeyPatch
) -> None:
    db, cast = committed
    matches = passwords.matches

    def changed_meanwhile(password: str, stored: str | None) -> bool:
        fits = matches(password, stored)
        committing(db, lambda s: accounts.set_password(s, s.get_one(Person, cast.dave.id), NEW, by=None, now=database_now(s)))
        return fits

    committing(db, lambda s: accounts.set_password(s, s.get_one(Person, cast.dave.id), PASSWORD, by=None, now=database_now(s)))
    monkeypatch.setattr(passwords, "outdated", lambda _: True)
    monkeypatch.setattr(passwords, "matches", changed_meanwhile)
    counters, shown = Counters("redis://127.0.0.1:1"), {"email": cast.dave.email, "password": PASSWORD, "source": ""}
    with pytest.raises(sessions.Outrun):
        committing(db, lambda s: sessions.check_password(s, counters, **shown, now=database_now(s)))
    with db.transaction() as s:
        assert matches(NEW, s.get_one(Person, cast.dave.id).password_hash)


def committing(db: Database, work: Callable[[Session], object]) -> None:
    with db.transaction() as s:
        work(s)

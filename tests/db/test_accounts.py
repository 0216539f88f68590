"""People, sessions and the first administrator."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from app.accounts import actions, identity, rules, sessions, throttle
from app.accounts.identity import Identity
from app.accounts.models import Person, SignIn
from app.accounts.rules import Door, Role, Verb, may
from app.core.errors import Conflict, Invalid, NotFound, NotSignedIn, TooMany
from app.db.redis import Counters
from app.db.session import Session
from app.db.session import now as database_now
from tests.cast import PASSWORD, Cast

ALONE = "redis://127.0.0.1:1"  # nobody answers there: counting happens in the process


@pytest.fixture
def counters() -> Counters:
    return Counters(ALONE)


@pytest.fixture
def erin(s: Session, now: datetime) -> Person:
    return actions.add(s, email="Erin@Desk.Example", name="Erin", role=Role.AGENT, now=now, password=PASSWORD)


def _of_cookie(s: Session, token: str) -> Identity:
    s.flush()
    return identity.of_cookie(s.connection(), token)


def _of_bearer(s: Session, token: str) -> Identity:
    s.flush()
    return identity.of_bearer(s.connection(), token)


def check(s: Session, counters: Counters, email: str, password: str) -> Person:
    return sessions.check_password(s, counters, email=email, password=password, source="192.0.2.1", now=database_now(s))


def test_an_address_is_one_whatever_its_case(s: Session, now: datetime, erin: Person, counters: Counters) -> None:
    assert erin.email == "erin@desk.example"
    assert check(s, counters, "ERIN@desk.example", PASSWORD) is erin
    with pytest.raises(Conflict):
        actions.add(s, email="eRin@desk.example", name="", role=Role.AGENT, now=now)


def test_a_wrong_password_and_an_unknown_address_are_told_alike(s: Session, erin: Person, counters: Counters) -> None:
    with pytest.raises(sessions.WrongPassword) as wrong:
        check(s, counters, erin.email, "something else")
    with pytest.raises(sessions.WrongPassword) as unknown:
        check(s, counters, "nobody@desk.example", PASSWORD)
    assert wrong.value.message == unknown.value.message


def test_whoever_has_no_password_never_signs_in(s: Session, now: datetime, cast: Cast, counters: Counters) -> None:
    for attempt in ("", "disabled", "None"):
        with pytest.raises(sessions.WrongPassword):
            check(s, counters, cast.carol.email, attempt)


def test_ten_wrong_tries_from_one_place_are_enough_and_others_still_get_in(s: Session, erin: Person, counters: Counters) -> None:
    for _ in range(throttle.PAIR):
        with pytest.raises(sessions.WrongPassword):
            check(s, counters, erin.email, "guess")
    with pytest.raises(TooMany):
        check(s, counters, erin.email, PASSWORD)
    elsewhere, now = "198.51.100.7", database_now(s)
    assert sessions.check_password(s, counters, email=erin.email, password=PASSWORD, source=elsewhere, now=now) is erin


def test_a_disabled_person_is_out_at_once(s: Session, now: datetime, erin: Person, counters: Counters) -> None:
    token = sessions.sign_in(s, erin, door=Door.PAGE, source="", now=now).access
    assert _of_cookie(s, token).id == erin.id
    actions.disable(s, erin, by=None, now=now)
    s.expire_all()
    with pytest.raises(NotSignedIn):
        _of_cookie(s, token)
    with pytest.raises(sessions.WrongPassword):
        check(s, counters, erin.email, PASSWORD)


def test_a_new_password_ends_every_session(s: Session, now: datetime, erin: Person) -> None:
    token = sessions.sign_in(s, erin, door=Door.API, source="", now=now).access
    actions.set_password(s, erin, "another horse battery", by=None, now=now)
    s.expire_all()
    with pytest.raises(NotSignedIn):
        _of_bearer(s, token)


def test_a_token_opens_only_its_own_door_and_not_for_ever(s: Session, now: datetime, erin: Person) -> None:
    token = sessions.sign_in(s, erin, door=Door.API, source="", now=now).access
    with pytest.raises(NotSignedIn):
        _of_cookie(s, token)
    s.execute(update(SignIn).values(expires_at=now))
    with pytest.raises(NotSignedIn):
        _of_bearer(s, token)


def test_a_refresh_token_works_once_and_never_as_an_access_token(s: Session, now: datetime, erin: Person) -> None:
    first = sessions.sign_in(s, erin, door=Door.API, source="", now=now)
    assert first.refresh
    with pytest.raises(NotSignedIn):
        _of_bearer(s, first.refresh)
    _, second = sessions.refresh(s, first.refresh, now=now)
    assert _of_bearer(s, second.access).id == erin.id
    with pytest.raises(sessions.RefreshReused):
        sessions.refresh(s, first.refresh, now=now)
    with pytest.raises(NotSignedIn):
        _of_bearer(s, second.access)


def test_a_browsers_session_ends_when_idle_and_some_day_in_any_case(now: datetime) -> None:
    assert rules.page_session_ends(now, now) == now + rules.PAGE_IDLE
    assert rules.page_session_ends(now - timedelta(days=6, hours=23), now) == now + timedelta(hours=1)


def test_the_setup_link_makes_one_administrator_and_is_spent(s: Session, now: datetime) -> None:
    token = actions.make_setup_link(s, now=now)
    s.flush()
    made = actions.set_up(s, token, email="root@desk.example", name="Root", password=PASSWORD, now=now)
    assert made.role is Role.ADMIN
    with pytest.raises(NotFound):
        actions.set_up(s, token, email="evil@evil.example", name="Evil", password=PASSWORD, now=now)
    with pytest.raises(Conflict):
        actions.make_setup_link(s, now=now)


def test_an_old_or_replaced_setup_link_is_worth_nothing(s: Session, now: datetime) -> None:
    old, fresh = actions.make_setup_link(s, now=now), actions.make_setup_link(s, now=now)
    s.flush()
    assert not actions.setup_link_is_good(s, old, now=now)
    assert actions.setup_link_is_good(s, fresh, now=now)
    assert not actions.setup_link_is_good(s, fresh, now=now + rules.SETUP_LIFE)


def test_a_weak_password_is_refused_in_words(s: Session, now: datetime) -> None:
    for weak in ("short", "aaaaaaaaaaaa", "x" * 2000):
        with pytest.raises(Invalid):
            actions.add(s, email="weak@desk.example", name="", role=Role.AGENT, now=now, password=weak)


def test_somebody_who_writes_for_the_first_time_becomes_one_customer(s: Session, now: datetime) -> None:
    once = actions.known_sender(s, email="New@Acme.example", name="New", now=now)
    again = actions.known_sender(s, email="new@acme.example", name="Other", now=now)
    assert once is again
    assert once.role is Role.CUSTOMER
    assert once.password_hash is None


def test_mallory_may_do_nothing_to_carols_ticket(cast: Cast) -> None:
    class Carols:
        requester_id, organization_id = cast.carol.id, cast.carol.organization_id
        team_id = trashed_at = None

    assert not any(may(cast.mallory, verb, Carols()) for verb in Verb)
    assert may(cast.carol, Verb.SEE, Carols())
    assert may(cast.dave, Verb.ANSWER, Carols())
    assert may(cast.alice, Verb.WORK, Carols())
    assert not may(cast.dave, Verb.SEE_NOTES, Carols())

"""One-time links: what they are good for, how long, how often, and what is stored of them."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from app.accounts import actions as accounts
from app.accounts import identity, passwords, sessions
from app.accounts.actions import AddressTaken
from app.accounts.models import Link, OrganizationDomain, Person
from app.accounts.rules import Door, Role
from app.audit.models import Event
from app.core import ids
from app.core.errors import Conflict, Forbidden, Invalid, NotSignedIn, TooMany
from app.db.redis import Counters
from app.db.session import Session
from app.outbox.models import Letter
from app.people import actions as people
from app.people.links import LinkSpent
from tests.cast import PASSWORD, Cast
from tests.db.people.post import HOUSE, letters, tokens

NEW = "four words in a row"


@pytest.fixture
def counters() -> Counters:
    return Counters("redis://127.0.0.1:1")


def invite(s: Session, cast: Cast, now: datetime, email: str = "new@acme.example", role: Role = Role.AGENT) -> Person:
    return people.invite(s, HOUSE, email=email, name="New", role=role, by=cast.bob, now=now)


def forget(s: Session, counters: Counters, email: str, now: datetime, source: str = "192.0.2.1") -> None:
    people.forgot(s, HOUSE, counters, email=email, source=source, now=now)


def reset(s: Session, token: str, now: datetime, password: str = NEW) -> Person:
    return people.reset(s, HOUSE, token, password=password, now=now)


def told(s: Session, kind: Event) -> list[dict[str, Any]]:
    return [entry["data"] for entry in s.info.get("audit", []) if entry["kind"] == kind.value]


# invitations


def test_an_invitation_is_good_for_72_hours_and_lets_choose_a_password_once(s: Session, cast: Cast, now: datetime) -> None:
    person = invite(s, cast, now)
    [token] = tokens(s, "new@acme.example")
    for late in (now + timedelta(hours=72), now + timedelta(days=400)):
        with pytest.raises(LinkSpent):
            people.accept(s, token, password=NEW, now=late)
    made = people.accept(s, token, password=NEW, name="Newton", now=now + timedelta(hours=71, minutes=59))
    assert (made.id, made.name) == (person.id, "Newton")
    assert passwords.matches(NEW, made.password_hash)
    s.flush()
    with pytest.raises(LinkSpent):
        people.accept(s, token, password="another " + NEW, now=now)


def test_a_newer_invitation_ends_the_older(s: Session, cast: Cast, counters: Counters, now: datetime) -> None:
    person = invite(s, cast, now)
    people.invite_again(s, HOUSE, counters, person, by=cast.bob, now=now)
    old, fresh = tokens(s, person.email)
    with pytest.raises(LinkSpent):
        people.accept(s, old, password=NEW, now=now)
    people.accept(s, fresh, password=NEW, now=now)


def test_whoever_has_a_password_is_invited_no_more(s: Session, cast: Cast, counters: Counters, now: datetime) -> None:
    accounts.set_password(s, cast.frank, PASSWORD, by=None, now=now)
    with pytest.raises(Conflict):
        people.invite_again(s, HOUSE, counters, cast.frank, by=cast.bob, now=now)


def test_a_password_by_another_way_spends_the_invitation(s: Session, cast: Cast, now: datetime) -> None:
    person = invite(s, cast, now)
    accounts.set_password(s, person, PASSWORD, by=None, now=now)
    with pytest.raises(LinkSpent):
        people.accept(s, *tokens(s, person.email), password=NEW, now=now)


def test_disabling_ends_an_invitation_for_good(s: Session, cast: Cast, now: datetime) -> None:
    person = invite(s, cast, now)
    accounts.disable(s, person, by=cast.bob, now=now)
    accounts.enable(s, person, by=cast.bob, now=now)
    with pytest.raises(LinkSpent):
        people.accept(s, *tokens(s, person.email), password=NEW, now=now)


def test_nobody_invites_above_what_they_manage(s: Session, cast: Cast, counters: Counters, now: datetime) -> None:
    for role in (Role.MANAGER, Role.ADMIN):
        with pytest.raises(Forbidden):
            invite(s, cast, now, role=role)
    with pytest.raises(Forbidden):
        people.invite_again(s, HOUSE, counters, cast.root, by=cast.bob, now=now)
    assert not letters(s, "root@desk.example")


def test_an_invited_customer_joins_the_organization_of_their_domain(s: Session, cast: Cast, now: datetime) -> None:
    assert cast.carol.organization_id
    s.add(OrganizationDomain(domain="acme.example", organization_id=cast.carol.organization_id, added_at=now))
    s.flush()
    assert invite(s, cast, now, role=Role.CUSTOMER).organization_id == cast.carol.organization_id
    assert invite(s, cast, now, "staff@acme.example").organization_id is None


def test_somebody_no_mail_can_be_sent_to_is_not_invited(s: Session, cast: Cast, now: datetime) -> None:
    for email in ("x@nowhere.invalid", "kä@acme.example", "x@-acme.example"):
        with pytest.raises(Invalid):
            invite(s, cast, now, email)


def test_one_person_is_not_mailed_invitations_without_end(s: Session, cast: Cast, counters: Counters, now: datetime) -> None:
    person = invite(s, cast, now)
    for _ in range(5):
        people.invite_again(s, HOUSE, counters, person, by=cast.bob, now=now)
    with pytest.raises(TooMany):
        people.invite_again(s, HOUSE, counters, person, by=cast.bob, now=now)


# forgotten passwords


def test_a_reset_link_is_good_for_30_minutes_and_once_and_ends_every_session(
    s: Session, cast: Cast, counters: Counters, now: datetime
) -> None:
    session = sessions.sign_in(s, cast.carol, door=Door.PAGE, source="", now=now).access
    forget(s, counters, " CAROL@acme.example", now)
    [token] = tokens(s, cast.carol.email)
    with pytest.raises(LinkSpent):
        reset(s, token, now + timedelta(minutes=30))
    reset(s, token, now + timedelta(minutes=29))
    s.flush()
    with pytest.raises(NotSignedIn):
        identity.of_cookie(s.connection(), session)
    with pytest.raises(LinkSpent):
        reset(s, token, now)
    assert [letter.subject for letter in letters(s, cast.carol.email)][-1] == "Your password was changed"


@pytest.mark.parametrize(
    "alter", [str.upper, lambda t: t[:-1], lambda t: t + "a", lambda _: "", lambda _: "\ud800", lambda t: t + "\0"]
)
def test_a_link_that_is_not_exactly_ours_is_worth_nothing(
    s: Session, cast: Cast, counters: Counters, now: datetime, alter: Any
) -> None:
    forget(s, counters, cast.carol.email, now)
    [token] = tokens(s, cast.carol.email)
    with pytest.raises(LinkSpent):
        reset(s, alter(token), now)


def test_a_link_is_good_for_its_purpose_alone(s: Session, cast: Cast, counters: Counters, now: datetime) -> None:
    person = invite(s, cast, now)
    [token] = tokens(s, person.email)
    with pytest.raises(LinkSpent):
        reset(s, token, now)
    with pytest.raises(LinkSpent):
        people.confirm_new_address(s, HOUSE, person, token, now=now)


def test_a_weak_password_does_not_spend_the_link(s: Session, cast: Cast, counters: Counters, now: datetime) -> None:
    forget(s, counters, cast.carol.email, now)
    [token] = tokens(s, cast.carol.email)
    with pytest.raises(Invalid), s.begin_nested():
        reset(s, token, now, password="short")
    assert reset(s, token, now) is cast.carol


def test_a_newer_reset_link_ends_the_older(s: Session, cast: Cast, now: datetime) -> None:
    for _ in range(2):
        forget(s, Counters("redis://127.0.0.1:1"), cast.carol.email, now)
    old, fresh = tokens(s, cast.carol.email)
    with pytest.raises(LinkSpent):
        reset(s, old, now)
    reset(s, fresh, now)


def test_the_disabled_and_the_unknown_get_no_letter(s: Session, cast: Cast, counters: Counters, now: datetime) -> None:
    accounts.disable(s, cast.frank, by=None, now=now)
    s.flush()
    for email in (
        cast.frank.email,
        "nobody@acme.example",
        "c\u0430rol@acme.example",
        "x'; DROP TABLE person --",
        "\0",
        "\ud800@x",
    ):
        forget(s, counters, email, now)
    assert not s.scalars(select(Letter)).all()
    assert not s.scalars(select(Link)).all()
    asked = [data["person"] for data in told(s, Event.PASSWORD_FORGOTTEN)]
    assert asked == ["frank@acme.example", "nobody@acme.example", "c\u0430rol@acme.example"]  # the rest is no address


def test_disabling_ends_a_reset_link(s: Session, cast: Cast, counters: Counters, now: datetime) -> None:
    forget(s, counters, cast.frank.email, now)
    accounts.disable(s, cast.frank, by=None, now=now)
    s.flush()
    with pytest.raises(LinkSpent):
        reset(s, tokens(s, cast.frank.email)[0], now)


def test_an_address_gets_one_letter_in_20_minutes_whoever_asks(s: Session, cast: Cast, counters: Counters, now: datetime) -> None:
    for n in range(50):
        forget(s, counters, cast.carol.email, now, source=f"192.0.2.{n}")
    assert len(letters(s, cast.carol.email)) == 1


def test_one_place_asks_30_times_an_hour_and_no_more(s: Session, cast: Cast, counters: Counters, now: datetime) -> None:
    for n in range(30):
        forget(s, counters, f"{n}@acme.example", now)
    for email in (cast.carol.email, "nobody@acme.example"):
        with pytest.raises(TooMany):
            forget(s, counters, email, now)
    forget(s, counters, cast.carol.email, now, source="198.51.100.7")


def test_letters_carry_nothing_that_came_from_a_stranger(s: Session, cast: Cast, counters: Counters, now: datetime) -> None:
    words = "You won! https://evil.example"
    victim = accounts.known_sender(s, email="victim@acme.example", name=words, now=now)
    forget(s, counters, victim.email, now)
    [letter] = letters(s, victim.email)
    assert "evil" not in letter.to_name + letter.from_name + letter.subject + letter.text
    assert "https://desk.example" in letter.text


def test_nothing_of_a_token_is_stored_but_its_hash(s: Session, cast: Cast, counters: Counters, now: datetime) -> None:
    invite(s, cast, now)
    forget(s, counters, cast.carol.email, now)
    for token in (*tokens(s, "new@acme.example"), *tokens(s, cast.carol.email)):
        assert s.scalar(select(Link).where(Link.token_hash == ids.fingerprint(token)))
        for table in ("one_time_link", "outbox", "person"):
            rows = s.execute(text("SELECT json_agg(t)::text FROM " + table + " t")).scalar_one()
            assert token not in rows, table


def test_known_and_unknown_addresses_take_the_same_statements(
    s: Session, cast: Cast, counters: Counters, now: datetime, statements: list[str]
) -> None:
    def sent(email: str) -> list[str]:
        statements.clear()
        forget(s, counters, email, now)
        return [re.sub("INTEGER|[0-9]+", "BIGINT", each) for each in statements]  # a number is typed by its size

    known, unknown = sent(cast.carol.email), sent("nobody@acme.example")
    assert [(a, b) for a, b in zip(known, unknown, strict=True) if a != b] == [
        ("RELEASE SAVEPOINT sa_savepoint_BIGINT", "ROLLBACK TO SAVEPOINT sa_savepoint_BIGINT")
    ]
    assert any('INSERT INTO "outbox"' in each for each in unknown)


# new addresses


@pytest.fixture
def carol(s: Session, cast: Cast, now: datetime) -> Person:
    accounts.set_password(s, cast.carol, PASSWORD, by=None, now=now)
    s.flush()
    return cast.carol


def move(s: Session, counters: Counters, me: Person, to: str, now: datetime, password: str = PASSWORD) -> None:
    people.ask_new_address(s, HOUSE, counters, me, email=to, password=password, source="192.0.2.1", now=now)


def test_a_new_address_counts_once_it_is_confirmed_and_the_old_one_is_told(
    s: Session, carol: Person, counters: Counters, now: datetime
) -> None:
    move(s, counters, carol, "Carol@new.example", now)
    assert carol.email == "carol@acme.example"
    [token] = tokens(s, "carol@new.example")
    people.confirm_new_address(s, HOUSE, carol, token, now=now)
    assert carol.email == "carol@new.example"
    [notice] = letters(s, "carol@acme.example")
    assert notice.subject == "Your e-mail address was changed"
    assert "new.example" not in notice.text
    s.flush()
    with pytest.raises(LinkSpent):
        people.confirm_new_address(s, HOUSE, carol, token, now=now)


def test_a_link_to_a_mistyped_address_takes_nobodys_account(
    s: Session, cast: Cast, carol: Person, counters: Counters, now: datetime
) -> None:
    move(s, counters, carol, "mallory@new.example", now)
    [token] = tokens(s, "mallory@new.example")
    with pytest.raises(LinkSpent):
        people.confirm_new_address(s, HOUSE, cast.mallory, token, now=now)
    assert carol.email == "carol@acme.example"


def test_a_new_address_takes_the_password(s: Session, carol: Person, counters: Counters, now: datetime) -> None:
    with pytest.raises(people.WrongOldPassword):
        move(s, counters, carol, "carol@new.example", now, password="guess")
    assert not letters(s, "carol@new.example")


def test_a_taken_address_is_not_told_to_be_taken(s: Session, carol: Person, counters: Counters, now: datetime) -> None:
    move(s, counters, carol, "bob@desk.example", now)
    move(s, counters, carol, "free@desk.example", now)
    assert not letters(s, "bob@desk.example")
    assert len(letters(s, "free@desk.example")) == 1
    assert [data["email"] for data in told(s, Event.EMAIL_CHANGE_ASKED)] == ["bob@desk.example", "free@desk.example"]


def test_an_address_that_was_taken_meanwhile_is_not_taken_away(
    s: Session, carol: Person, counters: Counters, now: datetime
) -> None:
    move(s, counters, carol, "free@desk.example", now)
    accounts.known_sender(s, email="free@desk.example", name="", now=now)
    with pytest.raises(AddressTaken), s.begin_nested():
        people.confirm_new_address(s, HOUSE, carol, *tokens(s, "free@desk.example"), now=now)


def test_what_was_mailed_to_an_old_address_leads_nowhere(s: Session, cast: Cast, counters: Counters, now: datetime) -> None:
    forget(s, counters, cast.carol.email, now)
    [token] = tokens(s, cast.carol.email)
    people.change_address(s, HOUSE, cast.carol, "carol@new.example", by=cast.bob, now=now)
    with pytest.raises(LinkSpent):
        reset(s, token, now)


def test_changing_ones_password_takes_the_old_one_and_ends_every_session(
    s: Session, carol: Person, counters: Counters, now: datetime
) -> None:
    session = sessions.sign_in(s, carol, door=Door.PAGE, source="", now=now).access
    with pytest.raises(people.WrongOldPassword):
        people.change_password(s, HOUSE, counters, carol, old="guess", new=NEW, source="", now=now)
    people.change_password(s, HOUSE, counters, carol, old=PASSWORD, new=NEW, source="", now=now)
    s.flush()
    with pytest.raises(NotSignedIn):
        identity.of_cookie(s.connection(), session)
    assert passwords.matches(NEW, carol.password_hash)

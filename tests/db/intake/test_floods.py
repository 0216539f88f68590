"""Mail bombs, floods and what comes back again and again: nobody is written to for it, and nothing is lost."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.accounts import actions as accounts
from app.audit.models import Entry, Event
from app.db.session import Database, Session
from app.db.session import now as database_now
from app.files.disk import Blobs
from app.intake import actions, floods, outcomes, suggestions
from app.intake.folder import Fetched
from app.intake.models import InboundMail, Mailbox
from app.intake.rules import read
from app.intake.rules.states import MailState
from app.outbox.models import Kind, Letter
from app.tickets import actions as tickets
from app.tickets import opening
from app.tickets import rules as life
from app.tickets.actions import Body, Source
from app.tickets.models import Channel, Message, Ticket
from app.tickets.rules import Status
from tests.cast import Cast, assemble
from tests.db.intake.conftest import Desk, a_mailbox, blocked
from tests.mail.imap_server import eventually
from tests.unit.intake.letters import mail
from tests.unit.outbox.letters import a_house

HOUR = timedelta(hours=1)
VICTIM = "victim@acme.example"


def letter(n: int, sender: str = VICTIM, **fields: str) -> bytes:
    return mail(f"letter {n}", sender=sender, mail_id=f"<{n}@acme.example>", subject=f"Matter {n}", **fields)


def at(desk: Desk, n: int, later: timedelta, sender: str = VICTIM, mailbox: Mailbox | None = None) -> None:
    desk.now += later
    desk.deliver(letter(n, sender), mailbox)


def test_an_address_gets_one_acknowledgement_an_hour_and_five_a_day(desk: Desk) -> None:
    for n in range(48):
        at(desk, n, HOUR / 2)
    assert desk.acknowledgements() == [VICTIM] * 5
    for n in range(50, 98):
        at(desk, n, HOUR / 2)
    assert desk.acknowledgements() == [VICTIM] * 10


def test_an_hour_does_not_end_when_the_clock_strikes(desk: Desk) -> None:
    desk.now = desk.now.replace(minute=59, second=0) + HOUR
    for n in range(2):
        at(desk, n, timedelta(minutes=2 * n))
    assert desk.acknowledgements() == [VICTIM]


def test_another_mailbox_acknowledges_for_itself(desk: Desk) -> None:
    sales = a_mailbox(desk.s, desk.now, "sales@desk.example")
    at(desk, 1, timedelta())
    at(desk, 2, timedelta(), mailbox=sales)
    at(desk, 3, timedelta(), mailbox=sales)
    assert desk.acknowledgements() == [VICTIM] * 2


def test_a_domain_gets_so_many_an_hour(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "MOST_TO_A_DOMAIN", 3)
    for n in range(6):
        at(desk, n, timedelta(), f"victim+{n}@acme.example")
    at(desk, 7, timedelta(), "other@else.example")
    assert Counter(to.partition("@")[2] for to in desk.acknowledgements()) == {"acme.example": 3, "else.example": 1}
    at(desk, 8, HOUR + timedelta(seconds=1), "victim+8@acme.example")
    assert desk.acknowledgements()[-1] == "victim+8@acme.example"


@pytest.mark.parametrize(("age", "acknowledged"), [(timedelta(hours=23), [VICTIM]), (timedelta(hours=25), [])])
def test_mail_of_more_than_a_day_ago_becomes_a_ticket_and_nobody_is_told(
    desk: Desk, age: timedelta, acknowledged: list[str]
) -> None:
    [row] = desk.take(letter(1))
    row.received_at = desk.now - age
    desk.settle(row, letter(1))
    assert row.state is MailState.DONE
    assert row.ticket
    assert desk.acknowledgements() == acknowledged


def test_whoever_was_disabled_gets_no_acknowledgement_and_their_mail_is_kept(desk: Desk, cast: Cast) -> None:
    cast.alice.disabled_at = desk.now
    row = desk.deliver(letter(1, cast.alice.email))
    assert [m.text for m in desk.messages(row.ticket)] == ["letter 1"]
    assert desk.acknowledgements() == []


def test_our_own_addresses_get_none(desk: Desk) -> None:
    assert desk.deliver(letter(1, desk.house.address)).state is MailState.IGNORED
    assert desk.acknowledgements() == []


def test_how_much_is_too_much_is_what_is_promised() -> None:
    """Everything here counts by these; records 43, 44 and 48 say them."""
    assert (opening.MOST_A_DAY, opening.MOST_TO_A_DOMAIN) == (5, 100)
    assert (floods.MOST, floods.MOST_OF_STAFF, floods.WINDOW) == (30, 300, HOUR)
    assert (life.MOST_REOPENED, life.REOPENED_WITHIN) == (5, HOUR)
    assert suggestions.MOST_ON_ONE == 20


def test_a_flood_stands_on_the_sender_s_last_ticket(desk: Desk) -> None:
    rows = [desk.deliver(letter(n)) for n in range(floods.MOST + 3)]
    assert {row.state for row in rows} == {MailState.DONE}
    assert len({row.ticket for row in rows}) == floods.MOST
    assert [m.text for m in desk.messages(rows[-1].ticket)] == [f"letter {n}" for n in range(floods.MOST - 1, floods.MOST + 3)]
    assert "stands on the last one" in str(rows[-1].reason)
    assert desk.deliver(letter(90, "carol@acme.example")).ticket not in {row.ticket for row in rows}
    at(desk, 91, HOUR + timedelta(seconds=1))
    assert desk.tickets()[-1].subject == "Matter 91"


def test_a_flood_gets_before_no_other_team(desk: Desk) -> None:
    for n in range(floods.MOST):
        desk.deliver(letter(n))
    salaries = a_mailbox(desk.s, desk.now, "salaries@desk.example")
    at(desk, 50, timedelta(), mailbox=salaries)
    assert desk.tickets()[-1].desk_address == salaries.address


def test_when_the_last_one_is_over_the_one_before_takes_it_and_when_all_are_a_new_one(desk: Desk) -> None:
    for n in range(floods.MOST):
        desk.deliver(letter(n))
    mine = desk.tickets()
    mine[-1].status, mine[-1].closed_at = Status.CANCELLED, desk.now
    assert desk.deliver(letter(50)).ticket == mine[-2].number
    for ticket in mine:
        ticket.trashed_at = desk.now
    assert desk.deliver(letter(51)).ticket not in {ticket.number for ticket in mine}


def test_staff_who_forward_much_are_no_flood(desk: Desk, cast: Cast) -> None:
    rows = [desk.deliver(letter(n, cast.alice.email)) for n in range(floods.MOST + 2)]
    assert len({row.ticket for row in rows}) == len(rows)


class Real:
    """A desk whose transactions are committed, so that several go on at once."""

    def __init__(self, database: Database, large: Blobs) -> None:
        self.db, self.house = database, a_house()
        with database.transaction() as s:
            self.cast = assemble(s, database_now(s))
            self.mailbox = a_mailbox(s, database_now(s))
            self.now = database_now(s)
        self.large = large

    def take(self, raws: list[bytes]) -> list[int]:
        with self.db.transaction() as s:
            fetched = [Fetched(n, raw, len(raw), self.now) for n, raw in enumerate(raws, 1)]
            actions.take(s, self.mailbox, fetched, uidvalidity=1, large=self.large, now=self.now)
            return list(s.scalars(select(InboundMail.id).order_by(InboundMail.uid)))

    def settle(self, id: int, raw: bytes) -> None:
        with self.db.transaction() as s:
            outcomes.settle(s, id, read.mail(raw)[0], [], house=self.house, gate=True, now=self.now)

    def acknowledgements(self) -> list[str]:
        with self.db.transaction() as s:
            return list(s.scalars(select(Letter.to_address).where(Letter.kind == Kind.ACKNOWLEDGEMENT)))


@pytest.fixture
def real(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Real:
    return Real(database, Blobs(tmp_path_factory.mktemp("large")))


def at_once(count: int, work: Callable[[int], None]) -> None:
    """So many threads that begin together; what one of them raises is raised."""
    start, wrong = threading.Barrier(count), []

    def run(n: int) -> None:
        try:
            start.wait()
            work(n)
        except Exception as problem:
            wrong.append(problem)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_three_hundred_mails_naming_one_victim_get_them_one_acknowledgement(real: Real) -> None:
    raws = [letter(n) for n in range(300)]
    ids = real.take(raws)

    def settle(n: int) -> None:
        for id, raw in list(zip(ids, raws, strict=True))[n::4]:
            real.settle(id, raw)

    at_once(4, settle)
    assert real.acknowledgements() == [VICTIM]
    with real.db.transaction() as s:
        assert set(s.scalars(select(InboundMail.state))) == {MailState.DONE}
        assert sorted(s.scalars(select(Message.text))) == sorted(f"letter {n}" for n in range(300))
        assert floods.MOST <= len(s.scalars(select(Ticket.number)).all()) <= floods.MOST + 3
        told = s.scalars(select(Entry.data).where(Entry.kind == Event.TICKET_FLOODED)).all()
    assert {(entry["sender"], entry["tickets"]) for entry in told} == {(VICTIM, floods.MOST)}
    assert len(told) <= 4


def test_tickets_opened_at_the_same_moment_by_any_door_get_one_acknowledgement(real: Real) -> None:
    """None of them sees the others' letters, which are not committed yet."""
    with real.db.transaction() as s:
        victim = accounts.known_sender(s, email=VICTIM, name="", now=real.now)

    def open_one(s: Session) -> None:
        of_page: dict[str, Any] = {"by": None, "subject": "x", "body": Body("x"), "source": Source(Channel.PAGE)}
        tickets.open(s, requester=s.merge(victim), now=real.now, **of_page)

    def meanwhile() -> None:
        with real.db.transaction() as s:
            open_one(s)

    with real.db.transaction() as s:
        open_one(s)
        s.flush()
        other = threading.Thread(target=meanwhile)
        other.start()
        eventually(lambda: blocked(real.db) or not other.is_alive())
    other.join()
    assert real.acknowledgements() == [VICTIM]


def resolved(real: Real, ticket: int, now: datetime) -> None:
    with real.db.transaction() as s:
        values = {"status": Status.RESOLVED, "resolved_at": now, "accepted_at": now}
        s.execute(update(Ticket).where(Ticket.number == ticket).values(**values))


def test_a_ticket_that_comes_back_all_the_time_stays_after_a_while_and_nothing_is_lost(real: Real) -> None:
    with real.db.transaction() as s:
        carol = real.cast.carol
        body, source = Body("x"), Source(Channel.PAGE)
        ticket = tickets.open(s, requester=carol, by=None, subject="x", body=body, source=source, now=real.now).number
    answer = mail("again", In_Reply_To=real.house.mail_id(f"t.{ticket}.1.abc")).replace(b"<1@", b"<{}@")
    raws = [answer.replace(b"{}", str(n).encode()) for n in range(life.MOST_REOPENED + 2)]
    states = []
    for id, raw in zip(real.take(raws), raws, strict=True):
        resolved(real, ticket, real.now)
        real.settle(id, raw)
        with real.db.transaction() as s:
            states.append(s.get_one(Ticket, ticket).status)
    assert states == [Status.IN_PROGRESS] * life.MOST_REOPENED + [Status.RESOLVED] * 2
    with real.db.transaction() as s:
        assert len(s.scalars(select(Message.id).where(Message.ticket == ticket)).all()) == life.MOST_REOPENED + 3
        assert len(s.scalars(select(Entry.seq).where(Entry.kind == Event.TICKET_NOT_REOPENED)).all()) == 2

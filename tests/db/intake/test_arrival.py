"""Clocks go by when a mail reached its server, however long the desk was away; but no mail server's clock is believed blindly."""

from datetime import timedelta

import pytest

from app.intake import actions as intake
from app.intake.folder import Fetched
from app.intake.models import InboundMail
from app.sla import actions as sla
from app.sla import policies, queries
from app.sla.models import Clock
from app.tickets import actions
from app.tickets import queries as tickets
from app.tickets.actions import Body, Source
from app.tickets.models import Channel, Ticket
from app.tickets.rules import Status
from tests.cast import Cast
from tests.db.intake.conftest import Desk
from tests.db.tickets.scene import clocks
from tests.unit.intake.letters import mail

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def promises(desk: Desk) -> None:
    sla.ensure_defaults(desk.s, now=desk.now)


def from_creation(desk: Desk) -> None:
    policy = policies.held(desk.s, queries.policies(desk.s)[0].id)
    policies.change(desk.s, policy, {"starts": "created"}, by=(1, "Bob"), now=desk.now)


def comes(desk: Desk, raw: bytes, ago: timedelta) -> InboundMail:
    """A mail that its server says it got so long ago, and that is read only now."""
    desk.uid += 1
    fetched = Fetched(desk.uid, raw, len(raw), desk.now - ago)
    intake.take(desk.s, desk.mailbox, [fetched], uidvalidity=1, large=desk.large, now=desk.now)
    row = desk.s.query(InboundMail).filter_by(uid=desk.uid).one()
    desk.settle(row, raw)
    desk.s.flush()
    return row


def of(desk: Desk, row: InboundMail) -> dict[str, Clock]:
    return clocks(desk.s, desk.s.get_one(Ticket, row.ticket))


def waiting(desk: Desk, cast: Cast) -> Ticket:
    """A ticket that was accepted and answered ten hours ago, and has waited for its customer since."""
    row = comes(desk, mail("first", mail_id="<first@acme.example>"), 12 * HOUR)
    ticket = tickets.by_number(desk.s, row.ticket or 0, lock=True)
    assert ticket
    then = desk.now - 10 * HOUR
    actions.accept(desk.s, ticket, by=cast.alice, now=then)
    said = {"by": cast.alice, "body": Body("Which printer?"), "source": Source(Channel.PAGE), "now": then}
    actions.reply(desk.s, ticket, **said, then=Status.WAITING_CUSTOMER)  # type: ignore[arg-type]
    return ticket


def test_a_ticket_from_a_mail_that_waited_on_its_server_is_promised_from_when_it_came(desk: Desk) -> None:
    from_creation(desk)
    found = of(desk, comes(desk, mail("first"), 3 * HOUR))
    assert {name: clock.started_at for name, clock in found.items()} == dict.fromkeys(
        ("first_response", "resolution"), desk.now - 3 * HOUR
    )


@pytest.mark.parametrize(("ago", "counted"), [(30 * DAY, 7 * DAY), (-2 * DAY, 0 * DAY)])
def test_a_server_whose_clock_is_wrong_moves_nothing_by_more_than_a_week_and_nothing_into_the_future(
    desk: Desk, ago: timedelta, counted: timedelta
) -> None:
    from_creation(desk)
    assert of(desk, comes(desk, mail("first"), ago))["resolution"].started_at == desk.now - counted


def test_where_tickets_are_accepted_first_the_promise_counts_from_there(desk: Desk, cast: Cast) -> None:
    row = comes(desk, mail("first"), 3 * HOUR)
    assert of(desk, row) == {}
    ticket = tickets.by_number(desk.s, row.ticket or 0, lock=True)
    assert ticket
    actions.accept(desk.s, ticket, by=cast.alice, now=desk.now)
    assert of(desk, row)["first_response"].started_at == desk.now


def test_an_answer_that_waited_on_its_server_ends_the_pause_and_begins_the_wait_when_it_came(desk: Desk, cast: Cast) -> None:
    waiting(desk, cast)
    found = of(desk, comes(desk, mail("The red one.", In_Reply_To="<first@acme.example>"), 4 * HOUR))
    assert (found["next_response"].started_at, found["resolution"].anchor_at) == (desk.now - 4 * HOUR,) * 2
    assert found["resolution"].due_at == desk.now - 4 * HOUR + 72 * HOUR


def test_an_answer_never_counts_from_before_what_was_done_before_it(desk: Desk, cast: Cast) -> None:
    waiting(desk, cast)
    found = of(desk, comes(desk, mail("The red one.", In_Reply_To="<first@acme.example>"), 11 * HOUR))
    assert found["next_response"].started_at == desk.now - 10 * HOUR


def test_what_a_machine_wrote_starts_no_first_answer(desk: Desk, cast: Cast) -> None:
    row = comes(desk, mail("Disk full", Auto_Submitted="auto-generated"), HOUR)
    ticket = tickets.by_number(desk.s, row.ticket or 0, lock=True)
    assert ticket
    actions.accept(desk.s, ticket, by=cast.alice, now=desk.now)
    assert set(of(desk, row)) == {"resolution"}


def test_an_automatic_answer_moves_no_clock(desk: Desk, cast: Cast) -> None:
    ticket = waiting(desk, cast)
    before = {name: (clock.state, clock.epoch) for name, clock in clocks(desk.s, ticket).items()}
    comes(desk, mail("I am away.", In_Reply_To="<first@acme.example>", Auto_Submitted="auto-replied"), HOUR)
    assert {name: (clock.state, clock.epoch) for name, clock in clocks(desk.s, ticket).items()} == before

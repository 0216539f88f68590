"""A step of a ladder that names a program elsewhere: it is told as people are, and people are where it can't be."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.core.errors import Invalid
from app.db.session import Session
from app.hours import actions as hours
from app.outbox import telling, webhooks
from app.outbox.models import Delivery, DeliveryState, Letter, Topic, Webhook
from app.sla import actions as sla
from app.sla import ladder
from app.sla.models import Notice
from app.sla.rules import Metric
from app.sla.rules.ladder import BadStep, Rung
from app.tickets import actions, audience, evidence
from app.tickets.actions import Body
from app.tickets.models import Ticket
from tests.cast import Cast
from tests.db.tickets.scene import BY_API, opened
from tests.db.tickets.test_escalating import climb, escalation, tell, to

FIRST, BREACH = Metric.FIRST_RESPONSE, "100%"
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)

pytestmark = pytest.mark.db


@pytest.fixture
def late(s: Session, cast: Cast, now: datetime) -> Ticket:
    """Carol's printer: its first answer was due an hour ago."""
    sla.ensure_defaults(s, now=now)
    return opened(s, cast, now - 9 * HOUR, accepted=True)


@pytest.fixture
def pager(s: Session, now: datetime) -> Webhook:
    """A program that is told of deadlines."""
    made = Webhook(url="https://pager.example/in", secret=b"", topics=[Topic.TICKET_DEADLINE], own_network=False)
    made.after_seq, made.created_at = 0, now
    s.add(made)
    s.flush()
    return made


def deliveries(s: Session) -> list[Delivery]:
    return list(s.scalars(select(Delivery).order_by(Delivery.id)))


def bodies(s: Session) -> list[dict[str, Any]]:
    return [json.loads(each.body) for each in deliveries(s)]


def told(s: Session, ticket: Ticket) -> dict[str, Any]:
    [[one], _] = evidence.escalations(s.connection(), ticket.number, limit=10)
    return one


def test_it_is_told_in_numbers_and_links_and_no_word_of_the_ticket(
    s: Session, now: datetime, late: Ticket, pager: Webhook
) -> None:
    climb(s, Rung(FIRST, BREACH, (f"webhook:{pager.id}",)))
    assert tell(s) == []
    [body] = bodies(s)
    link = f"https://desk.example/tickets/{late.number}"
    assert {name: value for name, value in body.items() if name not in {"id", "at"}} == {
        "type": "ticket.deadline",
        "ticket": {"number": late.number, "url": link, "api_url": link.replace("/tickets", "/api/v1/tickets")},
        "deadline": {
            "metric": "first_response",
            "cycle": 1,
            "threshold": BREACH,
            "kind": "breach",
            "due_at": (now - HOUR).isoformat(),
            "round": 1,
        },
    }
    [one] = deliveries(s)
    assert (one.webhook_id, one.event_id, one.next_at) == (pager.id, body["id"], now)


@pytest.mark.usefixtures("late")
def test_people_of_the_same_step_are_told_as_ever(s: Session, cast: Cast, pager: Webhook) -> None:
    climb(s, Rung(FIRST, BREACH, ("managers", f"webhook:{pager.id}")))
    [letter] = tell(s)
    assert letter.to_address == cast.bob.email
    assert "could be told" not in letter.text
    assert len(deliveries(s)) == 1


def test_it_is_told_again_until_somebody_acknowledges(
    s: Session, cast: Cast, now: datetime, late: Ticket, pager: Webhook
) -> None:
    climb(s, Rung(FIRST, BREACH, (f"webhook:{pager.id}",), repeat=15 * MINUTE, most=9))
    for minutes in (0, 5, 15):
        tell(s, at=now + minutes * MINUTE)
    assert [body["deadline"]["round"] for body in bodies(s)] == [1, 2]
    assert len({each.event_id for each in deliveries(s)}) == 2
    ladder.acknowledge(s, late.number, by=cast.alice.signature, now=now)
    tell(s, at=now + HOUR)
    assert len(deliveries(s)) == 2


def test_outside_its_hours_it_waits_and_what_is_answered_by_then_is_never_told(
    s: Session, cast: Cast, now: datetime, late: Ticket, pager: Webhook
) -> None:
    opens = (now + 3 * HOUR).replace(minute=0, second=0, microsecond=0)
    calendar = hours.add(s, "Watch", zone="UTC", week=[[[f"{opens:%H:%M}", f"{opens:%H}:59"]]] * 7, now=now - 400 * 24 * HOUR)
    climb(s, Rung(FIRST, BREACH, (f"webhook:{pager.id}",), calendar=calendar.id, repeat=HOUR, most=2))
    tell(s)
    assert (deliveries(s), escalation(s).next_at) == ([], opens)
    tell(s, at=opens)
    assert len(deliveries(s)) == 1
    actions.reply(s, late, by=cast.alice, body=Body("Try water."), source=BY_API, now=opens)
    tell(s, at=opens + 24 * HOUR)
    assert len(deliveries(s)) == 1


def removed(s: Session, pager: Webhook, now: datetime) -> None:
    webhooks.remove(s, pager, now=now)


def off(s: Session, pager: Webhook, now: datetime) -> None:
    webhooks.change(s, pager, active=False, now=now)


def other_events(s: Session, pager: Webhook, now: datetime) -> None:
    webhooks.change(s, pager, topics=[Topic.TICKET_CREATED], now=now)


GONE = [(removed, "was removed"), (off, "is switched off"), (other_events, "is told of no deadlines any more")]
Amiss = Callable[[Session, Webhook, datetime], None]


@pytest.mark.parametrize(("what", "why"), GONE)
def test_where_it_can_not_be_told_the_managers_are_and_why(
    s: Session, cast: Cast, now: datetime, late: Ticket, pager: Webhook, what: Amiss, why: str
) -> None:
    climb(s, Rung(FIRST, BREACH, (f"webhook:{pager.id}",)))
    said = f"You are told because nobody else could be: webhook {pager.id} {why}."
    what(s, pager, now)
    [letter] = tell(s)
    assert letter.to_address == cast.bob.email
    assert said in letter.text
    assert deliveries(s) == []
    assert told(s, late)["notices"][0]["because"] == said


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize(("what", "why"), GONE)
def test_people_beside_it_read_that_it_could_not_be_told(
    s: Session, cast: Cast, now: datetime, pager: Webhook, what: Amiss, why: str
) -> None:
    climb(s, Rung(FIRST, BREACH, ("admins", f"webhook:{pager.id}")))
    said = f"Not everybody could be told: webhook {pager.id} {why}."
    what(s, pager, now)
    [letter] = tell(s)
    assert letter.to_address == cast.root.email
    assert said in letter.text


@pytest.mark.usefixtures("late")
def test_one_that_takes_nothing_at_present_is_told_and_the_managers_too(
    s: Session, cast: Cast, now: datetime, pager: Webhook
) -> None:
    """Its delivery may come hours later."""
    climb(s, Rung(FIRST, BREACH, (f"webhook:{pager.id}",)))
    pager.next_try_at = now + HOUR
    [letter] = tell(s)
    assert letter.to_address == cast.bob.email
    assert "takes nothing at present" in letter.text
    assert len(deliveries(s)) == 1


@pytest.mark.usefixtures("late")
def test_of_two_that_one_works_is_enough(s: Session, now: datetime, pager: Webhook) -> None:
    climb(s, Rung(FIRST, BREACH, (f"webhook:{pager.id}", "webhook:99")))
    assert tell(s) == []
    assert s.scalars(select(Notice.because)).one() == "Not everybody could be told: webhook 99 was removed."


def test_the_evidence_has_what_it_took_and_outlives_it(s: Session, now: datetime, late: Ticket, pager: Webhook) -> None:
    climb(s, Rung(FIRST, BREACH, (f"webhook:{pager.id}",)))
    tell(s)
    [notice] = told(s, late)["notices"]
    assert (notice["to"], notice["state"], notice["delivered_at"]) == (f"webhook:{pager.id}", "waiting", None)
    [one] = deliveries(s)
    one.state, one.next_at, one.ended_at = DeliveryState.DELIVERED, None, now + MINUTE
    s.flush()
    webhooks.remove(s, pager, now=now)
    telling.tidy(s, now=now + 365 * 24 * HOUR)
    [notice] = told(s, late)["notices"]
    assert (notice["state"], datetime.fromisoformat(notice["delivered_at"])) == ("delivered", now + MINUTE)
    assert datetime.fromisoformat(notice["sent_at"]) == now


def test_what_still_waits_when_it_is_removed_is_given_up_and_says_so(
    s: Session, now: datetime, late: Ticket, pager: Webhook
) -> None:
    climb(s, Rung(FIRST, BREACH, (f"webhook:{pager.id}",)))
    tell(s)
    webhooks.remove(s, pager, now=now)
    s.flush()
    [notice] = told(s, late)["notices"]
    assert (notice["state"], notice["reason"]) == ("given_up", "the webhook was removed")


@pytest.mark.parametrize("name", ["webhook:0", "webhook:x", "webhook:", "webhook:1x", "webhooks:1"])
def test_what_is_no_number_of_a_webhook_is_nobody_to_tell(name: str) -> None:
    with pytest.raises(BadStep, match="is nobody to tell"):
        Rung(FIRST, BREACH, (name,)).check()


def test_a_step_names_only_webhooks_that_there_are_and_that_are_told_of_deadlines(
    s: Session, now: datetime, pager: Webhook
) -> None:
    step = Rung(FIRST, BREACH, (f"webhook:{pager.id}",))
    assert audience.checked(s, [step]) == [step]
    other_events(s, pager, now)
    with pytest.raises(Invalid, match=f"Step 1: webhook {pager.id} is not told of deadlines. Add ticket.deadline to its events"):
        audience.checked(s, [step])
    with pytest.raises(Invalid, match="Step 2: there is no webhook 99"):
        audience.checked(s, [Rung(FIRST, BREACH, ("managers",)), Rung(FIRST, BREACH, ("webhook:99",))])


@pytest.mark.usefixtures("late")
def test_a_webhook_that_no_step_names_is_told_nothing(s: Session, pager: Webhook) -> None:
    assert len(to(tell(s))) == 1
    assert deliveries(s) == []
    assert s.scalars(select(Letter)).first() is not None

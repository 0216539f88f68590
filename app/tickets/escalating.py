"""Telling of deadlines: the letters to people, and who acknowledges them by the links in these; and what programs are told."""

import logging
from datetime import datetime, tzinfo

from sqlalchemy import select

from app.accounts.models import Person
from app.core import ids, zones
from app.core.errors import NotFound
from app.db.session import Session
from app.db.session import now as database_now
from app.outbox import actions as outbox
from app.outbox import telling
from app.outbox.actions import Draft
from app.outbox.house import House, one_time_token
from app.outbox.models import Webhook
from app.sla import ladder
from app.sla.ladder import Call, Told
from app.sla.models import Escalation, Notice
from app.sla.rules import Ending
from app.tickets import notices
from app.tickets.audience import Audience
from app.tickets.models import Ticket

AT_ONCE = 200  # letters by one statement

log = logging.getLogger(__name__)


class NoSuchLink(NotFound):
    """This link is none of ours. Open it as it stands in the letter."""


def tell_due(s: Session, house: House, zone: tzinfo, *, limit: int = 100) -> int:
    """Tell of the escalations that are due, and answer how many there were; call again until it answers 0.

    Each letter tells times in its reader's zone; `zone` is the desk's, for who has none. Tickets are read and never locked
    here, as by everything that the worker does.
    """
    calls = ladder.claim(s, limit=limit)
    if not calls:
        return 0
    numbers = {call.escalation.ticket for call in calls}
    tickets = {t.number: t for t in s.scalars(select(Ticket).where(Ticket.number.in_(numbers)))}
    audience, letters = Audience(s), list[Draft]()
    for call in calls:
        try:
            if call.escalation.ticket not in tickets:
                ladder.end(call.escalation, Ending.OVER)
            elif ladder.ready(s, call):
                letters += _tell(s, house, call, tickets[call.escalation.ticket], audience, zone)
        except (ArithmeticError, LookupError, ValueError):
            log.exception("a deadline can't be told; put off for an hour", extra={"escalation": call.escalation.id})
            ladder.put_off(s, call)
    s.flush()
    for start in range(0, len(letters), AT_ONCE):
        outbox.put_all(s, letters[start : start + AT_ONCE], now=database_now(s))
    return len(calls)


def of_link(s: Session, token: str) -> tuple[Notice, Escalation]:
    """What the link in a letter is about; looking changes nothing. Raises NoSuchLink."""
    query = select(Notice, Escalation).join(Escalation, Escalation.id == Notice.escalation_id)
    found = s.execute(query.where(Notice.token_hash == ids.fingerprint(token))).one_or_none()
    if found is None:
        raise NoSuchLink
    return found.Notice, found.Escalation


def acknowledge_by_link(s: Session, token: str, *, now: datetime) -> Escalation:
    """Whoever got the letter looks after it. As often as it is asked for, the same answer. Raises NoSuchLink."""
    notice, escalation = of_link(s, token)
    person = s.get(Person, notice.person_id) if notice.person_id else None
    by = person.signature if person else notice.address
    ladder.acknowledge(s, escalation.ticket, by=by, now=now, of=escalation)
    return escalation


def _tell(s: Session, house: House, call: Call, ticket: Ticket, audience: Audience, zone: tzinfo) -> list[Draft]:
    reached = audience.of(ticket, call.step.recipients)
    if not reached.people and not reached.webhooks:
        log.error("nobody can be told of a deadline: there is no manager and no administrator", extra={"ticket": ticket.number})
    letters = [notices.deadline(ticket, call, each, reached.why, zones.of(each.zone, zone)) for each in reached.people]
    written = [
        Told(each.address, letter.dedupe_key, each.person_id, ids.fingerprint(one_time_token(house.signer, letter.mail_id)))
        for each, letter in zip(reached.people, letters, strict=True)
    ]
    written += [_tell_program(s, house, call, each) for each in reached.webhooks]
    ladder.told(s, call, written, reached.why)
    return letters


def _tell_program(s: Session, house: House, call: Call, webhook: Webhook) -> Told:
    """In numbers: who may see the ticket asks for its words."""
    name = f"webhook:{webhook.id}"
    key = notices.ladder_key(call, name)
    told = {
        "metric": call.clock.metric,
        "cycle": call.clock.cycle,
        "threshold": call.event.threshold,
        "kind": call.event.kind,
        "due_at": (call.clock.due_at or call.event.at).isoformat(),
        "round": call.round,
    }
    number = call.escalation.ticket
    made = telling.of_deadline(s, webhook, key, number, told, house.url, now=database_now(s))
    return Told(name, key, delivery_id=made.id)

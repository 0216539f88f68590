"""Mails of people who take no part in a ticket but show a sign of it: somebody who works there says whether they belong to it.

Until then the words are seen by those alone, nothing moves, and the sender is told nothing.
"""

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, or_, select

from app.accounts.models import Person
from app.audit import actions as audit
from app.audit.models import Event
from app.core.errors import Conflict, NotFound
from app.db.session import Session
from app.files.actions import File
from app.intake import landing
from app.intake.joining import Place
from app.intake.landing import Arrived
from app.intake.models import InboundMail, Suggestion
from app.intake.rules.authentication import Verdict
from app.intake.rules.signs import Sign
from app.intake.rules.states import MailState
from app.tickets import rules, watchers
from app.tickets.actions import Body
from app.tickets.models import Ticket
from app.tickets.rules import CustomerAnswer

MOST_ON_ONE = 20  # that wait at once: the next ones are tickets of their own
_WORDS = {
    Sign.ISSUED: "wrote to an address that was given to them, but takes no part any more",
    Sign.OURS: "answers a mail of ours, but is not known to take part",
    Sign.TAG: "takes part, but it can't be told whether this is from them",
}


class DecidedAlready(Conflict):
    """Somebody has decided on this mail already, or it is being processed anew. Look at the ticket again."""

    slug = "decided-already"


class TicketIsOver(Conflict):
    """This ticket ended too long ago to go on. Make the mail a ticket of its own."""

    slug = "ticket-is-over"


def room_on(s: Session, ticket: Ticket) -> bool:
    """Whether one more can wait there: nobody fills a ticket's page from outside."""
    many = select(func.count()).select_from(Suggestion).join(InboundMail, InboundMail.id == Suggestion.inbound_mail_id)
    return (s.scalar(many.where(Suggestion.ticket == ticket.number, _WAITS)) or 0) < MOST_ON_ONE


def suggest(s: Session, mail: Arrived, place: Place, *, now: datetime) -> InboundMail:
    """Put a mail before those who work on the ticket. One that is processed again takes the place it had."""
    row, number = mail.row, place.ticket.number
    found = s.scalar(select(Suggestion).where(Suggestion.inbound_mail_id == row.id)) or Suggestion(inbound_mail_id=row.id)
    found.ticket, found.person_id, found.sign, found.issued_to = number, mail.sender.id, place.sign, place.issued_to
    found.auto, found.body, found.files, found.made_at = mail.auto, asdict(mail.body), [vars(f) for f in mail.files], now
    s.add(found)
    sender = mail.sender.email
    audit.record(s, Event.MAIL_SUGGESTED, now=now, ticket=number, mail=row.id, sender=sender, sign=place.sign.value)
    row.ticket = number
    reason = f"{sender} {why(place.sign, place.issued_to, row.verdict)}: whoever works on ticket {number} says what becomes of it"
    return landing.close(row, MailState.QUARANTINED, now, reason)


def why(sign: Sign, issued_to: str | None, verdict: Verdict | None) -> str:
    """What somebody has to decide about, after the sender's name."""
    if verdict is Verdict.FAIL:
        return "is named as the sender, but this is not from there"
    return f"wrote to an address that was given to {issued_to}" if issued_to else _WORDS.get(sign, "is not known to take part")


def waiting(c: Connection | Session, ticket: int) -> list[dict[str, Any]]:
    """What waits for a say on a ticket and on those that are part of it, oldest first."""
    columns = (
        Suggestion.id,
        Suggestion.sign,
        Suggestion.issued_to,
        Suggestion.body,
        Suggestion.files,
        Suggestion.made_at,
        Person.id.label("sender_id"),
        Person.name,
        Person.email,
        InboundMail.subject,
        InboundMail.verdict,
        InboundMail.verdict_words,
        InboundMail.seal,
        InboundMail.seal_words,
    )
    query = select(*columns).join(Person, Person.id == Suggestion.person_id)
    query = query.join(InboundMail, InboundMail.id == Suggestion.inbound_mail_id).where(_on(ticket), _WAITS)
    return [_told(dict(row)) for row in c.execute(query.order_by(Suggestion.id)).mappings()]


def accept(
    s: Session, ticket: Ticket, id: int, *, put_in_copy: bool, ours: Collection[str], by: Person, gate: bool, now: datetime
) -> int:
    """The mail stands on the ticket as its sender's message, of which this is the number. Raises NotFound and DecidedAlready,
    TicketIsOver, and what `watchers.copy_to` does.

    `ours` are the desk's own addresses, which never get copies.
    """
    found, row = _held(s, ticket, id)
    if rules.after_customer_answer(ticket.status, closed_at=ticket.closed_at, now=now) is CustomerAnswer.FOLLOW_UP:
        raise TicketIsOver
    if put_in_copy and found.person_id != ticket.requester_id:
        watchers.copy_to(s, ticket, found.person.email, ours=ours, by=by, now=now)
    landing.customer_reply(s, _arrived(found, row, now), ticket, gate=gate, now=now)
    landing.landed(s, row, ticket.number, now, f"{by.name} says that it belongs to ticket {ticket.number}")
    _decided(s, found, Event.SUGGESTION_ACCEPTED, by, now, in_copy=put_in_copy)
    assert row.message_id is not None
    return row.message_id


def refuse(s: Session, ticket: Ticket, id: int, *, by: Person, gate: bool, now: datetime) -> Ticket:
    """The mail becomes a ticket of its sender's own, which they are told of where it may be theirs.

    Raises NotFound and DecidedAlready.
    """
    found, row = _held(s, ticket, id)
    acknowledge = not (found.auto or landing.is_disowned(row))
    own = landing.own_ticket(s, _arrived(found, row, now), acknowledge=acknowledge, gate=gate, now=now)
    landing.landed(s, row, own.number, now, f"{by.name} says that it does not belong to ticket {ticket.number}")
    _decided(s, found, Event.SUGGESTION_REFUSED, by, now, own_ticket=own.number)
    return own


_WAITS = (InboundMail.state == MailState.QUARANTINED) & Suggestion.decided_at.is_(None)


def _on(ticket: int) -> ColumnElement[bool]:
    parts = select(Ticket.number).where(Ticket.conversation == ticket)
    return or_(Suggestion.ticket == ticket, Suggestion.ticket.in_(parts))


def _held(s: Session, ticket: Ticket, id: int) -> tuple[Suggestion, InboundMail]:
    """This suggestion and its mail, locked. A mail that is being processed anew is left to that."""
    found = s.scalar(select(Suggestion).where(Suggestion.id == id, _on(ticket.number)).with_for_update(of=Suggestion))
    if found is None:
        raise NotFound(f"No mail waits under this number on ticket {ticket.number}.")
    lock = {"of": InboundMail, "skip_locked": True}
    row = s.get(InboundMail, found.inbound_mail_id, with_for_update=lock, populate_existing=True)
    if found.decided_at is not None or row is None or row.state is not MailState.QUARANTINED:
        raise DecidedAlready
    return found, row


def _decided(s: Session, found: Suggestion, event: Event, by: Person, now: datetime, **more: Any) -> None:
    found.decided_at, found.decided_by_id = now, by.id
    more |= {"mail": found.inbound_mail_id, "sender": found.person.email}
    audit.record(s, event, now=now, by=by.signature, ticket=found.ticket, **more)


def _arrived(found: Suggestion, row: InboundMail, now: datetime) -> Arrived:
    body, files = Body(**found.body), [File(**file) for file in found.files]
    return Arrived(row, found.person, body, files, auto=found.auto, late=landing.is_late(row, now))


def _told(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "sender": {"id": row["sender_id"], "name": row["name"], "email": row["email"]},
        "because": why(row["sign"], row["issued_to"], row["verdict"]),
        "subject": row["subject"] or "",
        "text": row["body"]["text"],
        "files": [{"name": file["name"], "size": file["size"]} for file in row["files"]],
        "verdict": row["verdict"],
        "verdict_words": row["verdict_words"],
        "seal": row["seal"],
        "seal_words": row["seal_words"],
        "made_at": row["made_at"],
    }

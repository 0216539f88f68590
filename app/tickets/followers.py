"""Who hears of what is said on a ticket, beside its requester.

It is decided each time anew: whoever was disabled, or may no longer see the ticket, gets no letter any more.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import undefer

from app.accounts.models import Person
from app.accounts.rules import Verb, may
from app.db.session import Session
from app.outbox import actions as outbox
from app.tickets import notices, queries
from app.tickets.models import Message, Ticket, Watcher
from app.tickets.rules import WatcherKind


def send_answer(s: Session, ticket: Ticket, message: Message, *, now: datetime) -> None:
    """An agent's answer, to the requester and to everybody in copy."""
    references = queries.conversation_ids(s, ticket)
    others = [p for p in _following(s, ticket, WatcherKind.CC) if p.id not in {ticket.requester_id, message.author_id}]
    copies = [notices.reply(ticket, message, references, to=person) for person in others]
    outbox.put_all(s, [notices.reply(ticket, message, references), *copies], now=now)


def tell(s: Session, ticket: Ticket, message: Message, *, mentioned: Collection[int] = (), now: datetime) -> None:
    """A customer's answer or a note, to the staff who follow the ticket; not of their own doing, and not what a machine sent."""
    if message.auto:
        return
    people = [p for p in _following(s, ticket, WatcherKind.AGENT) if p.id != message.author_id]
    letters = [
        notices.heard(ticket, message, person, mentioned=person.id in mentioned)
        for person in people
        if may(person, Verb.SEE_NOTES, ticket)
    ]
    outbox.put_all(s, letters, now=now)


def concerned(s: Session, ticket: Ticket, first: Person | None) -> Sequence[Person]:
    """`first`, or where that is nobody who may still hear of it the assignee, or else whoever of the staff follows the ticket."""
    for person in (first, ticket.assignee):
        if person and not person.disabled_at and may(person, Verb.SEE_NOTES, ticket):
            return [person]
    return [p for p in _following(s, ticket, WatcherKind.AGENT) if may(p, Verb.SEE_NOTES, ticket)]


def _following(s: Session, ticket: Ticket, kind: WatcherKind) -> Sequence[Person]:
    follows = select(Watcher.person_id).where(Watcher.ticket == ticket.number, Watcher.kind == kind)
    query = select(Person).where(Person.id.in_(follows), Person.disabled_at.is_(None)).order_by(Person.id)
    return s.scalars(query.options(undefer(Person.parts)), execution_options={"populate_existing": True}).all()

"""Floods: more new matters from one sender within an hour than anybody has. They stand on one ticket, where a person sees them
all, answers once, and splits off what is a matter of its own.
"""

from datetime import datetime, timedelta

from sqlalchemy import select

from app.accounts.models import Person
from app.audit.models import Event
from app.db.session import Session
from app.intake.models import Mailbox
from app.tickets import actions, history, queries
from app.tickets.models import Channel, Ticket
from app.tickets.rules import OPEN

WINDOW = timedelta(hours=1)
MOST = 30  # new tickets of a sender from a mailbox
MOST_OF_STAFF = 300  # who forward what others wrote them


def collecting(s: Session, sender: Person, mailbox: Mailbox, *, now: datetime) -> Ticket | None:
    """The ticket, locked, that takes the next new matter of a sender who had too many; None while they may have one of its own.

    It is the last one of them that is open. It came to the same mailbox, so that nothing gets before another team.
    """
    most = MOST_OF_STAFF if sender.staff else MOST
    since = now - WINDOW
    of_sender = (Ticket.requester_id == sender.id, Ticket.channel == Channel.MAIL, Ticket.desk_address == mailbox.address)
    recent = select(Ticket.number).where(*of_sender, Ticket.created_at > since, Ticket.updated_at > since)
    numbers = s.scalars(recent.order_by(Ticket.number.desc()).limit(most)).all()
    if len(numbers) < most:
        return None
    for number in numbers:
        ticket = queries.by_number(s, number, lock=True)
        if ticket and ticket.status in OPEN and not ticket.trashed_at and not ticket.conversation:
            if not history.times(s, ticket, Event.TICKET_FLOODED, since=since):
                actions.record(s, ticket, Event.TICKET_FLOODED, by=None, now=now, sender=sender.email, tickets=most)
            return ticket
    return None

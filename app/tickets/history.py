"""What happened to a ticket: writing it down, and reading it."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, exists, func, not_, select
from sqlalchemy.dialects.postgresql import array

from app.accounts.models import Person
from app.accounts.rules import Actor
from app.audit import actions as audit
from app.audit import queries as audit_queries
from app.audit.models import Entry, Event
from app.core import cursors
from app.db.session import Session
from app.tickets.models import Ticket
from app.tickets.queries import visible_to


def record(s: Session, ticket: Ticket, event: Event, *, by: Person | None, now: datetime, **data: Any) -> None:
    """Write down what happened to a ticket, which thereby has a new revision."""
    ticket.revision += 1
    audit.record(s, event, now=now, by=by.signature if by else None, ticket=ticket.number, revision=ticket.revision, **data)


def begun(s: Session, ticket: Ticket, *, by: Person, now: datetime, **data: Any) -> None:
    """Write down that a ticket was opened and, where no gate held it, accepted: both are its first revision."""
    audit.record(s, Event.TICKET_OPENED, now=now, by=by.signature, ticket=ticket.number, revision=ticket.revision, **data)
    if ticket.accepted_at:
        audit.record(s, Event.TICKET_ACCEPTED, now=now, ticket=ticket.number, revision=ticket.revision)


def times(s: Session, ticket: Ticket, event: Event, *, since: datetime) -> int:
    """How often this happened to a ticket since then."""
    here = (Entry.ticket == ticket.number, Entry.kind == event, Entry.at > since)
    return s.scalar(select(func.count()).where(*here)) or 0


OTHERS = (
    "other",
    "into",
    "source",
    "out_of",
    "split_from",
    "moved_from",
    "moved_to",
    "follow_up",
)  # entries name tickets there


def seen_by(s: Session, actor: Actor, ticket: int, *, since: int | None = None, most: int | None = None) -> list[Entry]:
    """A ticket's timeline, oldest first, without what names a ticket that `actor` may not see: not even that it is there.

    `since`: only what made later revisions than this one.
    """
    later = () if since is None else (Entry.data["revision"].as_integer() > since,)
    return list(audit_queries.of_ticket(s, ticket, _names_nothing_hidden(actor, ticket), *later, most=most))


def page(s: Session, actor: Actor, ticket: int, *, limit: int, cursor: str | None = None) -> tuple[list[Entry], str | None]:
    """Some of the same, and the cursor of the next ones. What comes before and after them is not read."""
    after = (Entry.seq > cursors.place(cursor, int)[0],) if cursor is not None else ()
    found = audit_queries.of_ticket(s, ticket, _names_nothing_hidden(actor, ticket), *after, most=limit + 1)
    return list(found[:limit]), cursors.cursor(found[limit - 1].seq) if len(found) > limit else None


def _names_nothing_hidden(actor: Actor, ticket: int) -> ColumnElement[bool]:
    named = [case((func.jsonb_typeof(Entry.data[key]) == "number", Entry.data[key].as_integer())) for key in OTHERS]
    other = func.unnest(array(named)).column_valued("other")
    seen = exists().where(Ticket.number == other, visible_to(actor)).correlate(Entry)
    hidden = select(other).where(other != ticket, not_(seen)).correlate(Entry)
    return not_(hidden.exists())

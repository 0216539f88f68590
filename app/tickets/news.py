"""What just happened to tickets, and who may hear of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from app.accounts.rules import Actor, Verb, may
from app.audit.models import Entry, Event, Head
from app.tickets.models import Ticket

OURS = ("ticket.", "sla.")
TO_CUSTOMERS = frozenset(
    {
        Event.TICKET_OPENED,
        Event.TICKET_ACCEPTED,
        Event.TICKET_REPLIED,
        Event.TICKET_STATUS_CHANGED,
        Event.TICKET_REOPENED,
    }
)


@dataclass(frozen=True)
class Place:
    """Of a ticket, what decides who sees it."""

    number: int
    requester_id: int
    organization_id: int | None
    team_id: int | None
    trashed_at: datetime | None


@dataclass(frozen=True)
class News:
    """One entry of the audit; `place` is None where it was about no ticket."""

    seq: int
    at: datetime
    kind: Event
    actor: str
    revision: int | None
    place: Place | None

    def told(self, to: Actor) -> dict[str, Any] | None:
        """What this person hears of it. It names no words of the ticket: whoever wants them asks, and is asked who they are.

        Customers hear of public happenings alone, and not who of the staff acted.
        """
        if self.place is None or not self.kind.startswith(OURS) or not may(to, Verb.SEE, self.place):
            return None
        told = {"seq": self.seq, "at": self.at, "kind": self.kind, "ticket": self.place.number}
        if to.role.staff:
            return told | {"actor": self.actor, "revision": self.revision}
        return told if self.kind in TO_CUSTOMERS else None


_PLACE = (Ticket.number, Ticket.requester_id, Ticket.organization_id, Ticket.team_id, Ticket.trashed_at)


def head(c: Connection) -> int:
    """The number of the last entry."""
    return c.execute(select(Head.seq)).scalar_one()


def since(c: Connection, after: int, *, to: int | None = None, limit: int = 500) -> list[News]:
    """Entries after this number, in order, up to and with `to`."""
    revision = Entry.data["revision"].as_string().label("revision")
    query: Select[Any] = select(Entry.seq, Entry.at, Entry.kind, Entry.actor, revision, *_PLACE)
    query = query.outerjoin(Ticket, Ticket.number == Entry.ticket).where(Entry.seq > after)
    if to is not None:
        query = query.where(Entry.seq <= to)
    return [_news(row) for row in c.execute(query.order_by(Entry.seq).limit(limit))]


def places(c: Connection, numbers: list[int]) -> dict[int, Place]:
    """Where these tickets stand, by number."""
    return {row.number: _place(row) for row in c.execute(select(*_PLACE).where(Ticket.number.in_(numbers)))}


def _news(row: Row[Any]) -> News:
    place = None if row.number is None else _place(row)
    revision = int(row.revision) if (row.revision or "").isdecimal() else None
    return News(row.seq, row.at, Event(row.kind), row.actor, revision, place)


def _place(row: Any) -> Place:
    return Place(row.number, row.requester_id, row.organization_id, row.team_id, row.trashed_at)

"""Where a ticket stands, in one light row: enough to tell who may do what to it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from app.accounts.rules import Actor, Verb, may
from app.core.errors import Forbidden, NotFound
from app.tickets.models import Ticket


@dataclass(frozen=True)
class Place:
    """Of a ticket, what decides who sees it."""

    number: int
    requester_id: int
    organization_id: int | None
    team_id: int | None
    trashed_at: datetime | None


_PLACE = (Ticket.number, Ticket.requester_id, Ticket.organization_id, Ticket.team_id, Ticket.trashed_at)


def of(c: Connection, actor: Actor, number: int, verb: Verb = Verb.SEE) -> Place:
    """Where a ticket stands that `actor` may do this to. Raises NotFound for one they may not see, Forbidden for one they may."""
    row = c.execute(select(*_PLACE).where(Ticket.number == number)).one_or_none()
    place = Place(*row) if row else None
    if place is None or not may(actor, Verb.SEE, place):
        raise NotFound(f"There is no ticket {number} here.")
    if not may(actor, verb, place):
        raise Forbidden(f"Your role ({actor.role}) may not {verb}.")
    return place

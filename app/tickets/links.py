"""How tickets stand to each other: parent and child, blocking, duplicate, related. No circles, but in `related`."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, or_, select, text

from app.accounts.models import Person
from app.accounts.rules import Actor
from app.audit import actions as audit
from app.audit.models import Event
from app.core.errors import Conflict, Invalid, NotFound
from app.db import locks
from app.db.session import Session
from app.tickets import queries
from app.tickets.history import record
from app.tickets.models import Link, Ticket
from app.tickets.rules import LinkKind

MOST = 100
LOCK = "ticket-links"  # whoever adds a link: two that are made at once must not close a circle between them


class Relation(StrEnum):
    """What a ticket is to the other."""

    PARENT_OF = "parent_of"
    CHILD_OF = "child_of"
    BLOCKS = "blocks"
    BLOCKED_BY = "blocked_by"
    DUPLICATE_OF = "duplicate_of"
    DUPLICATED_BY = "duplicated_by"
    RELATED_TO = "related_to"

    @property
    def kind(self) -> LinkKind:
        return _FORWARD.get(self) or _FORWARD[self.other_way]

    @property
    def other_way(self) -> "Relation":
        """The same link, told from its other end."""
        return _OTHER_WAY[self]


_FORWARD = {
    Relation.PARENT_OF: LinkKind.PARENT,
    Relation.BLOCKS: LinkKind.BLOCKS,
    Relation.DUPLICATE_OF: LinkKind.DUPLICATE,
    Relation.RELATED_TO: LinkKind.RELATED,
}
_TOLD = {kind: relation for relation, kind in _FORWARD.items()}
_PAIRS = (
    (Relation.PARENT_OF, Relation.CHILD_OF),
    (Relation.BLOCKS, Relation.BLOCKED_BY),
    (Relation.DUPLICATE_OF, Relation.DUPLICATED_BY),
    (Relation.RELATED_TO, Relation.RELATED_TO),
)
_OTHER_WAY = {one: other for pair in _PAIRS for one, other in (pair, pair[::-1])}
_LEADS = text(
    """
    WITH RECURSIVE reached(ticket) AS (
        SELECT CAST(:start AS bigint)
        UNION
        SELECT l.other FROM ticket_link l JOIN reached r ON r.ticket = l.ticket WHERE l.kind = :kind
    )
    SELECT EXISTS (SELECT FROM reached WHERE ticket = :goal)
    """
)


class LinkCircle(Conflict):
    """That link would close a circle."""

    slug = "link-circle"


def link(s: Session, ticket: Ticket, relation: Relation, other: Ticket, *, by: Person, now: datetime) -> None:
    """Link two tickets. Only the first one's row is locked; the second gets an entry in its timeline and nothing else."""
    if other.number == ticket.number:
        raise Invalid("A ticket can't be linked to itself.")
    if other.trashed_at or other.merged_into is not None:
        where = "in the trash" if other.trashed_at else "part of another ticket now"
        raise Conflict(f"Ticket {other.number} is {where}, so it can't be linked.")
    s.flush()
    locks.take_in_transaction(s, LOCK)
    key = _key(ticket.number, relation, other.number)
    if s.get(Link, key):
        return
    _refuse(s, ticket.number, relation, other.number, key)
    s.add(Link(ticket=key[0], other=key[1], kind=key[2], linked_at=now, linked_by_id=by.id))
    _record(s, ticket, Event.TICKET_LINKED, relation, other.number, by=by, now=now)


def unlink(s: Session, ticket: Ticket, relation: Relation, other: int, *, by: Person, now: datetime) -> None:
    """Take a link away. Raises NotFound where there is none."""
    found = s.get(Link, _key(ticket.number, relation, other))
    if found is None:
        raise NotFound(f"Ticket {ticket.number} is not {relation.replace('_', ' ')} ticket {other}.")
    s.delete(found)
    _record(s, ticket, Event.TICKET_UNLINKED, relation, other, by=by, now=now)


def listing(c: Connection, actor: Actor, ticket: int) -> list[dict[str, Any]]:
    """A ticket's links, both ways, to tickets that `actor` may see: of what they may not, not even that it is there."""
    here = or_(Link.ticket == ticket, Link.other == ticket)
    end = func.nullif(Link.ticket, ticket)
    query = (
        select(Link.ticket, Link.kind, Link.linked_at, Ticket.number, Ticket.subject, Ticket.status)
        .join(Ticket, Ticket.number == func.coalesce(end, Link.other))
        .where(here, queries.visible_to(actor))
        .order_by(Link.linked_at, Ticket.number, Link.kind)
    )
    return [_told(ticket, row) for row in c.execute(query)]


def visible(s: Session, actor: Actor, number: int) -> Ticket:
    """The other end, not locked, where `actor` may see it. Raises NotFound."""
    found = s.scalar(select(Ticket).where(Ticket.number == number, queries.visible_to(actor)))
    if found is None:
        raise NotFound(f"There is no ticket {number} here.")
    return found


def _key(ticket: int, relation: Relation, other: int) -> tuple[int, int, LinkKind]:
    if relation is Relation.RELATED_TO:
        return min(ticket, other), max(ticket, other), LinkKind.RELATED
    return (ticket, other, relation.kind) if relation in _FORWARD else (other, ticket, relation.kind)


def _refuse(s: Session, ticket: int, relation: Relation, other: int, key: tuple[int, int, LinkKind]) -> None:
    """The circle's other tickets are not named: the asker may not be allowed to know of them."""
    start, end, kind = key[1], key[0], key[2]
    if kind is not LinkKind.RELATED and s.scalar(_LEADS, {"start": start, "goal": end, "kind": kind.value}):
        said = relation.replace("_", " ")
        raise LinkCircle(f"Ticket {ticket} can't be {said} ticket {other}: that would close a circle of links.")
    for number in (ticket, other):
        many = s.scalar(select(func.count()).where(or_(Link.ticket == number, Link.other == number)))
        if (many or 0) >= MOST:
            raise Conflict(f"Ticket {number} has {MOST} links, which is as many as one ticket takes.")


def _told(ticket: int, row: Sequence[Any]) -> dict[str, Any]:
    first, kind, linked_at, number, subject, status = row
    relation = _TOLD[kind] if first == ticket else _TOLD[kind].other_way
    return {"relation": relation, "ticket": {"number": number, "subject": subject, "status": status}, "linked_at": linked_at}


def _record(s: Session, ticket: Ticket, event: Event, relation: Relation, other: int, *, by: Person, now: datetime) -> None:
    record(s, ticket, event, by=by, now=now, relation=relation.value, other=other)
    told = {"relation": relation.other_way.value, "other": ticket.number}
    audit.record(s, event, by=by.signature, now=now, ticket=other, **told)

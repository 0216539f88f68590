"""One change of many tickets at once, and back again as a whole.

Each ticket is changed in a savepoint of its own: what is refused is listed with the reason, and the rest is done. Tickets are
locked before anything else, in order of their numbers.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, select, text

from app.accounts.models import Person
from app.accounts.rules import Actor
from app.audit import actions as audit
from app.audit.attempts import attempt
from app.audit.models import Event
from app.core.errors import Conflict, DeskError, Invalid, NotFound
from app.db.session import Session
from app.tickets import change, trash
from app.tickets.change import Change
from app.tickets.holding import for_work, locked, may_work, refuse_merged
from app.tickets.models import Bulk, BulkTicket, Ticket
from app.tickets.queries import visible_to

MOST = 500  # tickets


class AlreadyReverted(Conflict):
    """This change was reverted already. That is done once."""

    slug = "already-reverted"


class Deed(Protocol):
    """What is done to each ticket, and undone."""

    def told(self) -> dict[str, Any]: ...
    def do(self, s: Session, ticket: Ticket, *, by: Person, now: datetime) -> None: ...
    def undo(self, s: Session, ticket: Ticket, before: Mapping[str, Any], *, by: Person, now: datetime) -> None: ...


class Changing:
    """Some of its values change."""

    def __init__(self, wanted: Change) -> None:
        self.wanted = wanted

    def told(self) -> dict[str, Any]:
        return {"change": self.wanted.told()}

    def do(self, s: Session, ticket: Ticket, *, by: Person, now: datetime) -> None:
        change.apply(s, ticket, self.wanted, by=by, now=now)

    def undo(self, s: Session, ticket: Ticket, before: Mapping[str, Any], *, by: Person, now: datetime) -> None:
        change.restore(s, ticket, before, by=by, now=now)


class Trashing:
    """It goes in the trash."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def told(self) -> dict[str, Any]:
        return {"trash": {"reason": self.reason}}

    def do(self, s: Session, ticket: Ticket, *, by: Person, now: datetime) -> None:
        trash.discard(s, ticket, reason=self.reason, by=by, now=now)

    def undo(self, s: Session, ticket: Ticket, before: Mapping[str, Any], *, by: Person, now: datetime) -> None:  # noqa: ARG002
        trash.take_back(s, ticket, by=by, now=now)


def do(s: Session, numbers: Sequence[int], deed: Deed, *, by: Person, now: datetime) -> Bulk:
    """Do this to each of these tickets. A ticket that this person can't see is as if there were none."""
    wanted = sorted(set(numbers))
    if not 1 <= len(wanted) <= MOST:
        raise Invalid(f"A bulk change takes 1 to {MOST} tickets.")
    made = Bulk(change={"tickets": wanted, **deed.told()}, made_at=now, made_by_id=by.id)
    s.add(made)
    s.flush()
    rows = [_one(s, ticket, deed, made, by=by, now=now) for ticket in locked(s, wanted, visible_to(by)).values()]
    s.add_all(rows)
    changed = [row.ticket for row in rows if row.before != row.after]
    facts: dict[str, Any] = {"bulk": made.id, **made.change, "changed": changed}
    audit.record(s, Event.BULK_CHANGED, now=now, by=by.signature, **facts)
    return made


def revert(s: Session, id: int, *, by: Person, now: datetime) -> Bulk:
    """Give each ticket that is still as this left it what it had before; those that were changed since are left alone.

    Raises NotFound for everybody but its maker and managers.
    """
    made = s.scalar(select(Bulk).where(Bulk.id == id).with_for_update().execution_options(populate_existing=True))
    if made is None or not may_revert(by, made.made_by_id):
        raise NotFound(f"There is no bulk change {id} here.")
    if made.reverted_at is not None:
        raise AlreadyReverted
    deed = _deed(made.change)
    rows = s.scalars(select(BulkTicket).where(BulkTicket.bulk_id == id).order_by(BulkTicket.ticket)).all()
    changed = [row for row in rows if row.before != row.after]
    found = locked(s, [row.ticket for row in changed], visible_to(by))
    for row in changed:
        row.kept = _back(s, found.get(row.ticket), row, deed, by=by, now=now)
    made.reverted_at, made.reverted_by_id = now, by.id
    back, kept = [r.ticket for r in changed if r.kept is None], [r.ticket for r in changed if r.kept is not None]
    audit.record(s, Event.BULK_REVERTED, now=now, by=by.signature, bulk=id, reverted=back, kept=kept)
    return made


def may_revert(by: Actor, made_by: int) -> bool:
    """Whether this person may look at a bulk change of that one, and revert it."""
    return by.role.manages or by.id == made_by


def values(ticket: Ticket) -> dict[str, Any]:
    """Everything about a ticket that a bulk change can change."""
    return change.values(ticket) | {"trashed_at": ticket.trashed_at.isoformat() if ticket.trashed_at else None}


def _one(s: Session, ticket: Ticket, deed: Deed, made: Bulk, *, by: Person, now: datetime) -> BulkTicket:
    row = BulkTicket(bulk_id=made.id, ticket=ticket.number, before={}, after={}, refusal=None, kept=None)
    try:
        with attempt(s, bulk=made.id):
            refuse_merged(for_work(ticket, ticket.number, by))
            before = values(ticket)
            deed.do(s, ticket, by=by, now=now)
            s.flush()
            row.before, row.after = before, values(ticket)
    except DeskError as refused:
        row.refusal = refused.message
    return row


def _back(s: Session, ticket: Ticket | None, row: BulkTicket, deed: Deed, *, by: Person, now: datetime) -> str | None:
    """Puts a ticket back, or answers why not."""
    try:
        with attempt(s, bulk=row.bulk_id):
            ticket = may_work(ticket, row.ticket, by)
            refuse_merged(ticket)
            if values(ticket) != row.after:
                raise Conflict("It was changed since.")
            deed.undo(s, ticket, row.before, by=by, now=now)
    except DeskError as refused:
        return refused.message
    return None


def _deed(told: Mapping[str, Any]) -> Deed:
    return Trashing(told["trash"]["reason"]) if "trash" in told else Changing(Change.of(told["change"]))


_TOLD = text(
    """
    SELECT b.made_by_id, json_build_object(
        'id', b.id, 'change', b.change -> 'change', 'trash', b.change -> 'trash', 'made_at', b.made_at,
        'made_by', json_build_object('id', m.id, 'name', m.name, 'email', m.email), 'reverted_at', b.reverted_at,
        'reverted_by', CASE WHEN r.id IS NOT NULL THEN json_build_object('id', r.id, 'name', r.name, 'email', r.email) END,
        'tickets', (
            SELECT json_agg(json_build_object('number', asked.number, 'outcome', CASE
                    WHEN t.ticket IS NULL OR t.refusal IS NOT NULL THEN 'refused'
                    WHEN t.before = t.after THEN 'unchanged'
                    WHEN b.reverted_at IS NULL THEN 'changed'
                    WHEN t.kept IS NULL THEN 'reverted'
                    ELSE 'kept' END,
                'reason', CASE WHEN t.ticket IS NULL THEN 'There is no ticket ' || asked.number || ' here.'
                    ELSE coalesce(t.refusal, t.kept) END) ORDER BY asked.number)
            FROM (SELECT number::bigint FROM jsonb_array_elements_text(b.change -> 'tickets') AS number) AS asked
            LEFT JOIN bulk_ticket t ON t.bulk_id = b.id AND t.ticket = asked.number
        )
    )::text AS told
    FROM bulk b JOIN person m ON m.id = b.made_by_id LEFT JOIN person r ON r.id = b.reverted_by_id
    WHERE b.id = :id
    """
)


def told(c: Connection, actor: Actor, id: int) -> str:
    """A bulk change and what became of each ticket, as the text of a JSON object. Raises NotFound."""
    row = c.execute(_TOLD, {"id": id}).one_or_none()
    if row is None or not may_revert(actor, row.made_by_id):
        raise NotFound(f"There is no bulk change {id} here.")
    return str(row.told)

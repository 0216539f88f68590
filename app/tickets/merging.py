"""Two tickets about one matter become one, and two again: everything goes back where it was.

Messages stay on their own ticket; `conversation` says whose they are read with. Only a ticket that is part of no other is
merged or merged into, so there is never a circle. Whoever makes or undoes a merge waits for those who are at it, before any
ticket is locked: so what is part of a ticket is known when its locks are taken, all in order of number.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select, update

from app.accounts.models import Person
from app.audit.models import Event
from app.core.errors import Conflict
from app.db import locks
from app.db.session import Session
from app.sla import actions as sla
from app.sla import joining
from app.sla.rules import Moment
from app.tickets import facts, waiting, words
from app.tickets.brought import bring, withdraw
from app.tickets.history import record
from app.tickets.holding import end_of as end_of
from app.tickets.holding import for_work, locked, refuse_merged
from app.tickets.models import Merge, Ticket
from app.tickets.rules import Status


class CantMerge(Conflict):
    """These two tickets can't become one."""

    slug = "cant-merge"


class NotMerged(Conflict):
    """This ticket is not merged into another."""

    slug = "not-merged"


class WouldReveal(Conflict):
    """These tickets have different requesters."""

    slug = "would-reveal"


def alone(s: Session) -> None:
    """Wait for whoever is merging anything. Before any ticket is locked."""
    locks.take_in_transaction(s, "merging")


def merge(s: Session, number: int, into: int, *, by: Person, now: datetime, reveal: bool = False) -> Merge:
    """Make a ticket part of another. Its clocks stop, and nothing more is done on it; what its customer writes lands there.

    The other ticket's requester reads it from then on: where that is somebody else, it has to be meant (`reveal`).
    """
    alone(s)
    found = locked(s, [number, into, *_parts(s, number)])
    source, target = for_work(found.get(number), number, by), for_work(found.get(into), into, by)
    _refuse(source, target)
    refuse_to_reveal([found[n] for n in (source.number, *_parts(s, source.number))], target, reveal=reveal)
    waits = waiting.since(s, source.number)
    brought = bring(s, source, target, now=now)
    source.merged_into = target.number
    source.updated_at = target.updated_at = now
    _read_with(s, [source.number, *_parts(s, source.number)], target.number)
    made = Merge(source=source.number, target=target.number, detail={"followers": brought})
    made.merged_at, made.merged_by_id = now, by.id
    s.add(made)
    words.refresh(s, source.number, target.number)
    record(s, source, Event.TICKET_MERGED, by=by, now=now, into=target.number)
    record(s, target, Event.TICKET_MERGED, by=by, now=now, source=source.number, followers=[int(person) for person in brought])
    sla.happened(s, source.number, Moment.MERGED, at=now, facts=facts.of(source))
    waiting.asked(s, target, waits)
    began = joining.merged(s, target.number, source.number, at=now, facts=facts.of(target))
    if began is not None:
        made.detail = made.detail | {"resolution_from": began.isoformat()}
    return made


def unmerge(s: Session, number: int, *, by: Person, now: datetime) -> Merge:
    """Make it a ticket of its own again, with all that was part of it. What came in the meantime stays where it came."""
    source, end = _chain(s, number, by)
    undone = s.scalars(select(Merge).where(Merge.source == number, Merge.undone_at.is_(None))).one()
    for_work(s.get(Ticket, undone.target), undone.target, by)
    source.merged_into = None
    source.updated_at = end.updated_at = now
    undone.undone_at, undone.undone_by_id = now, by.id
    _read_with(s, [number], None)
    _read_with(s, _below(s, end.number, number), number)
    withdraw(s, undone, list(undone.detail["followers"]))
    words.refresh(s, number, end.number)
    record(s, source, Event.TICKET_UNMERGED, by=by, now=now, out_of=undone.target)
    record(s, end, Event.TICKET_UNMERGED, by=by, now=now, source=number)
    sla.happened(s, number, Moment.TAKEN_BACK, at=now, facts=facts.of(source))
    waiting.moved_away(s, end, now=now)
    if "resolution_from" in undone.detail:
        began = datetime.fromisoformat(undone.detail["resolution_from"])
        joining.unmerged(s, end.number, number, began=began, facts=facts.of(end))
    return undone


def one_customer(a: Ticket, b: Ticket) -> bool:
    """Whether they are of the same person, or of people of one organization."""
    if a.organization_id != b.organization_id:
        return False
    if a.requester_id == b.requester_id:
        return True
    return a.organization_id is not None and {a.requester.organization_id, b.requester.organization_id} == {a.organization_id}


def refuse_to_reveal(tickets: Iterable[Ticket], to: Ticket, *, reveal: bool) -> None:
    """Raises WouldReveal where somebody would read a colleague's words and nobody said that this is meant."""
    others = sorted({t.requester.name for t in tickets if t.requester_id != to.requester_id})
    if others and not reveal:
        raise WouldReveal(
            f"{to.requester.name} would read what {', '.join(others)} wrote. Send reveal: true if that is meant, or link them."
        )


def _refuse(source: Ticket, target: Ticket) -> None:
    if source.number == target.number:
        raise CantMerge("A ticket can't be merged into itself. Name another one in `into`.")
    refuse_merged(source)
    if target.conversation is not None:
        end = target.conversation
        raise CantMerge(f"Ticket {target.number} is itself part of ticket {end}. Merge into ticket {end} instead.")
    if target.status in {Status.CLOSED, Status.CANCELLED}:
        raise CantMerge(f"Ticket {target.number} is {target.status}: nobody would answer there. Merge it the other way round.")
    if not one_customer(source, target):
        raise CantMerge(
            f"Tickets {source.number} and {target.number} are of different customers, who would read each other's messages. "
            "Link them instead."
        )


def _chain(s: Session, number: int, by: Person) -> tuple[Ticket, Ticket]:
    """A merged ticket and the end of its chain, held together with all that is part of the latter."""
    alone(s)
    end = s.scalar(select(Ticket.conversation).where(Ticket.number == number))
    found = locked(s, [number, *([end, *_parts(s, end)] if end else [])])
    source = for_work(found.get(number), number, by)
    if end is None:
        raise NotMerged(f"Ticket {number} is not merged into another.")
    return source, for_work(found.get(end), end, by)


def _read_with(s: Session, numbers: Iterable[int], end: int | None) -> None:
    s.flush()
    s.execute(update(Ticket).where(Ticket.number.in_(list(numbers))).values(conversation=end))


def _parts(s: Session, end: int) -> list[int]:
    """All that is part of this ticket."""
    return list(s.scalars(select(Ticket.number).where(Ticket.conversation == end)))


def _below(s: Session, end: int, number: int) -> list[int]:
    """Of what is part of `end`, that which came there with `number`."""
    s.flush()
    rows = s.execute(select(Ticket.number, Ticket.merged_into).where(Ticket.conversation == end))
    into = {row.number: row.merged_into for row in rows}
    found, level = [], {number}
    while level := {n for n, merged in into.items() if merged in level}:
        found += sorted(level)
    return found

"""Whoever followed a ticket that became part of another follows that one, until it is undone.

A merge remembers whom it brought and when, so that undoing it takes away exactly those, and nobody who was added by hand.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from app.accounts.models import Person
from app.db.session import Session
from app.tickets.models import Merge, Ticket, Watcher
from app.tickets.rules import WatcherKind


def bring(s: Session, source: Ticket, target: Ticket, *, now: datetime) -> dict[str, str]:
    """Have the source's requester and copied people get the target's answers too; answers whom that added, and when.

    Whoever belongs to another organization than the target is left behind: it is not their conversation.
    """
    ours = [p for p in _people(s, source) if p.organization_id == target.organization_id and p.id != target.requester_id]
    if not ours:
        return {}
    rows = [{"ticket": target.number, "person_id": p.id, "kind": WatcherKind.CC, "added_at": now} for p in ours]
    added = s.scalars(insert(Watcher).on_conflict_do_nothing().returning(Watcher.person_id), rows)
    return {str(person): now.isoformat() for person in sorted(added)}


def withdraw(s: Session, merge: Merge, people: Iterable[str]) -> None:
    """Take these people, whom `merge` brought, off its target again, and off whatever the target itself is part of.

    Where another ticket that is merged into the same target is theirs as well, they stay on account of that one.
    """
    brought = {person: at for person, at in merge.detail["followers"].items() if person in people}
    merge.detail = merge.detail | {"followers": _without(merge.detail["followers"], brought)}
    gone = set()
    for person, at in brought.items():
        heir = next((m for m in _live(s, Merge.target == merge.target) if int(person) in _followers(s, m.source)), None)
        if heir is not None:
            heir.detail = heir.detail | {"followers": heir.detail["followers"] | {person: at}}
        else:
            _unwatch(s, merge.target, int(person), at)
            gone.add(person)
    for up in _live(s, Merge.source == merge.target):
        theirs = {str(person) for person in _followers(s, merge.target)}
        withdraw(s, up, (gone & set(up.detail["followers"])) - theirs)


def _unwatch(s: Session, number: int, person: int, at: str) -> None:
    theirs = (Watcher.ticket == number, Watcher.person_id == person, Watcher.kind == WatcherKind.CC)
    s.execute(delete(Watcher).where(*theirs, Watcher.added_at == datetime.fromisoformat(at)))


def _live(s: Session, which: object) -> list[Merge]:
    s.flush()
    return list(s.scalars(select(Merge).where(which, Merge.undone_at.is_(None)).order_by(Merge.id)))  # type: ignore[arg-type]


def _people(s: Session, ticket: Ticket) -> list[Person]:
    copied = select(Watcher.person_id).where(Watcher.ticket == ticket.number, Watcher.kind == WatcherKind.CC)
    return list(s.scalars(select(Person).where((Person.id == ticket.requester_id) | Person.id.in_(copied)).order_by(Person.id)))


def _followers(s: Session, number: int) -> set[int]:
    return {person.id for person in _people(s, s.get_one(Ticket, number))}


def _without(all_of: dict[str, str], some: dict[str, str]) -> dict[str, str]:
    return {person: at for person, at in all_of.items() if person not in some}

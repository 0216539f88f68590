"""Following a ticket: people in copy, and agents who want to hear of it.

Being in copy gives nothing but the copies: no right to see the ticket, and nothing that was said before.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import undefer

from app.accounts import actions as accounts
from app.accounts.models import Person
from app.accounts.rules import Verb, may
from app.audit.models import Entry, Event
from app.core import text
from app.core.errors import Conflict, Invalid, NotFound, TooMany
from app.db import locks
from app.db.session import Session
from app.outbox.rules import wire_address
from app.tickets.history import record
from app.tickets.holding import locked
from app.tickets.models import Ticket, Watcher
from app.tickets.rules import WatcherKind

MOST = {WatcherKind.CC: 20, WatcherKind.AGENT: 50}
COPIES_AN_HOUR = 40  # addresses that one customer puts in copy, on all tickets: two full ones
HOUR = timedelta(hours=1)


class TooManyWatchers(Conflict):
    """As many people follow this ticket as one ticket takes. Remove somebody first."""

    slug = "too-many-watchers"


class TooManyCopies(TooMany):
    """You have put as many addresses in copy within an hour as one person may. Put the others in copy later."""


def copy_to(s: Session, ticket: Ticket, address: str, *, ours: Collection[str], by: Person, now: datetime) -> Watcher:
    """Send a copy of every answer from here on to this address. `ours` are the desk's own, which never get one."""
    address = text.address(address)
    try:
        wire_address(address)
    except ValueError as wrong:
        raise Invalid(f"{address} can't be in copy: {wrong}.") from None
    if _untagged(address) in {_untagged(text.address(own)) for own in ours}:
        raise Invalid(f"{address} is the desk's own address. Write to it, and it is on the ticket.")
    if address == ticket.requester.email:
        raise Invalid(f"{address} is the requester's, who gets every answer anyway.")
    if not by.staff:
        _spend(s, by, now)
    person = accounts.known_sender(s, email=address, name="", now=now, joins=by.staff)
    return _follow(s, ticket, person, WatcherKind.CC, by=by, now=now)


def watch(s: Session, ticket: Ticket, address: str, *, by: Person, now: datetime) -> Watcher:
    """Have one of the staff told of what others say on a ticket. They must be allowed to see it."""
    query = select(Person).where(Person.email == text.address(address)).options(undefer(Person.parts))
    person = s.scalar(query, execution_options={"populate_existing": True})
    if person is None or not person.staff or person.disabled_at:
        raise Invalid(f"Nobody who works here has the address {address}.")
    if not may(person, Verb.SEE, ticket):
        raise Invalid(f"{person.name} may not see this ticket: it is another team's.")
    return _follow(s, ticket, person, WatcherKind.AGENT, by=by, now=now)


def unwatch(s: Session, ticket: Ticket, address: str, kind: WatcherKind, *, by: Person, now: datetime) -> None:
    """No more letters. Raises NotFound for somebody who does not follow the ticket."""
    query = select(Watcher).join(Watcher.person).where(Watcher.ticket == ticket.number, Watcher.kind == kind)
    found = s.scalar(query.where(Person.email == text.address(address)))
    if found is None:
        raise NotFound("Nobody with that address follows this ticket in that way.")
    record(s, ticket, Event.TICKET_UNWATCHED, by=by, now=now, watcher=found.person.email, kind_of=kind.value)
    s.delete(found)


def unfollow(s: Session, ticket: int, person: int, *, now: datetime) -> None:
    """One of the staff follows a ticket no more, by the link in a letter; nothing where they don't follow it."""
    held = locked(s, [ticket]).get(ticket)
    found = s.get(Watcher, (ticket, person, WatcherKind.AGENT), populate_existing=True)
    if held is not None and found is not None:
        what = {"watcher": found.person.email, "kind_of": found.kind.value, "by_mail": True}
        record(s, held, Event.TICKET_UNWATCHED, by=found.person, now=now, **what)
        s.delete(found)


def listing(c: Connection, ticket: int, *, staff: bool) -> list[dict[str, Any]]:
    """Who follows a ticket. Customers see who is in copy, by address alone: who has which name here isn't theirs to learn."""
    query = select(Watcher.kind, Person.email, Person.name, Watcher.added_at).join(Person, Person.id == Watcher.person_id)
    query = query.where(Watcher.ticket == ticket).order_by(Watcher.kind, Watcher.added_at, Person.id)
    rows = c.execute(query if staff else query.where(Watcher.kind == WatcherKind.CC)).mappings()
    return [dict(row) if staff else {**row, "name": None} for row in rows]


def _spend(s: Session, by: Person, now: datetime) -> None:
    """Every address may be a new person and gets letters, so nobody puts very many in copy. Raises TooManyCopies."""
    locks.take_in_transaction(s, f"copies:{by.id}")
    theirs = select(Entry.at).where(Entry.actor_id == by.id, Entry.kind == Event.TICKET_WATCHED, Entry.at > now - HOUR)
    lately = s.scalars(theirs.order_by(Entry.seq.desc()).limit(COPIES_AN_HOUR)).all()
    if len(lately) == COPIES_AN_HOUR:
        raise TooManyCopies(retry_after=max(1, ceil((min(lately) + HOUR - now).total_seconds())))


def _follow(s: Session, ticket: Ticket, person: Person, kind: WatcherKind, *, by: Person, now: datetime) -> Watcher:
    found = s.get(Watcher, (ticket.number, person.id, kind))
    if found:
        return found
    many = select(func.count()).where(Watcher.ticket == ticket.number, Watcher.kind == kind)
    if (s.scalar(many) or 0) >= MOST[kind]:
        raise TooManyWatchers
    made = Watcher(ticket=ticket.number, person=person, kind=kind, added_at=now)
    s.add(made)
    record(s, ticket, Event.TICKET_WATCHED, by=by, now=now, watcher=person.email, kind_of=kind.value)
    return made


def _untagged(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"

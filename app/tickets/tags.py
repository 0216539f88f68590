"""Tags: short words for tickets, made by using them.

Locks are taken in one order: tickets by number, then tags by name. Whoever puts a tag on a ticket holds the tag against being
renamed or deleted until that is done, so that no ticket keeps a word that is no tag any more.
"""

import unicodedata
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, cast, func, select, text, true, update
from sqlalchemy.dialects.postgresql import array, insert

from app.accounts.models import Person
from app.accounts.rules import Actor
from app.audit import actions as audit
from app.audit.models import Event
from app.core.errors import Conflict, Invalid, NotFound
from app.db.session import Session
from app.sla import rebuild
from app.tickets import facts, queries
from app.tickets.history import record
from app.tickets.models import Tag, Ticket

LONGEST = 50  # characters of a tag
MOST = 20  # tags of a ticket
_NOT_IN_A_TAG = frozenset("\"'`,;/\\")


class WrongTag(Invalid):
    """That can't be a tag."""

    slug = "wrong-tag"


_PATIENCE = text("SET LOCAL statement_timeout = '60s'")  # a tag may be on very many tickets
_RENAMED = text("ARRAY(SELECT DISTINCT each FROM unnest(array_replace(ticket.tags, :old, :new)) AS each ORDER BY each)")


def normal(raw: str) -> str:
    """A tag as it is stored and compared. Raises WrongTag."""
    tag = unicodedata.normalize("NFKC", raw).strip().lower()
    if not 1 <= len(tag) <= LONGEST:
        raise WrongTag(f"A tag has 1 to {LONGEST} characters.")
    if not tag[0].isalnum():
        raise WrongTag(f"The tag {tag!r} has to begin with a letter or a digit.")
    if any(each in _NOT_IN_A_TAG or unicodedata.category(each)[0] in "CZ" for each in tag):
        raise WrongTag(f"The tag {tag!r} has a space, a slash, a comma or a quotation mark in it. Use - or _ between words.")
    return tag


def put(s: Session, ticket: Ticket, *, add: Iterable[str] = (), remove: Iterable[str] = (), by: Person, now: datetime) -> None:
    """Tag a ticket and take tags off it, at once; a new word becomes a tag. What is in both is on it afterwards."""
    wanted = {normal(tag) for tag in add}
    after = sorted((set(ticket.tags) - {normal(tag) for tag in remove}) | wanted)
    added, removed = sorted(set(after) - set(ticket.tags)), sorted(set(ticket.tags) - set(after))
    if not added and not removed:
        return
    if added and len(after) > MOST:
        raise WrongTag(f"A ticket has at most {MOST} tags; this one would have {len(after)}. Take some off first.")
    keep(s, added, now=now)
    ticket.tags = after
    record(s, ticket, Event.TICKET_TAGGED, by=by, now=now, added=added, removed=removed)
    facts.changed(s, ticket, now=now)


def keep(s: Session, names: Iterable[str], *, now: datetime) -> None:
    """See to it that these are tags, and stay so until this transaction ends."""
    missing = set(names)
    while missing:
        rows = [{"name": name, "created_at": now} for name in sorted(missing)]
        s.execute(insert(Tag).on_conflict_do_nothing(), rows)
        held = select(Tag.name).where(Tag.name.in_(sorted(missing))).order_by(Tag.name).with_for_update(read=True)
        missing -= set(s.scalars(held))  # one that was deleted while we waited for it is made anew


def listed(c: Connection, actor: Actor, *, prefix: str, limit: int, cursor: str | None) -> dict[str, Any]:
    """Tags by name, each with how many tickets `actor` sees it on. A cursor is the name before."""
    page = select(Tag).where(Tag.name.startswith(prefix, autoescape=True), Tag.name > cursor if cursor else true())
    of = page.order_by(Tag.name).limit(limit + 1).subquery()
    whole = (Ticket.trashed_at.is_(None), Ticket.merged_into.is_(None), queries.visible_to(actor))
    on = select(func.count()).select_from(Ticket).where(_carries(of.c.name), *whole).scalar_subquery()
    query = select(of.c.name, of.c.description, of.c.created_at, of.c.revision, on.label("tickets")).order_by(of.c.name)
    rows = [dict(row) for row in c.execute(query).mappings()]
    return {"items": rows[:limit], "next": rows[limit - 1]["name"] if len(rows) > limit else None}


def make(s: Session, name: str, *, description: str, by: Person, now: datetime) -> Tag:
    """A new tag, before anybody uses it."""
    row = {"name": normal(name), "description": description, "created_at": now}
    made: Tag | None = s.scalar(insert(Tag).values(row).on_conflict_do_nothing().returning(Tag))
    if made is None:
        raise Conflict(f"There is a tag {row['name']} already.")
    _tell(s, made.name, by=by, now=now, did="made")
    return made


def to_change(s: Session, name: str, *, everywhere: bool) -> Tag:
    """A tag, locked; where it is to change on every ticket, these before it. Raises NotFound."""
    if everywhere:
        _hold_tickets(s, name)
    return _held(s, name)


def describe(s: Session, name: str, *, description: str, by: Person, now: datetime) -> Tag:
    """Say what a tag is for."""
    tag = _held(s, name)
    if description != tag.description:
        _tell(s, name, by=by, now=now, did="described", before=tag.description, after=description)
        tag.description = description
        tag.revision += 1
    return tag


def rename(s: Session, name: str, *, to: str, by: Person, now: datetime) -> Tag:
    """Call a tag something else on every ticket; into one that exists already it is merged, which keeps its description."""
    new = normal(to)
    if new == name:
        return _held(s, name)
    _hold_tickets(s, name)
    s.execute(select(Tag.name).where(Tag.name.in_([name, new])).order_by(Tag.name).with_for_update())
    old = _held(s, name)
    row = {"name": new, "description": old.description, "created_at": now, "revision": old.revision + 1}
    merged = s.scalar(insert(Tag).values(row).on_conflict_do_nothing().returning(Tag.name)) is None
    count = _rewrite(s, name, _RENAMED.bindparams(old=name, new=new), now=now)
    s.delete(old)
    _tell(s, name, by=by, now=now, did="merged" if merged else "renamed", to=new, tickets=count)
    return _held(s, new)


def drop(s: Session, name: str, *, by: Person, now: datetime) -> None:
    """No tag any more, and off every ticket."""
    _hold_tickets(s, name)
    tag = _held(s, name)
    count = _rewrite(s, name, func.array_remove(Ticket.tags, name), now=now)
    s.delete(tag)
    _tell(s, name, by=by, now=now, did="deleted", tickets=count)


def _held(s: Session, name: str) -> Tag:
    found = s.get(Tag, name, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound(f"There is no tag {name!r}.")
    return found


def _hold_tickets(s: Session, name: str) -> None:
    s.execute(_PATIENCE)
    carrying = select(Ticket.number).where(_carries(cast(name, Text))).order_by(Ticket.number).with_for_update(key_share=True)
    s.execute(select(func.count()).select_from(carrying.cte()))


def _rewrite(s: Session, name: str, after: Any, *, now: datetime) -> int:
    """The one entry in the audit names the tag and how many tickets it was on; each of these has a new revision. Where promises
    depend on tags, the workers look at all clocks again: those of so many tickets are not for one transaction.
    """
    change = update(Ticket).where(_carries(cast(name, Text))).values(tags=after, revision=Ticket.revision + 1)
    changed = select(func.count()).select_from(change.returning(Ticket.number).cte())
    count = s.scalar(changed.execution_options(synchronize_session=False)) or 0
    rebuild.begin_where_asked(s, "tag", now=now)
    return count


def _carries(name: ColumnElement[str]) -> ColumnElement[bool]:
    return Ticket.tags.bool_op("@>")(array([name], type_=Text()))


def _tell(s: Session, name: str, *, by: Person, now: datetime, **data: Any) -> None:
    audit.record(s, Event.TAG_CHANGED, now=now, by=by.signature, tag=name, **data)

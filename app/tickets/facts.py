"""What is known of a ticket and may decide which promises it gets: words by the name of a fact, as policies match them."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.db.session import Session
from app.sla import actions as sla
from app.sla.rules import Facts, Moment
from app.sla.rules.policies import FIELD, PRIORITY
from app.tickets.models import Ticket

_ONCE = "facts change together"
_COLUMNS = (Ticket.priority, Ticket.team_id, Ticket.organization_id, Ticket.tags, Ticket.channel, Ticket.fields)


def of(ticket: Ticket) -> Facts:
    """The facts of a ticket as it is now."""
    return _facts(*(getattr(ticket, column.key) for column in _COLUMNS))


def of_many(s: Session, numbers: Collection[int]) -> Mapping[int, Facts]:
    """The same for tickets by number, as they are committed; nothing is locked."""
    return {
        number: _facts(*rest) for number, *rest in s.execute(select(Ticket.number, *_COLUMNS).where(Ticket.number.in_(numbers)))
    }


def changed(s: Session, ticket: Ticket, *, now: datetime) -> None:
    """Some fact is another one: perhaps the ticket is promised something else now."""
    if _ONCE not in s.info:
        sla.happened(s, ticket.number, Moment.FACTS_CHANGED, at=now, facts=of(ticket))


@contextmanager
def once(s: Session, ticket: Ticket, *, now: datetime) -> Iterator[None]:
    """Several facts change within, and what the ticket is promised is looked up when all of them are known."""
    before = of(ticket)
    s.info[_ONCE] = True
    try:
        yield
    finally:
        del s.info[_ONCE]
    if of(ticket) != before:
        changed(s, ticket, now=now)


def words(value: Any) -> Iterable[str]:
    """The words of a value: a number as it is written, yes and no as true and false, a list each of its own."""
    if isinstance(value, list):
        return [word for each in value for word in words(each)]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, float) and value.is_integer():
        return [str(int(value))]
    return [] if value is None else [str(value)]


def _facts(
    priority: Any, team: int | None, organization: int | None, tags: list[str], channel: Any, fields: dict[str, Any]
) -> Facts:
    known: dict[str, Collection[str]] = {
        PRIORITY: (priority.value,),
        "team": tuple(words(team)),
        "organization": tuple(words(organization)),
        "tag": tuple(tags),
        "channel": (channel.value,),
    }
    return known | {FIELD + key: tuple(words(value)) for key, value in fields.items()}

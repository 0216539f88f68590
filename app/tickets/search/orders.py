"""The orders of a list, and cursors: a place in one order, which the next page goes on from."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.core.errors import Invalid
from app.tickets.search.values import nearest

_LAST = 2**63
_UNHEARD = re.compile("[\\0\\ud800-\\udfff]")  # what no text of the database can hold


class WrongSort(Invalid):
    """There is no such order."""

    slug = "sort"


class WrongCursor(Invalid):
    """That cursor is none of this list's; take the `next` of an earlier answer, or leave it out."""

    slug = "wrong-cursor"


@dataclass(frozen=True)
class Column:
    """Something to sort by: `key` on `ticket t` and what `joined` brings. Tickets for which `without` holds come last.

    Where `id` is that of something in the table `named`, an index has each one's tickets in order of their numbers.
    """

    key: str
    kind: type
    joined: str = ""
    without: str | None = None
    staff: bool = False
    named: str = ""
    id: str = ""


_EARLIEST = """JOIN sla_clock c ON c.ticket = t.number AND c.outcome IS NULL AND c.due_at IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM sla_clock other WHERE other.ticket = c.ticket AND other.outcome IS NULL
    AND (other.due_at, other.id) < (c.due_at, c.id))"""
_UNDUE = "NOT EXISTS (SELECT 1 FROM sla_clock c WHERE c.ticket = t.number AND c.outcome IS NULL AND c.due_at IS NOT NULL)"
COLUMNS: Mapping[str, Column] = {
    "number": Column("t.number", int),
    "updated": Column("t.updated_at", datetime),
    "created": Column("t.created_at", datetime),
    "priority": Column("array_position(ARRAY['low', 'medium', 'high', 'urgent'], CAST(t.priority AS text))", int),
    "status": Column(
        "array_position(ARRAY['new', 'accepted', 'in_progress', 'waiting_customer', 'resolved', 'closed', 'cancelled'],"
        " CAST(t.status AS text))",
        int,
    ),
    "subject": Column("lower(left(t.subject, 100))", str),
    "requester": Column("lower(sorted.name)", str, "JOIN person sorted ON sorted.id = t.requester_id"),
    "assignee": Column(
        "lower(sorted.name)",
        str,
        "JOIN person sorted ON sorted.id = t.assignee_id",
        "t.assignee_id IS NULL",
        named="person",
        id="t.assignee_id",
    ),
    "organization": Column(
        "lower(sorted.name)", str, "JOIN organization sorted ON sorted.id = t.organization_id", "t.organization_id IS NULL"
    ),
    "team": Column(
        "lower(sorted.name)",
        str,
        "JOIN team sorted ON sorted.id = t.team_id",
        "t.team_id IS NULL",
        staff=True,
        named="team",
        id="t.team_id",
    ),
    "due": Column("c.due_at", datetime, _EARLIEST, _UNDUE),
}
DEFAULT, OF_WORDS = "-updated", "-number"


@dataclass(frozen=True)
class Order:
    """By one column, then by number, in the same direction."""

    name: str
    down: bool

    @property
    def column(self) -> Column:
        return COLUMNS[self.name]

    @property
    def said(self) -> str:
        return f"-{self.name}" if self.down else self.name


@dataclass(frozen=True)
class Place:
    """After which row a page begins; `key` is None among those that have none."""

    key: Any
    number: int


def order(said: str, *, staff: bool) -> Order:
    """The order that `-updated` and the like mean. Raises WrongSort."""
    name, known = said.removeprefix("-"), [each for each, column in COLUMNS.items() if staff or not column.staff]
    if name not in known:
        near = nearest(name, known)
        meant = f"; did you mean {near}" if near else ""
        raise WrongSort(f"Tickets can't be sorted by {name[:40]!r}{meant}. There is: {', '.join(known)}.")
    return Order(name, said.startswith("-"))


def cursor(by: Order, key: bytes | None, number: int) -> str:
    """A cursor of this order that leads on from `key`, as PostgreSQL writes it, and `number`."""
    value = None if key is None else int(key) if by.column.kind is int else key.decode()
    return base64.urlsafe_b64encode(json.dumps([by.said, value, number], ensure_ascii=False).encode()).decode().rstrip("=")


def place(cursor: str, by: Order) -> Place:
    """Where a cursor of this order leads on from. Raises WrongCursor."""
    try:
        said, key, number = json.loads(base64.urlsafe_b64decode(cursor.encode() + b"=="))
    except (ValueError, TypeError, RecursionError):
        raise WrongCursor from None
    if said != by.said or type(number) is not int or not 0 < number < _LAST:
        raise WrongCursor
    return Place(None if key is None and by.column.without else _key(key, by.column.kind), number)


def _key(key: Any, kind: type) -> Any:
    if kind is datetime and isinstance(key, str) and len(key) < 40:
        try:
            found = datetime.fromisoformat(key)
        except ValueError:
            raise WrongCursor from None
        if found.tzinfo:
            return found
    number = kind is int and type(key) is int and -_LAST < key < _LAST
    words = kind is str and isinstance(key, str) and len(key) < 1000 and not _UNHEARD.search(key)
    if number or words:
        return key
    raise WrongCursor

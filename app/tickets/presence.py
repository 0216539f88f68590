"""Who is looking at a ticket and who is typing: kept in Redis for half a minute, and lost without harm."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, select

from app.core import clock
from app.db.redis import Board

LIFE = timedelta(seconds=30)
CHANNEL = "desk_presence"


class Doing(StrEnum):
    """What somebody does with a ticket that is open before them."""

    VIEWING = "viewing"
    TYPING = "typing"


@dataclass(frozen=True)
class Present:
    """Somebody of the staff who has the ticket open, until when unless they say so again."""

    id: int
    name: str
    doing: Doing
    until: datetime


def here(board: Board, ticket: int) -> list[Present]:
    """Who is at this ticket, by name; nobody while Redis is gone."""
    found = [_present(int(id), told) for id, told in board.read(_key(ticket)).items()]
    return sorted((p for p in found if p and p.until > clock.now()), key=lambda p: (p.name, p.id))


def come(board: Board, c: Connection, ticket: int, *, id: int, name: str, doing: Doing) -> None:
    """Somebody is here, for half a minute from now."""
    told = {"name": name, "doing": doing.value, "until": (clock.now() + LIFE).timestamp()}
    if board.pin(_key(ticket), str(id), told, lasting=int(LIFE.total_seconds())):
        _ring(c, ticket)


def leave(board: Board, c: Connection, ticket: int, *, id: int) -> None:
    """Somebody has gone."""
    if board.take_off(_key(ticket), str(id)):
        _ring(c, ticket)


def told(present: list[Present]) -> list[dict[str, Any]]:
    """The same for JSON."""
    return [asdict(each) for each in present]


def _key(ticket: int) -> str:
    return f"presence:{ticket}"


def _ring(c: Connection, ticket: int) -> None:
    c.execute(select(func.pg_notify(CHANNEL, str(ticket))))


def _present(id: int, said: dict[str, Any]) -> Present | None:
    try:
        return Present(id, str(said["name"]), Doing(said["doing"]), datetime.fromtimestamp(float(said["until"]), UTC))
    except (KeyError, TypeError, ValueError, OverflowError):  # whatever else stands in Redis under this name
        return None

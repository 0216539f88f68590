"""Every open clock replayed from its start: what differs is found and told, and mended by nobody but a person."""

from collections.abc import Collection, Iterator

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from app.db.session import Database, Session
from app.db.session import now as database_now
from app.sla import queries
from app.sla.models import Clock, Recheck
from app.sla.queries import Drift

CHUNK = 200  # clocks of one step: so short that no deadline is late for it
MOST = 20  # differences that are kept in words


def every(db: Database) -> Iterator[Drift]:
    """What differs now, clock by clock; each chunk is a transaction of its own."""
    after: int | None = 0
    while after is not None:
        with db.transaction() as s:
            found, after = queries.drifts(s, after=after, limit=CHUNK)
        yield from found


def open_clocks(c: Connection) -> tuple[int, int]:
    """How many open clocks can be replayed, and how many more wait to be reckoned by their changed calendar."""
    opened = select(func.count()).select_from(Clock).where(Clock.outcome.is_(None))
    waiting = c.scalar(opened.where(queries.outdated())) or 0
    return (c.scalar(opened) or 0) - waiting, waiting


def keep(s: Session, found: Collection[Drift]) -> None:
    """Remember what a whole round found, for health."""
    row = {"finished_at": database_now(s), "differences": len(found), "differing": [words(drift) for drift in list(found)[:MOST]]}
    s.execute(insert(Recheck).values(id=1, **row).on_conflict_do_update(index_elements=[Recheck.id], set_=row))


def last(c: Connection) -> dict[str, object] | None:
    """What the last whole round found; None before there was one."""
    row = c.execute(select(Recheck.finished_at, Recheck.differences, Recheck.differing)).mappings().one_or_none()
    return dict(row) if row else None


def words(drift: Drift) -> str:
    """One difference: as it is, and as it should be."""
    fields = ", ".join(f"{name} is {is_} and should be {right}" for name, is_, right in drift.differing)
    return f"ticket {drift.ticket}, {drift.metric} {drift.cycle}: {fields}"

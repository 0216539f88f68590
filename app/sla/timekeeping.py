"""What the workers know of the time itself: the latest there was, when it was put, and when nobody looked at the clocks.

Deadlines know the database's clock alone. Where it is put forward they come early, and put back they wait: nothing can help that,
so it is told.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from app.audit import actions as audit
from app.audit.models import Event
from app.db.session import Session
from app.db.session import now as database_now
from app.sla.models import HighWater

BACK = timedelta(seconds=2)  # so far below the highest mark a clock may be
STALE = timedelta(hours=1)  # a warning that fell so long ago, when nobody looked, is told no more
TOLD = timedelta(hours=1)  # for so long health tells of a clock that was put
_ANEW = {"populate_existing": True}


@dataclass(frozen=True)
class Standing:
    """The time now, the highest mark, and when and by how much the clock was put last."""

    now: datetime
    highest: datetime | None = None
    stepped_at: datetime | None = None
    stepped_by: timedelta | None = None

    @property
    def behind(self) -> timedelta | None:
        """How far the clock is behind a time it has already had."""
        gap = self.highest - self.now if self.highest else timedelta(0)
        return gap if gap > BACK else None

    @property
    def lately(self) -> bool:
        """Whether it was put lately."""
        return self.stepped_at is not None and abs(self.now - self.stepped_at) < TOLD


def note(s: Session, stepped: timedelta | None, *, seen: datetime | None) -> tuple[HighWater, bool]:
    """Write down the time, and that it was put by `stepped`; the row, and whether this was news.

    `seen` is when, as the caller knew, it was put last: of several workers the first one tells of it. Put back behind the highest
    mark it is noticed by that, also if no worker was running.
    """
    now = database_now(s)
    s.execute(insert(HighWater).values(id=1, at=now).on_conflict_do_nothing())
    row = s.scalars(select(HighWater).where(HighWater.id == 1).with_for_update(), execution_options=_ANEW).one()
    by = stepped if stepped is not None else now - row.at
    news = (stepped is not None or now < row.at - BACK) and row.stepped_at == seen
    if news:
        row.stepped_at, row.stepped_by = now, by
        audit.record(s, Event.SLA_TIME_STEPPED, now=now, seconds=round(by.total_seconds(), 1))
    elif now - row.at > STALE:
        row.away_from, row.away_until = row.at, now
    row.at = now if news else max(row.at, now)
    return row, news


def last_step(s: Session) -> datetime | None:
    """When the clock was put last, as far as is known."""
    return s.scalar(select(HighWater.stepped_at).where(HighWater.id == 1))


def stale(s: Session, at: datetime) -> bool:
    """Whether a warning that fell then is too old to be told: nobody looked at the clocks, and that was over an hour ago."""
    row = s.get(HighWater, 1)
    return bool(row and row.away_from and row.away_until and row.away_from <= at < row.away_until - STALE)


def standing(c: Connection) -> Standing:
    """The time as the workers know it, by one statement."""
    columns = (HighWater.at, HighWater.stepped_at, HighWater.stepped_by)
    row = c.execute(select(func.now(), *columns).select_from(select(1).subquery()).outerjoin(HighWater, HighWater.id == 1)).one()
    return Standing(*row)

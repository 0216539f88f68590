"""Calendars as arithmetic, and as programs read them."""

import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Select, select

from app.core.errors import Invalid, NotFound
from app.db.session import Session
from app.hours import rules
from app.hours.models import Calendar, CalendarVersion, Feed
from app.hours.rules import feed as feeds

Pieces = list[tuple[datetime, dict[str, Any]]]
KEPT = 32  # calendars whose openings a process remembers
MOST_VERSIONS = 100  # that are told of
MOST_OPENINGS = 1000

_shelf: OrderedDict[bytes, rules.Hours] = OrderedDict()
_guard = threading.Lock()


def reckoned(s: Session | Connection, versions: Collection[int]) -> dict[int, rules.Hours]:
    """The arithmetic of calendars as they were said to be up to each of these versions, by the versions' ids."""
    if not versions:
        return {}
    found = s.execute(select(CalendarVersion.id, CalendarVersion.hash).where(CalendarVersion.id.in_(versions)))
    return {id: known(s, id, digest) for id, digest in found.all()}


def known(s: Session | Connection, version: int, digest: bytes) -> rules.Hours:
    """The same of one version whose hash was read already: worked out once a process, since that covers all there is to say."""
    with _guard:
        if digest in _shelf:
            _shelf.move_to_end(digest)
            return _shelf[digest]
    this = select(CalendarVersion.calendar_id).where(CalendarVersion.id == version).scalar_subquery()
    query = _versions().where(CalendarVersion.calendar_id == this, CalendarVersion.id <= version)
    worked_out = rules.composed([(since, days(spec)) for since, spec in s.execute(query).all()])
    with _guard:
        _shelf[digest] = worked_out
        if len(_shelf) > KEPT:
            _shelf.popitem(last=False)
    return worked_out


def days(spec: Mapping[str, Any]) -> rules.Days:
    """What a spec says of each date. Raises BadHours, ZoneInfoNotFoundError."""
    return rules.days(ZoneInfo(spec["zone"]), spec["week"], spec.get("closed", ()), spec.get("instead", ()))


def hours(s: Session | Connection, calendar: int) -> rules.Hours:
    """The arithmetic of a calendar by all that it says now."""
    newest = select(CalendarVersion.id, CalendarVersion.hash).where(CalendarVersion.calendar_id == calendar)
    row = s.execute(newest.order_by(CalendarVersion.id.desc()).limit(1)).one()
    return known(s, row.id, row.hash)


def pieces(s: Session | Connection, calendar: int) -> Pieces:
    """What a calendar says by all of its versions: from when on, and what. The first holds for all of the past."""
    held: Pieces = []
    for since, spec in s.execute(_versions().where(CalendarVersion.calendar_id == calendar)).all():
        held = [*(piece for piece in held if piece[0] < since), (since, spec)]
    return held


def holding(held: Pieces, now: datetime) -> dict[str, Any]:
    """What of these pieces holds now."""
    return [spec for n, (since, spec) in enumerate(held) if n == 0 or since <= now][-1]


def listed(c: Connection, *, now: datetime) -> list[dict[str, Any]]:
    """Every calendar in use, ready for JSON, with what holds now."""
    that = select(CalendarVersion.spec).where(CalendarVersion.calendar_id == Calendar.id, CalendarVersion.effective_from <= now)
    holds = that.order_by(CalendarVersion.id.desc()).limit(1).scalar_subquery()
    rows = c.execute(select(Calendar.id, Calendar.name, Calendar.revision, holds).where(Calendar.removed_at.is_(None)))
    return [{"id": id, "name": name, "revision": revision, "holds": whole(spec)} for id, name, revision, spec in rows]


def told(s: Session | Connection, id: int, *, now: datetime) -> dict[str, Any]:
    """One calendar with its versions, the newest first, and its feed, ready for JSON. Raises NotFound."""
    query = select(Calendar.id, Calendar.name, Calendar.revision, Calendar.created_at)
    row = s.execute(query.where(Calendar.id == id, Calendar.removed_at.is_(None))).one_or_none()
    if row is None:
        raise NotFound(f"There is no calendar {id} here.")
    held = pieces(s, id)
    newest = select(*_TOLD).where(CalendarVersion.calendar_id == id).order_by(CalendarVersion.id.desc()).limit(MOST_VERSIONS)
    return {
        **row._asdict(),
        "holds": whole(holding(held, now)),
        "versions": [v._asdict() | {"spec": whole(v.spec)} for v in s.execute(newest)],
        "feed": _feed(s, id, held, now),
    }


def whole(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A spec with all of its parts."""
    return {"closed": [], "instead": [], **spec}


def openings(s: Session | Connection, id: int, *, start: datetime, days: int) -> list[rules.Part]:
    """When a calendar is open from `start` on, and which days are not as usual. Raises Invalid."""
    start = within(start)
    return hours(s, id).parts(start, start + timedelta(days=days), most=MOST_OPENINGS)


_TOLD = [getattr(CalendarVersion, name) for name in ("id", "effective_from", "created_at", "actor", "why", "spec")]


def _versions() -> Select[datetime, dict[str, Any]]:
    """All that calendars ever said, in the order in which it was said."""
    return select(CalendarVersion.effective_from, CalendarVersion.spec).order_by(CalendarVersion.id)


def _feed(s: Session | Connection, id: int, held: Pieces, now: datetime) -> dict[str, Any] | None:
    names = ("url", "automatic", "next_at", "fetched_at", "problem", "since", "found")
    row = s.execute(select(*(getattr(Feed, name) for name in names)).where(Feed.calendar_id == id)).one_or_none()
    if row is None:
        return None
    feed = row._asdict()
    found = feed.pop("found")
    spec = holding(held, now)
    return feed | {"proposal": None if found is None else feeds.difference(spec, feeds.merged(spec, found, now))}


def refuse_unknown(s: Session | Connection, id: int) -> None:
    """Raises NotFound where there is no such calendar in use."""
    if s.scalar(select(Calendar.id).where(Calendar.id == id, Calendar.removed_at.is_(None))) is None:
        raise NotFound(f"There is no calendar {id} here.")


def refuse_unreachable(s: Session, calendar: int, since: datetime, length: timedelta) -> None:
    """Raises NeverReached where so much working time would take a lifetime: twice as much has to be within reach."""
    hours(s, calendar).deadline(since, 2 * length)


def within(at: datetime) -> datetime:
    """An instant that calendars can be asked about, in UTC. Raises Invalid."""
    if at.year not in rules.YEARS:
        years = f"from {rules.YEARS[0]} to {rules.YEARS[-1]}"
        raise Invalid(f"{at.isoformat()} is out of reach: choose an instant {years}.")
    return at.astimezone(UTC)

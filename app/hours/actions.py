"""Making calendars, and saying something else of them. What measures by a calendar is told by whoever calls this."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.audit import actions as audit
from app.audit.actions import DESK
from app.audit.models import Event
from app.core import parse, text
from app.core.errors import Conflict, Invalid, NotFound
from app.db.session import Session
from app.hours import queries, rules, zones
from app.hours.models import Calendar, CalendarVersion, Feed

ROUND_THE_CLOCK: Sequence[Sequence[Sequence[str]]] = [[["00:00", "24:00"]]] * 7
EVER = datetime.fromisoformat("1970-01-01T00:00:00+00:00")  # a calendar's first version holds for all of its past

By = tuple[int, str] | None  # a person's number and name; nobody where the desk does it by itself


class NameTaken(Conflict):
    """There is a calendar of this name already. Choose another name."""

    slug = "name-taken"


def held(s: Session, id: int) -> Calendar:
    """A calendar that is going to be changed, held until the transaction ends. Raises NotFound."""
    query = select(Calendar).where(Calendar.id == id, Calendar.removed_at.is_(None)).with_for_update(key_share=True)
    found = s.scalar(query.execution_options(populate_existing=True))
    if found is None:
        raise NotFound(f"There is no calendar {id} here.")
    return found


def add(
    s: Session,
    name: str,
    *,
    zone: str,
    week: Sequence[Sequence[Sequence[str]]],
    now: datetime,
    closed: Sequence[Mapping[str, Any]] = (),
    instead: Sequence[Mapping[str, Any]] = (),
    by: By = None,
) -> Calendar:
    """A calendar with its first version. Raises Invalid for hours that can't be, NameTaken."""
    spec: dict[str, Any] = {"zone": zone, "week": week, "closed": list(closed), "instead": list(instead)}
    refuse_bad(spec)
    calendar = Calendar(name=_name(name), created_at=now)
    s.add(calendar)
    _flush(s)
    _say(s, calendar, spec, since=EVER, by=by, now=now, why="")
    audit.record(s, Event.CALENDAR_CHANGED, now=now, by=by, calendar=calendar.id, name=calendar.name, what="added", **spec)
    return calendar


def rename(s: Session, calendar: Calendar, name: str, *, by: By, now: datetime) -> None:
    """Another name. Raises NameTaken."""
    if (name := _name(name)) == calendar.name:
        return
    before, calendar.name = calendar.name, name
    calendar.revision += 1
    _flush(s)
    audit.record(s, Event.CALENDAR_CHANGED, now=now, by=by, calendar=calendar.id, name=name, what="renamed", before=before)


def change(
    s: Session,
    calendar: Calendar,
    spec: Mapping[str, Any],
    *,
    by: By,
    now: datetime,
    effective_from: datetime | None = None,
    retroactive: bool = False,
    why: str = "",
) -> bool:
    """Say something else from an instant on, now unless it is given; whether there was anything to change. Raises Invalid.

    All that was said from there on is replaced. An instant that has passed takes `retroactive`: it may change what was late.
    """
    since = queries.within(effective_from or now)
    if since < now and not retroactive:
        raise Invalid("This would change hours that have passed. Say that you mean it (retroactive), or choose a later date.")
    refuse_bad(spec)
    said = queries.pieces(s, calendar.id)
    before, spec = queries.whole(queries.holding(said, since)), queries.whole(spec)
    if before == spec and all(other <= since for other, _ in said):
        return False
    _say(s, calendar, spec, since=since, by=by, now=now, why=why)
    calendar.revision += 1
    facts: dict[str, Any] = {
        "calendar": calendar.id,
        "name": calendar.name,
        "effective_from": since.isoformat(),
        "retroactive": since < now,
        "why": why,
        **{part: [before[part], spec[part]] for part in ("zone", "week", "closed", "instead") if before[part] != spec[part]},
    }
    audit.record(s, Event.CALENDAR_CHANGED, now=now, by=by, what="changed", **facts)
    return True


def remove(s: Session, calendar: Calendar, *, by: By, now: datetime) -> None:
    """It is offered no more; what was measured by it keeps its hours. Whoever calls this has seen that nothing runs by it."""
    calendar.removed_at = now
    calendar.revision += 1
    if (feed := s.get(Feed, calendar.id)) is not None:
        s.delete(feed)
    audit.record(s, Event.CALENDAR_CHANGED, now=now, by=by, calendar=calendar.id, name=calendar.name, what="removed")


def renew_zones(s: Session, *, now: datetime) -> list[int]:
    """Have calendars reckoned anew whose time zones' rules are known differently than when they were last changed.

    Each gets a version that says the same from the same instant on. Answers the calendars' numbers.
    """
    renewed = []
    for calendar in s.scalars(select(Calendar).where(Calendar.removed_at.is_(None)).order_by(Calendar.id).with_for_update()):
        said = s.scalars(select(CalendarVersion).where(CalendarVersion.calendar_id == calendar.id).order_by(CalendarVersion.id))
        *before, newest = said.all()
        if newest.hash == _hash(before, newest.effective_from, newest.spec):
            continue
        _say(s, calendar, newest.spec, since=newest.effective_from, by=None, now=now, why="the rules of its time zone changed")
        facts = {"calendar": calendar.id, "name": calendar.name, "zone": newest.spec["zone"]}
        audit.record(s, Event.CALENDAR_CHANGED, now=now, what="zone_renewed", **facts)
        calendar.revision += 1
        renewed.append(calendar.id)
    return renewed


def refuse_bad(spec: Mapping[str, Any]) -> None:
    """Raises Invalid, with the reason, for what no calendar can say."""
    try:
        parse.zone(spec["zone"])
        rules.checked(queries.days(spec))
    except ValueError as wrong:
        raise Invalid(f"A calendar can't be like this: {wrong}.") from None


def _say(
    s: Session, calendar: Calendar, spec: Mapping[str, Any], *, since: datetime, by: By, now: datetime, why: str
) -> CalendarVersion:
    said = s.scalars(select(CalendarVersion).where(CalendarVersion.calendar_id == calendar.id).order_by(CalendarVersion.id)).all()
    actor_id, actor = by or (None, DESK)
    version = CalendarVersion(calendar_id=calendar.id, effective_from=since, spec=dict(spec), created_at=now, why=why)
    version.actor_id, version.actor, version.hash = actor_id, actor, _hash(said, since, spec)
    s.add(version)
    s.flush()
    return version


def _hash(before: Sequence[CalendarVersion], since: datetime, spec: Mapping[str, Any]) -> bytes:
    """Of what a calendar says with this version: the versions before it, itself, and the rules of all their time zones."""
    said = {"from": since.isoformat(), "spec": spec, "before": before[-1].hash.hex() if before else ""}
    known = sorted({spec["zone"], *(version.spec["zone"] for version in before)})
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for zone in known:
        digest.update(zones.rules_of(zone))
    return digest.digest()


def _name(raw: str) -> str:
    name = text.one_line(raw, most=200)
    if not name:
        raise Invalid("A calendar's name has at least one letter.")
    return name


def _flush(s: Session) -> None:
    try:
        s.flush()
    except IntegrityError:
        raise NameTaken from None

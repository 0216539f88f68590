"""Feeds of closed days: read once a day, told as what they would change, and taken over when somebody says so or always does."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app.audit import actions as audit
from app.audit.models import Event
from app.core import http, text
from app.core.errors import Invalid, NotFound
from app.core.http import Guard
from app.db.session import Database, Session
from app.db.session import now as database_now
from app.hours import queries, reading
from app.hours.actions import By
from app.hours.models import Calendar, Feed
from app.hours.rules import feed as rules
from app.sla import calendars

DAILY = timedelta(days=1)
SOON = timedelta(hours=1)  # after a failure, and where whoever began never ended
PAST, FUTURE = timedelta(days=366), timedelta(days=3 * 366)
MOST_BYTES = 2 * 1024 * 1024
PATIENCE = 20.0  # seconds
LOOK = 5.0  # seconds between looks for one that is due

log = logging.getLogger(__name__)


def follow(s: Session, calendar: Calendar, url: str, *, automatic: bool, by: By, now: datetime) -> None:
    """Read a feed at once and then daily. `automatic`: what it says is taken over without asking. Raises Invalid."""
    if not url.startswith("https://") or len(url) > 2000 or url != text.one_line(url, most=2000):
        raise Invalid("A feed's address begins with https:// and has at most 2000 letters.")
    feed = s.get(Feed, calendar.id, with_for_update=True)
    if feed is None or feed.url != url:
        if feed is not None:
            s.delete(feed)
            s.flush()
        feed = Feed(calendar_id=calendar.id, url=url)
        s.add(feed)
    feed.automatic, feed.next_at = automatic, now
    calendar.revision += 1
    _record(s, calendar, "followed", by, now, url=url, automatic=automatic)


def unfollow(s: Session, calendar: Calendar, *, by: By, now: datetime) -> None:
    """Read it no more. What was taken over stays. Raises NotFound."""
    feed = _of(s, calendar)
    s.delete(feed)
    calendar.revision += 1
    _record(s, calendar, "unfollowed", by, now, url=feed.url)


def refresh(s: Session, calendar: Calendar, *, now: datetime) -> None:
    """Have it read within seconds. Raises NotFound."""
    _of(s, calendar).next_at = now


def accept(s: Session, calendar: Calendar, *, by: By, now: datetime) -> None:
    """Take over what the feed said last, from now on. Raises NotFound, Invalid."""
    feed = _of(s, calendar)
    if feed.found is None:
        raise NotFound("This feed was not read yet. Refresh it, and look at what it says.")
    _take_over(s, calendar, feed, by=by, now=now)


def guard(public_url: str) -> Guard:
    """Where feeds may be: on the open net, by HTTPS, and not at `public_url`, where we are ourselves."""
    return Guard(ports=(443,), ours=(urlsplit(public_url).hostname or "",))


class Feeds:
    """Reads every feed when it is due, for one process of several. No deadline waits for it."""

    def __init__(self, database: Database, guard: Guard) -> None:
        self._database, self._guard = database, guard

    def turn(self) -> float:
        """Read one that is due; the seconds to wait before the next."""
        with self._database.transaction() as s:
            now = database_now(s)
            query = select(Feed).where(Feed.next_at <= now).order_by(Feed.next_at).limit(1)
            feed = s.scalar(query.with_for_update(skip_locked=True))
            if feed is None:
                return LOOK
            feed.next_at = now + SOON
            zone = queries.holding(queries.pieces(s, feed.calendar_id), now)["zone"]
        found, problem = self._read(feed.url, zone, now)
        with self._database.transaction() as s:
            keep(s, feed.calendar_id, feed.url, found, problem, now=database_now(s))
        return 0.0

    def _read(self, url: str, zone: str, now: datetime) -> tuple[reading.Found | None, str]:
        today = now.astimezone(ZoneInfo(zone)).date()
        try:
            raw = self._guard.get(url, most=MOST_BYTES, patience=PATIENCE, accept="text/calendar")
            return reading.feed(raw, zone=zone, first=today - PAST, last=today + FUTURE), ""
        except (http.Refused, reading.Unreadable) as why:
            return None, str(why)


def keep(s: Session, calendar_id: int, url: str, found: reading.Found | None, problem: str, *, now: datetime) -> None:
    """What was read, or why it wasn't. What is wrong leaves the calendar and what was read before as they are."""
    calendar = s.scalar(select(Calendar).where(Calendar.id == calendar_id).with_for_update(key_share=True))
    feed = s.get(Feed, calendar_id, with_for_update=True)
    if calendar is None or feed is None or feed.url != url:
        return  # somebody chose another one meanwhile
    feed.next_at = now + (SOON if problem else DAILY)
    feed.fetched_at = now
    if found is not None:
        calendar.revision += feed.found != found
        feed.found = found
        if feed.automatic:
            try:
                with s.begin_nested():
                    _take_over(s, calendar, feed, by=None, now=now)
            except Invalid as wrong:
                problem = wrong.message
    if problem and feed.problem is None:
        feed.since = now
        log.warning("a calendar's feed can't be used", extra={"calendar": calendar_id, "reason": problem})
    feed.problem, feed.since = (problem, feed.since) if problem else (None, None)


def _take_over(s: Session, calendar: Calendar, feed: Feed, *, by: By, now: datetime) -> None:
    """A version for each piece that holds now or will, where the feed makes any of them another one. Raises Invalid."""
    said = queries.pieces(s, calendar.id)
    present = [(now, queries.holding(said, now)), *((since, spec) for since, spec in said if since > now)]
    wanted = [(since, rules.merged(spec, feed.found or [], now)) for since, spec in present]
    if any(_differ(old, new) for (_, old), (_, new) in zip(present, wanted, strict=True)):
        for since, spec in wanted:
            pruned = rules.without_old(spec, now)
            calendars.change(s, calendar, pruned, by=by, now=now, effective_from=since, why="its feed says so")


def _differ(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return any(rules.difference(old, new).values())


def _of(s: Session, calendar: Calendar) -> Feed:
    feed = s.get(Feed, calendar.id, with_for_update=True)
    if feed is None:
        raise NotFound("This calendar follows no feed.")
    return feed


def _record(s: Session, calendar: Calendar, what: str, by: By, now: datetime, **more: Any) -> None:
    audit.record(s, Event.CALENDAR_CHANGED, now=now, by=by, calendar=calendar.id, name=calendar.name, what=what, **more)

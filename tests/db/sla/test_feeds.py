"""A calendar that follows a feed: read from a real server, told as a difference, taken over by a person or by itself."""

import socket
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from app.core.errors import Invalid, NotFound
from app.core.http import Guard
from app.core.priority import Priority
from app.db.session import Database, Session
from app.db.session import now as database_now
from app.hours import actions, queries
from app.hours.models import Calendar, CalendarVersion, Feed
from app.sla import actions as sla
from app.sla import feeds, rebuild
from app.sla.feeds import Feeds
from app.sla.queries import clocks
from app.sla.rules import Moment
from tests.db.sla.known import nothing_more, of
from tests.unit.core.test_http import certified, local, named, says, serving
from tests.unit.hours.test_reading import ics

pytestmark = pytest.mark.db

BOB = (7, "Bob")
OFFICE = [[["09:00", "17:00"]]] * 5 + [[], []]


class Published:
    """A feed on a server of our own, which answers what `says` is."""

    def __init__(self, database: Database, url: str, guard: Guard) -> None:
        self.database, self.url = database, url
        self.body, self.status = ics(), "200 OK"
        self.feeds = Feeds(database, guard)

    def answer(self, line: socket.socket) -> None:
        says(self.body, self.status)(line)

    def holidays(self, *days: datetime) -> None:
        self.body = ics(*(f"DTSTART;VALUE=DATE:{day:%Y%m%d}\r\nSUMMARY:Feast" for day in days))

    def read(self) -> None:
        """Read it again, and all that is due."""
        with self.database.transaction() as s:
            s.execute(update(Feed).values(next_at=database_now(s)))
        while self.feeds.turn() == 0.0:
            pass


@pytest.fixture
def published(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Published]:
    server, client = certified("feed.example", tmp_path)
    named(monkeypatch, {"feed.example": ["127.0.0.2"]})
    made: list[Published] = []
    with serving(lambda line: made[0].answer(line), server) as (port, _):  # noqa: PLW0108 (made a moment later)
        guard = Guard(may_reach=local, ports=(port,), trusted=client)
        made.append(Published(database, f"https://feed.example:{port}/holidays.ics", guard))
        yield made[0]


@pytest.fixture
def followed(published: Published) -> Callable[..., int]:
    def follow(*, automatic: bool = False) -> int:
        with published.database.transaction() as s:
            now = database_now(s)
            made = actions.add(s, "Office", zone="Europe/Berlin", week=OFFICE, by=BOB, now=now)
            feeds.follow(s, made, published.url, automatic=automatic, by=BOB, now=now)
            return made.id

    return follow


def told(published: Published, calendar: int) -> dict[str, Any]:
    with published.database.reading() as c:
        return queries.told(c, calendar, now=now(published))


def now(published: Published) -> datetime:
    with published.database.transaction() as s:
        return database_now(s)


def in_days(published: Published, days: int) -> datetime:
    return now(published) + timedelta(days=days)


def test_what_a_feed_says_is_proposed_and_taken_over_when_somebody_says_so(
    published: Published, followed: Callable[..., int]
) -> None:
    calendar, day = followed(), in_days(published, 10)
    published.holidays(day)
    published.read()
    entry = {"date": f"{day:%Y-%m-%d}", "name": "Feast", "feed": True}
    assert told(published, calendar)["feed"]["proposal"] == {"added": [entry], "dropped": []}
    assert told(published, calendar)["holds"]["closed"] == []

    with published.database.transaction() as s:
        feeds.accept(s, actions.held(s, calendar), by=BOB, now=database_now(s))

    said = told(published, calendar)
    assert (said["holds"]["closed"], said["feed"]["proposal"]) == ([entry], {"added": [], "dropped": []})
    assert (said["versions"][0]["actor"], said["versions"][0]["why"]) == ("Bob", "its feed says so")


def test_a_calendar_may_take_over_by_itself_and_an_unchanged_feed_is_no_version(
    published: Published, followed: Callable[..., int]
) -> None:
    calendar = followed(automatic=True)
    published.holidays(in_days(published, 10), in_days(published, 20))
    published.read()
    published.read()
    assert len(told(published, calendar)["versions"]) == 2
    published.holidays(in_days(published, 10))
    published.read()
    said = told(published, calendar)
    assert (len(said["versions"]), len(said["holds"]["closed"])) == (3, 1)
    assert said["versions"][0]["actor"] == "desk"


def test_zammad_390_a_deadline_says_which_days_of_a_feed_put_it_off(published: Published) -> None:
    """Also of a clock that ran already when the feed was read."""
    day = in_days(published, 1)
    published.holidays(day)
    with published.database.transaction() as s:
        sla.ensure_defaults(s, now=database_now(s))
        calendar = s.scalars(select(Calendar)).one()
        feeds.follow(s, calendar, published.url, automatic=True, by=BOB, now=database_now(s))
        sla.happened(s, 1, Moment.ACCEPTED, at=database_now(s), facts=of(Priority.LOW))
    published.read()
    with published.database.transaction() as s:
        while rebuild.step(s, nothing_more):
            pass
        clock = next(clock for clock in clocks(s, 1) if clock["metric"] == "first_response")
    assert f"{day:%a} {day.day} {day:%b} closed: Feast" in clock["explanation"]
    due, began = (datetime.fromisoformat(clock[name]) for name in ("due_at", "started_at"))
    assert due - began == timedelta(hours=24) + timedelta(days=1)


def test_hours_that_were_planned_stay_planned(published: Published, followed: Callable[..., int]) -> None:
    calendar, later = followed(automatic=True), in_days(published, 30)
    late = [[["13:00", "21:00"]]] * 5 + [[], []]
    with published.database.transaction() as s:
        spec = {"zone": "Europe/Berlin", "week": late, "closed": [], "instead": []}
        actions.change(s, actions.held(s, calendar), spec, by=BOB, now=database_now(s), effective_from=later)
    published.holidays(in_days(published, 40))
    published.read()
    published.read()
    with published.database.transaction() as s:
        held = queries.pieces(s, calendar)
        versions = s.scalars(select(CalendarVersion.id).where(CalendarVersion.calendar_id == calendar)).all()
    assert [spec["week"] for _, spec in held] == [OFFICE, OFFICE, late]
    assert [len(spec["closed"]) for _, spec in held] == [0, 1, 1]
    assert len(versions) == 4


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        ("404 Not Found", b"", "feed.example answers 404"),
        ("200 OK", b"<html>", "no calendar in the form of iCalendar"),
        ("200 OK", b"x" * (feeds.MOST_BYTES + 1), "sends more than"),
    ],
)
def test_what_goes_wrong_is_told_in_words_and_what_was_read_stays(
    published: Published, followed: Callable[..., int], status: str, body: bytes, reason: str
) -> None:
    calendar = followed()
    published.holidays(in_days(published, 10))
    published.read()
    before, good = told(published, calendar), published.body
    published.status, published.body = status, body
    published.read()
    published.read()
    said = told(published, calendar)
    assert reason in said["feed"]["problem"]
    assert said["feed"]["proposal"] == before["feed"]["proposal"]
    assert said["feed"]["since"] < said["feed"]["fetched_at"], "told since it began"
    published.status, published.body = "200 OK", good
    published.read()
    assert (told(published, calendar)["feed"]["problem"], told(published, calendar)["feed"]["since"]) == (None, None)


def test_a_feed_can_not_close_a_calendar_for_good(published: Published, followed: Callable[..., int]) -> None:
    calendar = followed(automatic=True)
    published.holidays(*(in_days(published, n) for n in range(1, 420)))
    published.read()
    said = told(published, calendar)
    assert "never opens in the 400 days" in said["feed"]["problem"]
    assert len(said["versions"]) == 1
    with published.database.transaction() as s, pytest.raises(Invalid, match="never opens"):
        feeds.accept(s, actions.held(s, calendar), by=BOB, now=database_now(s))


def test_only_the_open_net_is_asked(database: Database, followed: Callable[..., int], published: Published) -> None:
    calendar = followed()
    published.feeds = Feeds(database, feeds.guard("https://desk.example"))
    published.read()
    assert "not for this" in told(published, calendar)["feed"]["problem"]
    with database.transaction() as s:
        s.execute(update(Feed).values(url="https://feed.example/x"))
    published.read()
    assert "not on the open net" in told(published, calendar)["feed"]["problem"]


@pytest.mark.parametrize("url", ["http://feed.example/x", "file:///etc/passwd", "https://x\n/", "https://x/" + "y" * 2000])
def test_an_address_is_one_of_https(s: Session, now: datetime, url: str) -> None:
    made = actions.add(s, "Office", zone="UTC", week=OFFICE, by=BOB, now=now)
    with pytest.raises(Invalid, match="begins with https://"):
        feeds.follow(s, made, url, automatic=False, by=BOB, now=now)


def test_another_address_forgets_what_the_first_one_said(s: Session, now: datetime) -> None:
    made = actions.add(s, "Office", zone="UTC", week=OFFICE, by=BOB, now=now)
    feeds.follow(s, made, "https://feed.example/a", automatic=False, by=BOB, now=now)
    feeds.keep(s, made.id, "https://feed.example/a", [], "", now=now)
    feeds.follow(s, made, "https://feed.example/b", automatic=True, by=BOB, now=now)
    feeds.keep(s, made.id, "https://feed.example/a", [{"date": "2030-01-01", "name": "late"}], "", now=now)
    with pytest.raises(NotFound, match="not read yet"):
        feeds.accept(s, made, by=BOB, now=now)
    feeds.unfollow(s, made, by=BOB, now=now)
    s.flush()
    with pytest.raises(NotFound, match="follows no feed"):
        feeds.refresh(s, made, now=now)


def test_two_processes_never_read_one_feed_at_once(published: Published, followed: Callable[..., int]) -> None:
    followed()
    with published.database.transaction() as s:
        s.scalars(select(Feed).with_for_update()).all()
        assert published.feeds.turn() == feeds.LOOK

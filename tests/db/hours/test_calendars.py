"""Calendars as rows: versions that are never changed, edits that say when they hold, and what is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.audit.models import Event
from app.core.errors import Invalid, NotFound
from app.db.session import Session
from app.hours import actions, queries, zones
from app.hours.models import Calendar, CalendarVersion

pytestmark = pytest.mark.db

BOB = (7, "Bob")
HOUR = timedelta(hours=1)
OFFICE = [[["09:00", "17:00"]]] * 5 + [[], []]
LATE = [[["13:00", "21:00"]]] * 5 + [[], []]
HOLIDAY = {"date": "2026-12-25", "name": "Christmas"}


def spec(week: list[Any] = OFFICE, **more: Any) -> dict[str, Any]:
    return {"zone": "Europe/Berlin", "week": week, "closed": [], "instead": [], **more}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def office(s: Session, now: datetime) -> Calendar:
    return actions.add(s, "Office", zone="Europe/Berlin", week=OFFICE, by=BOB, now=now)


def versions(s: Session, calendar: Calendar) -> list[CalendarVersion]:
    query = select(CalendarVersion).where(CalendarVersion.calendar_id == calendar.id)
    return list(s.scalars(query.order_by(CalendarVersion.id)))


def test_a_new_calendar_holds_for_all_of_the_past(s: Session, office: Calendar) -> None:
    assert queries.hours(s, office.id).elapsed(utc("1999-11-22T00:00"), utc("1999-11-23T00:00")) == 8 * HOUR
    [version] = versions(s, office)
    assert (version.actor_id, version.actor, version.effective_from) == (7, "Bob", actions.EVER)


def test_an_edit_holds_from_now_on_and_leaves_what_was_said(s: Session, now: datetime, office: Calendar) -> None:
    assert actions.change(s, office, spec(LATE), by=BOB, now=now)
    first, second = versions(s, office)
    assert (first.spec["week"], second.spec["week"], second.effective_from) == (OFFICE, LATE, now)
    last_week = (now - timedelta(days=14), now - timedelta(days=7))
    both = queries.reckoned(s, [first.id, second.id])
    assert both[first.id].elapsed(*last_week) == both[second.id].elapsed(*last_week) == 40 * HOUR
    assert both[first.id] is queries.reckoned(s, [first.id])[first.id], "worked out once"
    assert office.revision == 2


def test_an_edit_may_hold_from_a_date_to_come(s: Session, office: Calendar) -> None:
    now, later = utc("2026-12-01T10:00"), utc("2027-01-04T00:00")
    actions.change(s, office, spec(LATE), by=BOB, now=now, effective_from=later)
    said = queries.told(s, office.id, now=now)
    assert said["holds"]["week"] == OFFICE
    assert queries.told(s, office.id, now=later)["holds"]["week"] == LATE
    hours = queries.hours(s, office.id)
    assert hours.deadline(utc("2026-12-14T08:00"), HOUR) == utc("2026-12-14T09:00")
    assert hours.deadline(utc("2027-01-11T08:00"), HOUR) == utc("2027-01-11T13:00")


def test_an_edit_of_the_past_takes_a_word_more(s: Session, now: datetime, office: Calendar) -> None:
    past = now - timedelta(days=30)
    with pytest.raises(Invalid, match="Say that you mean it"):
        actions.change(s, office, spec(LATE), by=BOB, now=now, effective_from=past)
    actions.change(s, office, spec(LATE), by=BOB, now=now, effective_from=past, retroactive=True)
    assert versions(s, office)[-1].effective_from == past
    assert s.info["audit"][-1]["data"]["retroactive"] is True


def test_saying_the_same_again_is_no_version(s: Session, now: datetime, office: Calendar) -> None:
    assert not actions.change(s, office, spec(), by=BOB, now=now)
    assert (len(versions(s, office)), office.revision) == (1, 1)


def test_the_audit_knows_who_said_what_before_and_after(s: Session, now: datetime, office: Calendar) -> None:
    actions.change(s, office, spec(closed=[HOLIDAY]), by=BOB, now=now)
    entry = s.info["audit"][-1]
    assert (entry["kind"], entry["actor_id"], entry["data"]["what"]) == (Event.CALENDAR_CHANGED, 7, "changed")
    assert entry["data"]["closed"] == [[], [HOLIDAY]]
    assert "week" not in entry["data"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"zone": "Europe/Berlim"}, "did you mean Europe/Berlin"),
        ({"week": [[]] * 7}, "never opens"),
        ({"closed": [HOLIDAY, HOLIDAY]}, "named twice"),
        ({"closed": [{"date": "2026-02-30", "name": "x"}]}, "no date that exists"),
    ],
)
def test_what_can_not_be_is_refused_in_words(
    s: Session, now: datetime, office: Calendar, bad: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Invalid, match=reason):
        actions.change(s, office, spec() | bad, by=BOB, now=now)
    assert len(versions(s, office)) == 1


def test_names_are_their_own_until_a_calendar_is_removed(s: Session, now: datetime, office: Calendar) -> None:
    with s.begin_nested(), pytest.raises(actions.NameTaken):
        actions.add(s, "Office", zone="UTC", week=OFFICE, by=BOB, now=now)
    s.rollback()


def test_a_removed_calendar_is_not_offered_and_still_explains_what_it_measured(
    s: Session, now: datetime, office: Calendar
) -> None:
    actions.remove(s, office, by=BOB, now=now)
    s.flush()
    with pytest.raises(NotFound):
        actions.held(s, office.id)
    with pytest.raises(NotFound):
        queries.told(s, office.id, now=now)
    assert "Office" not in [each["name"] for each in queries.listed(s.connection(), now=now)]
    assert queries.hours(s, office.id).elapsed(utc("1999-11-22T00:00"), utc("1999-11-23T00:00")) == 8 * HOUR
    actions.add(s, "Office", zone="UTC", week=OFFICE, by=BOB, now=now)


def test_a_new_name_is_told(s: Session, now: datetime, office: Calendar) -> None:
    actions.rename(s, office, "  Head office ", by=BOB, now=now)
    assert (office.name, office.revision) == ("Head office", 2)
    assert s.info["audit"][-1]["data"]["before"] == "Office"
    with pytest.raises(Invalid, match="at least one letter"):
        actions.rename(s, office, " ", by=BOB, now=now)


def test_other_rules_of_a_time_zone_make_a_version_that_says_the_same(
    s: Session, now: datetime, office: Calendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    actions.change(s, office, spec(LATE), by=BOB, now=now, effective_from=now + timedelta(days=3))
    assert office.id not in actions.renew_zones(s, now=now)
    monkeypatch.setattr(zones, "rules_of", lambda zone: zone.encode())
    assert office.id in actions.renew_zones(s, now=now)
    _, before, renewed = versions(s, office)
    assert (renewed.spec, renewed.effective_from) == (before.spec, before.effective_from)
    assert (renewed.actor_id, renewed.why) == (None, "the rules of its time zone changed")
    assert actions.renew_zones(s, now=now) == []


def test_the_openings_to_come_are_told(s: Session, now: datetime, office: Calendar) -> None:
    actions.change(s, office, spec(closed=[HOLIDAY]), by=BOB, now=now, effective_from=utc("2026-01-01T00:00"), retroactive=True)
    told = queries.openings(s, office.id, start=utc("2026-12-24T00:00"), days=5)
    assert [(part.from_at, part.length, part.note) for part in told] == [
        (utc("2026-12-24T08:00"), 8 * HOUR, ""),
        (utc("2026-12-24T23:00"), timedelta(0), "Christmas"),
        (utc("2026-12-28T08:00"), 8 * HOUR, ""),
    ]

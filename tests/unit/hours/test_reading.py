"""Holidays and feeds, read by the real child: what they say, and what they can't do to us."""

from datetime import date

import pytest

from app.core.errors import Invalid
from app.hours import reading

FIRST, LAST = date(2025, 12, 1), date(2029, 12, 1)


def ics(*events: str) -> bytes:
    made = "".join(
        f"BEGIN:VEVENT\r\nUID:{n}\r\nDTSTAMP:20260101T000000Z\r\n{event}\r\nEND:VEVENT\r\n" for n, event in enumerate(events)
    )
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{made}END:VCALENDAR\r\n".encode()


def read(*events: str, zone: str = "Europe/Berlin") -> reading.Found:
    return reading.feed(ics(*events), zone=zone, first=FIRST, last=LAST)


def test_holidays_of_a_region_are_proposed() -> None:
    found = reading.proposals("DE", "BY", [2026, 2027])
    assert [day["date"] for day in found][:3] == ["2026-01-01", "2026-01-06", "2026-04-03"]
    assert {day["date"][:4] for day in found} == {"2026", "2027"}
    assert "2026-01-06" not in [day["date"] for day in reading.proposals("DE", "BE", [2026])]


def test_their_names_are_in_the_language_asked_for() -> None:
    [german] = [day["name"] for day in reading.proposals("DE", None, [2026], "de") if day["date"] == "2026-01-01"]
    [english] = [day["name"] for day in reading.proposals("DE", None, [2026], "en_US") if day["date"] == "2026-01-01"]
    assert (german, english) == ("Neujahr", "New Year's Day")


@pytest.mark.parametrize(
    ("country", "part", "language", "reason"),
    [
        ("XX", None, None, "no holidays of 'XX'"),
        ("DE", "QQ", None, "no subdivision 'QQ'; known are: BB, BE"),
        ("DE", None, "tlh", "no names in 'tlh'; known are: de"),
    ],
)
def test_what_is_not_known_is_said_with_what_is(country: str, part: str | None, language: str | None, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        reading.proposals(country, part, [2026], language)


def test_days_and_days_of_every_year_are_closed() -> None:
    found = read(
        "DTSTART;VALUE=DATE:20261224\r\nDTEND;VALUE=DATE:20261227\r\nSUMMARY:Company closed\r\nTRANSP:TRANSPARENT",
        "DTSTART;VALUE=DATE:20200501\r\nRRULE:FREQ=YEARLY\r\nSUMMARY:Labour Day",
    )
    assert found == [
        {"date": "2026-05-01", "name": "Labour Day"},
        {"date": "2026-12-24", "name": "Company closed"},
        {"date": "2026-12-25", "name": "Company closed"},
        {"date": "2026-12-26", "name": "Company closed"},
        {"date": "2027-05-01", "name": "Labour Day"},
        {"date": "2028-05-01", "name": "Labour Day"},
        {"date": "2029-05-01", "name": "Labour Day"},
    ]


def test_what_has_hours_is_told_in_minutes_of_the_calendars_zone() -> None:
    found = read("DTSTART:20260601T080000Z\r\nDTEND:20260601T093000Z\r\nSUMMARY:Training")
    assert found == [{"date": "2026-06-01", "name": "Training", "busy": [[600, 690]]}]


def test_a_night_is_told_on_both_days() -> None:
    found = read("DTSTART;TZID=Europe/Berlin:20260601T220000\r\nDURATION:PT5H\r\nSUMMARY:Move")
    assert [(day["date"], day["busy"]) for day in found] == [("2026-06-01", [[1320, 1440]]), ("2026-06-02", [[0, 180]])]


def test_a_minute_that_is_begun_is_busy_and_a_time_without_a_zone_is_the_calendars() -> None:
    found = read("DTSTART:20260601T080030\r\nDTEND:20260601T093030\r\nSUMMARY:Training")
    assert found == [{"date": "2026-06-01", "name": "Training", "busy": [[480, 571]]}]


def test_a_day_that_is_closed_as_a_whole_is_closed_whatever_else_is_on() -> None:
    whole, some = (
        "DTSTART;VALUE=DATE:20260601\r\nSUMMARY:Feast",
        "DTSTART:20260601T080000Z\r\nDTEND:20260601T093000Z\r\nSUMMARY:Mass",
    )
    for events in ((whole, some), (some, whole)):
        [day] = read(*events)
        assert (day["date"], "busy" in day) == ("2026-06-01", False)


def test_one_event_that_is_moved_moves_alone() -> None:
    every = "DTSTART;VALUE=DATE:20260501\r\nRRULE:FREQ=YEARLY;COUNT=2\r\nSUMMARY:Outing"
    raw = ics(every, "RECURRENCE-ID;VALUE=DATE:20270501\r\nDTSTART;VALUE=DATE:20270503\r\nSUMMARY:Outing")
    found = reading.feed(raw.replace(b"UID:1\r\n", b"UID:0\r\n"), zone="UTC", first=FIRST, last=LAST)
    assert [day["date"] for day in found] == ["2026-05-01", "2027-05-03"]


def test_an_event_that_can_not_be_leaves_the_others() -> None:
    bad = "DTSTART;VALUE=DATE:20260501\r\nRRULE:FREQ=SOMETIMES\r\nSUMMARY:x"
    assert [day["date"] for day in read(bad, "DTSTART;VALUE=DATE:20260601\r\nSUMMARY:y")][-1:] == ["2026-06-01"]


def test_an_exception_and_what_is_cancelled_are_left_out() -> None:
    found = read(
        "DTSTART;VALUE=DATE:20260501\r\nRRULE:FREQ=YEARLY;COUNT=3\r\nEXDATE;VALUE=DATE:20270501\r\nSUMMARY:x",
        "DTSTART;VALUE=DATE:20260601\r\nSTATUS:CANCELLED\r\nSUMMARY:y",
    )
    assert [day["date"] for day in found] == ["2026-05-01", "2028-05-01"]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"<html>Sign in</html>", "no calendar in the form of iCalendar"),
        (b"", "no calendar in the form of iCalendar"),
        (b"\x00\xff" * 1000, "no calendar in the form of iCalendar"),
        (ics("DTSTART;VALUE=DATE:20251201\r\nRRULE:FREQ=DAILY\r\nSUMMARY:x"), "closes more than 1000 days"),
    ],
)
def test_what_is_no_calendar_of_holidays_is_told_in_words(raw: bytes, reason: str) -> None:
    with pytest.raises(reading.Unreadable, match=reason):
        reading.feed(raw, zone="UTC", first=FIRST, last=LAST)


def test_what_repeats_every_second_for_ever_is_ended() -> None:
    endless = ics("DTSTART:20200101T000000Z\r\nDTEND:20200101T000001Z\r\nRRULE:FREQ=SECONDLY\r\nSUMMARY:x")
    with pytest.raises(reading.Unreadable, match=r"too much computing time|too much memory|longer than 20 s"):
        reading.feed(endless, zone="UTC", first=FIRST, last=LAST)

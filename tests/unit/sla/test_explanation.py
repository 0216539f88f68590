"""The arithmetic, for people."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from app.hours.rules import hours
from app.sla.rules import Metric, explain, fire
from app.sla.rules.clock import Clock, end, fulfil, pause, resume, retarget, revive, set_aside, start, take_back
from app.sla.rules.explanation import length
from app.sla.rules.words import Outcome
from tests.unit.sla.promises import HOUR, MINUTE, MONDAY, SECOND, goal

PROMISED = "promised 8 h (medium priority) from Mon 23 Nov 14:00"


def begun() -> Clock:
    return start(Metric.RESOLUTION, 1, goal(8 * HOUR), MONDAY)


def test_it_says_what_ran_what_paused_and_when_it_is_due() -> None:
    clock = resume(pause(begun(), MONDAY + 3 * HOUR), MONDAY + 20 * HOUR)
    assert explain(clock, UTC) == [
        PROMISED,
        "ran Mon 23 Nov 14:00\N{EN DASH}17:00 = 3 h",
        "paused Mon 23 Nov 17:00 \N{EN DASH} Tue 24 Nov 10:00 while waiting for the customer",
        "runs since Tue 24 Nov 10:00, 5 h left then",
        "due Tue 24 Nov 15:00 UTC",
    ]


def test_it_speaks_in_the_readers_time_zone() -> None:
    assert explain(begun(), ZoneInfo("Asia/Kathmandu"))[-1] == "due Tue 24 Nov 03:45 +0545"


def test_in_the_night_in_which_clocks_are_put_back_it_says_which_of_two_times_it_means() -> None:
    clock = start(Metric.RESOLUTION, 1, goal(HOUR), datetime(2026, 4, 4, 14, 45, tzinfo=UTC))
    lines = explain(fulfil(clock, clock.started_at + 30 * MINUTE), ZoneInfo("Australia/Lord_Howe"))
    assert lines == [
        "promised 1 h (medium priority) from Sun 5 Apr 01:45 +11",
        "ran Sun 5 Apr 01:45 +11\N{EN DASH}01:45 +1030 = 30 min",
        "done Sun 5 Apr 01:45 +1030, 30 min before it was due Sun 5 Apr 02:15 +1030",
    ]


def test_while_paused_it_names_no_due_time() -> None:
    lines = explain(pause(begun(), MONDAY + 3 * HOUR), UTC)
    assert lines[-1] == "paused since Mon 23 Nov 17:00, 5 h left then"


def test_it_says_how_much_before_the_due_time_it_was_done() -> None:
    lines = explain(fulfil(begun(), MONDAY + 90 * MINUTE), UTC)
    assert lines[-1] == "done Mon 23 Nov 15:30, 6 h 30 min before it was due Mon 23 Nov 22:00 UTC"


def test_it_says_what_was_missed_and_how_late_it_was_done() -> None:
    missed, _ = fire(begun(), MONDAY + 9 * HOUR)
    assert explain(missed, UTC)[1:] == ["runs since Mon 23 Nov 14:00, 8 h left then", "missed: was due Mon 23 Nov 22:00 UTC"]
    lines = explain(fulfil(missed, MONDAY + 9 * HOUR + 7 * SECOND), UTC)
    assert lines[-2:] == ["missed: was due Mon 23 Nov 22:00 UTC", "done Mon 23 Nov 23:00:07, 1 h 7 s late"]


def test_it_says_why_a_clock_stopped() -> None:
    lines = explain(end(begun(), MONDAY + HOUR, Outcome.CLOSED_UNANSWERED), UTC)
    assert lines[-1] == "stopped Mon 23 Nov 15:00: resolved without an answer"


def test_the_time_it_was_resolved_does_not_count() -> None:
    clock = revive(fulfil(begun(), MONDAY + HOUR), MONDAY + 2 * HOUR, goal(8 * HOUR))
    assert explain(clock, UTC)[2] == "paused Mon 23 Nov 15:00\N{EN DASH}16:00 while it was resolved"


def test_a_length_is_in_hours_minutes_and_seconds_and_never_in_days() -> None:
    assert length(timedelta(days=5)) == "120 h"
    assert length(timedelta(hours=1, minutes=2, seconds=3)) == "1 h 2 min 3 s"
    assert length(timedelta(0)) == "0 s"
    assert length(timedelta(seconds=1.6)) == "2 s"


def test_the_time_its_ticket_was_away_does_not_count() -> None:
    away = set_aside(begun(), MONDAY + HOUR, Outcome.MERGED)
    assert explain(away, UTC)[-1] == "stopped Mon 23 Nov 15:00: the ticket was merged into another"
    back = take_back(away, MONDAY + 2 * HOUR, goal(8 * HOUR))
    assert explain(back, UTC)[2] == "paused Mon 23 Nov 15:00\N{EN DASH}16:00 while it was merged or in the trash"


def test_what_was_counted_only_in_case_a_policy_fits_again_is_told_when_one_does() -> None:
    off = retarget(begun(), None, MONDAY + HOUR)
    told = [
        PROMISED,
        "ran Mon 23 Nov 14:00\N{EN DASH}15:00 = 1 h",
        "stopped Mon 23 Nov 15:00: no policy fits the ticket any more",
    ]
    assert (
        explain(off, UTC) == explain(pause(off, MONDAY + 3 * HOUR), UTC) == explain(fulfil(off, MONDAY + 99 * HOUR), UTC) == told
    )
    again = retarget(pause(off, MONDAY + 3 * HOUR), goal(8 * HOUR), MONDAY + 4 * HOUR)
    assert explain(again, UTC)[1:] == [
        "ran Mon 23 Nov 14:00\N{EN DASH}17:00 = 3 h",
        "paused since Mon 23 Nov 17:00, 5 h left then",
    ]


BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = hours(
    BERLIN,
    [[["09:00", "17:00"]]] * 5 + [[], []],
    closed=[{"date": "2026-11-25", "name": "Moving day"}],
    instead=[{"date": "2026-11-26", "name": "Half a day", "hours": [["09:00", "12:00"]]}],
)


def test_it_says_opening_by_opening_what_counted_and_which_days_did_not() -> None:
    clock = start(Metric.RESOLUTION, 1, goal(12 * HOUR, hours=OFFICE), MONDAY)  # 15:00 in Berlin
    assert explain(clock, BERLIN) == [
        "promised 12 h (medium priority) from Mon 23 Nov 15:00",
        "runs since Mon 23 Nov 15:00, 12 h left then",
        "Mon 23 Nov 15:00\N{EN DASH}17:00 = 2 h",
        "Tue 24 Nov 09:00\N{EN DASH}17:00 = 8 h",
        "Wed 25 Nov closed: Moving day",
        "Thu 26 Nov 09:00\N{EN DASH}11:00 = 2 h (Half a day)",
        "due Thu 26 Nov 11:00 CET",
    ]


def test_a_closed_day_elsewhere_is_told_by_its_hours_here() -> None:
    clock = start(Metric.RESOLUTION, 1, goal(12 * HOUR, hours=OFFICE), MONDAY)
    assert "Tue 24 Nov 23:00 \N{EN DASH} Wed 25 Nov 23:00 closed: Moving day" in explain(clock, UTC)


def test_the_parts_of_a_stretch_add_up_to_it() -> None:
    clock = resume(
        pause(start(Metric.RESOLUTION, 1, goal(12 * HOUR, hours=OFFICE), MONDAY), MONDAY + 20 * HOUR), MONDAY + 90 * HOUR
    )
    assert explain(clock, BERLIN)[1:4] == [
        "ran Mon 23 Nov 15:00 \N{EN DASH} Tue 24 Nov 11:00 = 4 h",
        "Mon 23 Nov 15:00\N{EN DASH}17:00 = 2 h",
        "Tue 24 Nov 09:00\N{EN DASH}11:00 = 2 h",
    ]


def test_of_a_long_time_it_says_the_beginning_and_how_much_more_there_was() -> None:
    lines = explain(start(Metric.RESOLUTION, 1, goal(400 * HOUR, hours=OFFICE), MONDAY), BERLIN)
    assert len(lines) < 20
    assert lines[-2].startswith("and ")
    assert lines[-2].split(" = ")[0].endswith(lines[-1].removeprefix("due ").removesuffix(" CET"))

"""What a feed of closed days does to a calendar, and what it leaves alone."""

from datetime import UTC, datetime
from typing import Any

from app.hours.rules import days
from app.hours.rules.feed import difference, merged, without_old

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
OFFICE = [[["09:00", "12:00"], ["13:00", "17:00"]]] * 5 + [[], []]
NIGHTS = [[["22:00", "06:00"]]] * 7
CHRISTMAS = {"date": "2026-12-25", "name": "Christmas"}


def spec(week: list[Any] = OFFICE, **more: Any) -> dict[str, Any]:
    return {"zone": "UTC", "week": week, "closed": [], "instead": [], **more}


def busy(date: str, *spans: tuple[int, int], name: str = "Meeting") -> dict[str, Any]:
    return {"date": date, "name": name, "busy": [[a * 60, b * 60] for a, b in spans]}


def test_a_whole_day_is_closed() -> None:
    assert merged(spec(), [CHRISTMAS], NOW)["closed"] == [CHRISTMAS | {"feed": True}]


def test_what_has_a_beginning_and_an_end_shortens_the_day() -> None:
    made = merged(spec(), [busy("2026-12-02", (11, 14))], NOW)
    assert made["instead"] == [
        {"date": "2026-12-02", "name": "Meeting", "feed": True, "hours": [["09:00", "11:00"], ["14:00", "17:00"]]}
    ]


def test_nothing_left_of_a_day_is_closed_and_nothing_taken_is_nothing() -> None:
    made = merged(spec(), [busy("2026-12-02", (8, 20)), busy("2026-12-03", (18, 20)), busy("2026-12-05", (9, 12))], NOW)
    assert made["closed"] == [{"date": "2026-12-02", "name": "Meeting", "feed": True}]
    assert made["instead"] == []


def test_the_morning_after_shortens_the_night_that_began_the_day_before() -> None:
    made = merged(spec(NIGHTS), [busy("2026-12-10", (2, 4))], NOW)
    assert made["instead"] == [
        {"date": "2026-12-09", "name": "Meeting", "feed": True, "hours": [["22:00", "02:00"]]},
        {"date": "2026-12-10", "name": "Meeting", "feed": True, "hours": [["04:00", "06:00"], ["22:00", "06:00"]]},
    ]


def test_a_persons_entry_counts_before_the_feeds() -> None:
    own = spec(
        closed=[{"every": "12-25", "name": "ours"}],
        instead=[{"date": "2026-12-24", "name": "Eve", "hours": [["09:00", "12:00"]]}],
    )
    found = [CHRISTMAS, {"date": "2026-12-24", "name": "Christmas Eve"}, busy("2026-12-24", (9, 11))]
    assert difference(own, merged(own, found, NOW)) == {"added": [], "dropped": []}


def test_what_a_feed_says_no_more_goes_unless_it_has_passed() -> None:
    before = merged(spec(), [CHRISTMAS, {"date": "2026-12-02", "name": "Today"}], NOW)
    later = datetime(2026, 12, 10, tzinfo=UTC)
    after = merged(before, [], later)
    assert [entry["name"] for entry in after["closed"]] == ["Today"]
    assert difference(before, after) == {"added": [], "dropped": [CHRISTMAS | {"feed": True}]}
    assert without_old(after, datetime(2027, 12, 2, tzinfo=UTC))["closed"] == after["closed"], "for a year"
    assert without_old(after, datetime(2028, 1, 1, tzinfo=UTC))["closed"] == []


def test_a_day_that_is_over_in_greenwich_may_go_on_elsewhere() -> None:
    yesterday = {"date": "2026-11-30", "name": "Feast"}
    assert merged(spec(), [yesterday, {"date": "2026-11-29", "name": "Over"}], NOW)["closed"] == [yesterday | {"feed": True}]


def test_an_unchanged_feed_changes_nothing_as_days_go_by() -> None:
    found = [{"date": "2026-12-02", "name": "Today"}, busy("2026-12-03", (0, 24)), CHRISTMAS]
    before = merged(spec(), found, NOW)
    for day in range(2, 31):
        after = merged(before, found, datetime(2026, 12, day, tzinfo=UTC))
        assert not any(difference(before, after).values())


def test_what_comes_out_is_a_calendar() -> None:
    found = [CHRISTMAS, busy("2026-12-10", (2, 4)), busy("2026-12-11", (0, 24)), busy("2026-12-12", (23, 24))]
    made = merged(spec(NIGHTS), found, NOW)
    days(UTC, made["week"], made["closed"], made["instead"])

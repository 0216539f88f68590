"""What a calendar says of each date: a week, days that are closed, and days that are different.

An interval belongs to the date on which it begins: a holiday closes what begins on it, and a night shift of the eve goes on into
it. A date's own entry counts before one of every year.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta, tzinfo
from itertools import pairwise
from typing import Any

from app.hours.rules.words import MIDNIGHT, MOST_SPECIAL, BadHours, Span, Spans, a_date, every_year, overlap, spans

DAY = timedelta(days=1)
CLOSED_FOR = 400  # days without an opening that are too many
CYCLE = 28 * 366  # days after which dates fall on the same weekdays again, leap days too
SOME_DAY = date(2026, 1, 1)  # where a walk begins that may begin anywhere
ROUND_THE_CLOCK = ((0, MIDNIGHT),)

Special = Mapping[str, Any]  # {"date": "2026-12-24"} or {"every": "12-24"}, with "name" and perhaps "hours"


@dataclass(frozen=True)
class Other:
    """A day that is not as its weekday is; without intervals it is closed."""

    name: str
    spans: Spans


@dataclass(frozen=True)
class Days:
    """The intervals of each date, in wall-clock time of `zone`."""

    zone: tzinfo
    week: tuple[Spans, ...]
    dates: Mapping[date, Other] = field(default_factory=dict)
    yearly: Mapping[tuple[int, int], Other] = field(default_factory=dict)

    @property
    def always(self) -> bool:
        """Whether it never closes."""
        return not self.dates and not self.yearly and all(day == ROUND_THE_CLOCK for day in self.week)

    def other(self, day: date) -> Other | None:
        """What makes this date different from its weekday."""
        return self.dates.get(day) or self.yearly.get((day.month, day.day))

    def name(self, day: date) -> str:
        """What makes it different, by its name; nothing where it isn't."""
        other = self.other(day)
        return other.name if other else ""

    def spans(self, day: date) -> Spans:
        """The intervals that begin on a date."""
        other = self.other(day)
        return self.week[day.weekday()] if other is None else other.spans


def days(
    zone: tzinfo,
    week: Sequence[Sequence[Sequence[str]]],
    closed: Sequence[Special] = (),
    instead: Sequence[Special] = (),
) -> Days:
    """Seven lists of ["HH:MM", "HH:MM"] pairs, Monday first, and days that are closed or have other hours. Raises BadHours."""
    if len(week) != 7:
        raise BadHours(f"a week has 7 days, this one has {len(week)}: give a list for each day, Monday first")
    if len(closed) + len(instead) > MOST_SPECIAL:
        raise BadHours(f"at most {MOST_SPECIAL} days may be closed or different: leave out those that have passed")
    dates: dict[date, Other] = {}
    yearly: dict[tuple[int, int], Other] = {}
    for entry, other in (*((c, Other(c["name"], ())) for c in closed), *((i, _instead(i)) for i in instead)):
        known: dict[Any, Other] = dates if "date" in entry else yearly
        key = a_date(entry["date"]) if "date" in entry else every_year(entry["every"])
        if key in known:
            raise BadHours(f"{_when(entry)} is named twice, as {known[key].name!r} and as {other.name!r}: keep one of them")
        known[key] = other
    return Days(zone, tuple(spans(day) for day in week), dates, yearly)


def checked(said: Days) -> Days:
    """The same where it opens again and again and never twice at once. Raises BadHours.

    This walks through all of its dates, so it is for what is new; what is stored has passed.
    """
    _refuse_an_odd_week(said.week)
    if not any(said.week) and not any(other.spans for other in (*said.dates.values(), *said.yearly.values())):
        raise BadHours("the calendar never opens: give at least one interval")
    if said.dates or said.yearly or not all(said.week):
        _refuse_odd_dates(said)
    return said


def _refuse_odd_dates(said: Days) -> None:
    """Every date that can be told from another, in one walk."""
    first = min(said.dates) - CLOSED_FOR * DAY if said.dates else SOME_DAY
    last = max(said.dates, default=SOME_DAY) + (CYCLE if said.yearly else CLOSED_FOR) * DAY
    ended = 0  # minutes from the first midnight
    for number in range((last - first).days):
        for opens, shuts in said.spans(first + number * DAY):
            begins = number * MIDNIGHT + opens
            if begins < ended:
                raise BadHours(f"two intervals overlap on {first + number * DAY}: join them, or end the first one earlier")
            _refuse_long_closing(first, ended, begins)
            ended = number * MIDNIGHT + shuts
    _refuse_long_closing(first, ended, (last - first).days * MIDNIGHT)


def _refuse_long_closing(first: date, ended: int, begins: int) -> None:
    if begins - ended >= CLOSED_FOR * MIDNIGHT:
        since = first + ended // MIDNIGHT * DAY
        advice = "close fewer days, or open on one of them"
        raise BadHours(f"the calendar never opens in the {CLOSED_FOR} days from {since} on: {advice}")


def _refuse_an_odd_week(week: Sequence[Spans]) -> None:
    flat = list(_through(week))
    for (_, end), (start, _) in pairwise([*flat, *((a + 7 * MIDNIGHT, b + 7 * MIDNIGHT) for a, b in flat[:1])]):
        if start < end:
            raise BadHours(f"two intervals overlap on day {start // MIDNIGHT % 7 + 1} of the week: join them")


def _through(week: Sequence[Spans]) -> Iterator[Span]:
    for number, day in enumerate(week):
        for a, b in day:
            yield number * MIDNIGHT + a, number * MIDNIGHT + b


def _instead(entry: Special) -> Other:
    hours = spans(entry["hours"])
    if not hours:
        raise BadHours(f"{_when(entry)} has no hours: give at least one interval, or name the day as closed")
    if overlap(hours):
        raise BadHours(f"two intervals overlap on {_when(entry)}: join them")
    return Other(entry["name"], hours)


def _when(entry: Special) -> str:
    return str(entry["date"]) if "date" in entry else f"{entry['every']} of every year"

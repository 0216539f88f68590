"""Business calendars."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from app.hours.rules import MOST_SPANS, MOST_SPECIAL
from app.web.shapes import Answer, Shape, example

Name = Annotated[str, Field(min_length=1, max_length=200)]
Zone = Annotated[str, Field(min_length=1, max_length=100)]
Clock = Annotated[str, Field(max_length=5, examples=["09:00"])]
Pair = Annotated[list[Clock], Field(min_length=2, max_length=2, examples=[["09:00", "17:00"]])]
Day = Annotated[list[Pair], Field(max_length=MOST_SPANS)]
Week = Annotated[list[Day], Field(min_length=7, max_length=7)]
OFFICE = [[["09:00", "17:00"]]] * 5 + [[], []]


class ClosedDay(Shape):
    """A day that is closed: a date like 2026-12-24, or a day of every year like 12-25. `feed`: it came from the feed."""

    date: Annotated[str, Field(max_length=10)] | None = None
    every: Annotated[str, Field(max_length=5)] | None = None
    name: Name
    feed: bool | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.date is None) == (self.every is None):
            raise ValueError("give either a date or a day of every year")
        if self.feed and self.date is None:
            raise ValueError("what a feed says has a date")
        return self


class OtherDay(ClosedDay):
    """A day with its own hours instead of its weekday's."""

    hours: Day


Closed = Annotated[list[ClosedDay], Field(max_length=MOST_SPECIAL)]
Instead = Annotated[list[OtherDay], Field(max_length=MOST_SPECIAL)]


class NewCalendar(Shape):
    """A calendar: a time zone, seven days of intervals, Monday first, and the days that are closed or different.

    24:00 ends a day; an interval that ends before it begins runs over midnight.
    """

    model_config = Shape.model_config | example(
        name="Berlin office", zone="Europe/Berlin", week=OFFICE, closed=[{"every": "12-25", "name": "Christmas Day"}]
    )
    name: Name
    zone: Zone
    week: Week
    closed: Closed = Field(default_factory=list)
    instead: Instead = Field(default_factory=list)


class CalendarChange(Shape):
    """What is to be another thing; what is left out stays. It holds from now on, or from `effective_from`.

    An instant that has passed takes `retroactive`: clocks that run are reckoned again, and may turn out late or in time.
    """

    model_config = Shape.model_config | example(closed=[{"date": "2026-12-24", "name": "Christmas Eve"}])
    name: Name | None = None
    zone: Zone | None = None
    week: Week | None = None
    closed: Closed | None = None
    instead: Instead | None = None
    effective_from: datetime | None = None
    retroactive: bool = False

    @model_validator(mode="after")
    def _aware(self) -> Self:
        if self.effective_from is not None and self.effective_from.tzinfo is None:
            raise ValueError("give effective_from with its time zone, like 2027-01-01T00:00:00+01:00")
        return self


class NewFeed(Shape):
    """Where closed days are published in the form of iCalendar. `automatic`: what it says is taken over without asking."""

    model_config = Shape.model_config | example(url="https://calendar.example/holidays.ics", automatic=False)
    url: Annotated[str, Field(min_length=1, max_length=2000)]
    automatic: bool = False


class Closing(Answer):
    """A day that is closed, or with `hours` one that is different."""

    date: str | None = None
    every: str | None = None
    name: str
    feed: bool | None = None
    hours: list[list[str]] | None = None


class Said(Answer):
    """What a calendar says."""

    zone: str
    week: list[list[list[str]]]
    closed: list[Closing]
    instead: list[Closing]


class Version(Answer):
    """What was said when, by whom and why, and from when on it holds. A later version replaces all from there on."""

    id: int
    effective_from: datetime
    created_at: datetime
    actor: str
    why: str
    spec: Said


class Difference(Answer):
    """What the feed would add to the present days and drop of them."""

    added: list[Closing]
    dropped: list[Closing]


class Feed(Answer):
    """A calendar's feed. `problem` says what goes wrong since when; `proposal` is null before it was read."""

    url: str
    automatic: bool
    next_at: datetime
    fetched_at: datetime | None
    problem: str | None
    since: datetime | None
    proposal: Difference | None


class Brief(Answer):
    """A calendar with what holds now."""

    id: int
    name: str
    revision: int
    holds: Said


class Calendar(Brief):
    """A calendar with its versions, the newest first, a hundred at most."""

    created_at: datetime
    versions: list[Version]
    feed: Feed | None


class Calendars(Answer):
    """Every calendar in use, by name."""

    items: list[Brief]
    next: str | None


class Holiday(Answer):
    """A public holiday."""

    date: str
    name: str


class Holidays(Answer):
    """What could be closed; nothing is stored."""

    holidays: list[Holiday]


class Opening(Answer):
    """When it is open, for how many seconds of working time; or with none a day that is closed. `note` is the day's name."""

    from_at: datetime
    to_at: datetime
    seconds: int
    note: str


class Openings(Answer):
    """The openings of some days, in their order."""

    openings: list[Opening]

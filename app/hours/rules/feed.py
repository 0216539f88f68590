"""What a feed of closed days does to a calendar. A person's own entry for a day counts before the feed's.

Found days are {"date": "2026-12-25", "name": …} where all of the day is closed, or with "busy": intervals in minutes since its
midnight, where some of it is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from app.hours.rules.days import DAY, Days, days
from app.hours.rules.words import MIDNIGHT, Span

KEPT = 366 * DAY  # how long entries that have passed stay
NAME_MOST = 200

Spec = Mapping[str, Any]
Entry = dict[str, Any]


def merged(spec: Spec, found: Iterable[Mapping[str, Any]], now: datetime) -> dict[str, Any]:
    """The spec with the feed's days from today on. What it said of days that have passed stays. Raises BadHours."""
    today = now.date() - DAY  # east of here it is not over yet
    own = _without_feed(spec)
    by_person = days(UTC, own["week"], own["closed"], own["instead"])
    coming = [day for day in found if date.fromisoformat(day["date"]) >= today]
    closed = [day for day in coming if "busy" not in day and not by_person.other(date.fromisoformat(day["date"]))]
    shut = {date.fromisoformat(day["date"]) for day in closed}
    partly = [day for day in coming if "busy" in day]
    past = {kind: [e for e in spec.get(kind, ()) if _passed(e, today)] for kind in ("closed", "instead")}
    shortened = list(_shortened(by_person, partly, shut))
    return {
        "zone": spec["zone"],
        "week": spec["week"],
        "closed": [
            *own["closed"],
            *past["closed"],
            *({"date": day["date"], "name": day["name"], "feed": True} for day in closed),
            *(entry for entry in shortened if "hours" not in entry),
        ],
        "instead": [*own["instead"], *past["instead"], *(entry for entry in shortened if "hours" in entry)],
    }


def difference(before: Spec, after: Spec) -> dict[str, list[Entry]]:
    """What the one says of special days and the other doesn't, in the order of days."""
    old, new = (_entries(spec) for spec in (before, after))
    return {
        "added": [entry for entry in new if entry not in old],
        "dropped": [entry for entry in old if entry not in new],
    }


def without_old(spec: Spec, now: datetime) -> dict[str, Any]:
    """The spec without what a feed said of days more than a year ago: such entries would become ever more."""
    oldest = now.date() - KEPT
    return {**spec, **{kind: [e for e in spec[kind] if not _passed(e, oldest)] for kind in ("closed", "instead")}}


def _without_feed(spec: Spec) -> dict[str, Any]:
    own = {kind: [entry for entry in spec.get(kind, ()) if not entry.get("feed")] for kind in ("closed", "instead")}
    return {**spec, **own}


def _passed(entry: Mapping[str, Any], today: date) -> bool:
    """Whether it is the feed's, and over."""
    return bool(entry.get("feed")) and date.fromisoformat(entry["date"]) < today


def _entries(spec: Spec) -> list[Entry]:
    found = [*spec.get("closed", ()), *spec.get("instead", ())]
    return sorted(found, key=lambda entry: entry.get("date") or entry["every"])


def _shortened(own: Days, partly: Sequence[Mapping[str, Any]], shut: set[date]) -> Iterator[Entry]:
    """Days whose hours are others because of something that has a beginning and an end; a night may go on into the next day."""
    names: dict[date, str] = {}
    busy: list[Span] = []
    for found in partly:
        day = date.fromisoformat(found["date"])
        names.setdefault(day, found["name"])
        busy += [(_minutes(day) + a, _minutes(day) + b) for a, b in found["busy"]]
    left: dict[date, list[Span]] = {day + n * DAY: [] for day in names for n in (-1, 0, 1)}
    for day in [*left]:
        for a, b in own.spans(day) if day not in shut else ():
            for start, end in _minus((_minutes(day) + a, _minutes(day) + b), busy):
                left.setdefault(_day(start), []).append((start, end))
    for day, spans in sorted(left.items()):
        rest = sorted((start - _minutes(day), end - _minutes(day)) for start, end in spans)
        if day not in shut and day not in own.dates and rest != list(own.spans(day)):
            name = next(names[each] for each in (day, day + DAY, day - DAY, day - 2 * DAY) if each in names)
            yield _entry(day, name, rest)


def _entry(day: date, name: str, spans: Sequence[Span]) -> Entry:
    """A day that is different, or closed where nothing is left of it."""
    found: Entry = {"date": day.isoformat(), "name": name, "feed": True}
    return found | {"hours": [[_clock(a), _clock(b)] for a, b in spans]} if spans else found


def _clock(minutes: int) -> str:
    """A time of day; of the next one where it is later than 24:00."""
    minutes -= MIDNIGHT if minutes > MIDNIGHT else 0
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _minutes(day: date) -> int:
    return day.toordinal() * MIDNIGHT


def _day(minutes: int) -> date:
    return date.fromordinal(minutes // MIDNIGHT)


def _minus(span: Span, busy: Iterable[Span]) -> list[Span]:
    left = [span]
    for a, b in busy:
        left = [piece for start, end in left for piece in ((start, min(end, a)), (max(start, b), end)) if piece[0] < piece[1]]
    return left

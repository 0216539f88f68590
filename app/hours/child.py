"""The child that asks foreign code and reads foreign calendars: little memory, little time, no files, no connections.

`holidays` and what reads iCalendar take memory that no program needs for long, and a feed may have an event each second for ever.
Started by `app.hours.reading`: one question on standard input, a line of JSON and then bytes; one answer on standard output.
"""

import json
import resource
import sys
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import holidays
import recurring_ical_events
from icalendar import Calendar

from app.core import text
from app.core.confine import confine

MEMORY = 512 * 1024 * 1024
CPU = 10  # seconds
NAME_MOST = 200
MOST_DAYS = 1000
LONGEST = 400  # days of one event
DAY = timedelta(days=1)

Found = list[dict[str, Any]]


class Refused(Exception):
    """What is asked for can't be had; the words say why."""


def main() -> None:
    """Answer one question: {"found": …}, or {"problem": words}."""
    _limit()
    confine()
    question = json.loads(sys.stdin.buffer.readline())
    answer: dict[str, Any]
    try:
        answer = {"found": proposals(**question) if "country" in question else feed(sys.stdin.buffer.read(), **question)}
    except Refused as why:
        answer = {"problem": str(why)}
    sys.stdout.write(json.dumps(answer))


def proposals(country: str, subdivision: str | None, years: list[int], language: str | None) -> Found:
    """The public holidays of a country or a part of it, in its language or another one that is known. Raises Refused."""
    known = holidays.list_supported_countries(include_aliases=False)
    if country not in known:
        raise Refused(f"There are no holidays of {country!r}: give a country's two letters, like DE or US")
    if subdivision and subdivision not in known[country]:
        parts = ", ".join(known[country]) or "none"
        raise Refused(f"{country} has no subdivision {subdivision!r}; known are: {parts}")
    found = holidays.country_holidays(country, subdiv=subdivision or None, years=years, language=language)
    if language and language not in found.supported_languages:
        raise Refused(
            f"the holidays of {country} have no names in {language!r}; known are: {', '.join(found.supported_languages)}"
        )
    days = sorted((day, name) for day, name in found.items() if day.year in years)
    return [{"date": day.isoformat(), "name": _name(name)} for day, name in days]


def feed(raw: bytes, zone: str, first: str, last: str) -> Found:
    """What a calendar closes from one date to before another: whole days, or minutes of them by the clock of `zone`."""
    try:
        calendar = Calendar.from_ical(raw)
    except (ValueError, IndexError, KeyError):
        raise Refused("this is no calendar in the form of iCalendar") from None
    here, begin, end = ZoneInfo(zone), date.fromisoformat(first), date.fromisoformat(last)
    names: dict[date, list[str]] = {}
    busy: dict[date, list[list[int]]] = {}
    whole: set[date] = set()
    for event in recurring_ical_events.of(calendar, skip_bad_series=True).between(begin, end):
        for day, span in _days(event, here):
            if begin <= day < end:
                names.setdefault(day, []).append(_name(str(event.get("SUMMARY", ""))))
                whole.update({day} if span is None else ())
                busy.setdefault(day, []).extend([span] if span else ())
        if len(names) > MOST_DAYS:
            raise Refused(f"it closes more than {MOST_DAYS} days; use a calendar of holidays alone")
    return [
        {"date": day.isoformat(), "name": _name("; ".join(dict.fromkeys(names[day])))}
        | ({} if day in whole else {"busy": sorted(busy[day])})
        for day in sorted(names)
    ]


def _days(event: Any, here: ZoneInfo) -> Iterator[tuple[date, list[int] | None]]:
    """The days of an event, and which minutes of each where it isn't all of it."""
    if str(event.get("STATUS", "")).upper() == "CANCELLED":
        return
    begins, ends = event.start, event.end
    if not isinstance(begins, datetime):
        days = max((ends - begins).days, 1)
        yield from ((begins + n * DAY, None) for n in range(min(days, LONGEST)))
        return
    start, end = (t.astimezone(here).replace(tzinfo=None) if t.tzinfo else t for t in (begins, ends))
    for n in range(min((end.date() - start.date()).days + 1, LONGEST)):
        midnight = datetime.combine(start.date() + n * DAY, time())
        a, b = max(start, midnight), min(end, midnight + DAY)
        if a < b:
            yield midnight.date(), [(a - midnight) // timedelta(minutes=1), -((midnight - b) // timedelta(minutes=1))]


def _name(raw: str) -> str:
    return text.one_line(raw, most=NAME_MOST) or "closed"


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU, CPU))


if __name__ == "__main__":
    main()

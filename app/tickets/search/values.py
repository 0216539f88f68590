"""What the values of filters mean. A ValueError says what is wrong with one; `Near` also what was probably meant."""

import calendar
import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from app.core.priority import Priority
from app.tickets.rules import DONE, OPEN, Status
from app.tickets.search.nodes import ME, MINE, NONE, FieldValue, Span, Value

CHANNELS = ("mail", "page", "api")
FLAGS = ("open", "done", "snoozed", "merged", "breached")
OF_CUSTOMERS = ("open", "done")
_DAY = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?:T(\d{1,2}):(\d{2}))?)?)?", re.ASCII)
_AGO = re.compile(r"(\d{1,5})(min|h|d|w|mo|y)", re.ASCII)
_UNITS = {
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "mo": timedelta(days=30),
    "y": timedelta(days=365),
}
_DATES = (
    "Write a date like 2026-11-01 or 2026-11, a range like 2026-11-01..2026-11-10, or a time ago like 7d (min, h, d, w, mo, y)"
)


@dataclass(frozen=True)
class Around:
    """What a value can't be read without: what time it is, where, and whether the reader works here."""

    now: datetime
    zone: tzinfo = UTC
    staff: bool = True


class Near(ValueError):
    """A value that is nothing we know, and what it is near to."""

    def __init__(self, what: str, meant: str | None = None) -> None:
        super().__init__(what)
        self.meant = meant


Read = Callable[[str, str, Around], tuple[Value, ...]]  # operator, value


def status(_operator: str, raw: str, _around: Around) -> tuple[Value, ...]:
    """open, done, or one of the statuses."""
    groups = {"open": OPEN, "done": DONE}
    word = raw.lower().replace("-", "_").replace(" ", "_")
    if word in groups:
        return tuple(each.value for each in Status if each in groups[word])
    return (_one_of(word, [*groups, *Status]),)


def priority(operator: str, raw: str, _around: Around) -> tuple[Value, ...]:
    """One of the priorities, or all above or below it."""
    ranks = [each.value for each in Priority]
    at = ranks.index(_one_of(raw.lower(), ranks))
    chosen = {"=": ranks[at : at + 1], ">=": ranks[at:], ">": ranks[at + 1 :], "<=": ranks[: at + 1], "<": ranks[:at]}[operator]
    if not chosen:
        raise Near(f"no priority is {'above' if operator == '>' else 'below'} {raw}")
    return tuple(chosen)


def channel(_operator: str, raw: str, _around: Around) -> tuple[Value, ...]:
    return (_one_of(raw.lower(), CHANNELS),)


def has(_operator: str, raw: str, _around: Around) -> tuple[Value, ...]:
    word = raw.lower()
    return (_one_of(word.removesuffix("s"), ["attachment"], said=raw),)


def flag(_operator: str, raw: str, around: Around) -> tuple[Value, ...]:
    return (_one_of(raw.lower(), FLAGS if around.staff else OF_CUSTOMERS),)


def place(_operator: str, raw: str, _around: Around) -> tuple[Value, ...]:
    return (_one_of(raw.lower(), ["trash"]),)


def name(_operator: str, raw: str, _around: Around) -> tuple[Value, ...]:
    """Somebody or something by its name, in lower case; `me`, `mine` and `none` are words of their own."""
    if not any(each.isalnum() for each in raw):
        raise Near("a name is missing here")
    return (raw.lower(),)


def quoted_name(raw: str) -> str:
    """A name that was put in quotation marks is a name, even where it reads `me` or `none`."""
    return f'"{raw}' if raw in {ME, NONE, MINE} else raw


def field(key: str, operator: str, raw: str) -> FieldValue:
    """A custom field compared with a value."""
    if operator != "=" and not (_number(raw) or _is_date(raw)):
        raise Near("only numbers and dates can be compared")
    return FieldValue(key, operator, raw)


def moment(operator: str, raw: str, around: Around) -> tuple[Value, ...]:
    """A stretch of time: later is greater. A day is a whole day, a time ago a moment."""
    try:
        return (_span(operator, raw.lower(), around),)
    except Near:
        raise
    except (ValueError, OverflowError):
        raise Near(f"{_short(raw)} is no date. {_DATES}") from None


def _span(operator: str, raw: str, around: Around) -> Span:
    if ".." in raw:
        first, _, last = raw.partition("..")
        if operator != "=" or not (first or last):
            raise Near(f"a range stands alone, without < or >. {_DATES}")
        since = _stretch(first, around)[0] if first else None
        until = _stretch(last, around)[1] if last else None
        if since and until and since >= until:
            raise Near("this range ends before it begins", f"{last}..{first}")
        return Span(since, until)
    since, until = _stretch(raw, around)
    if operator == "=":
        return Span(since, until if until > since else None)
    return {">": Span(until, None), ">=": Span(since, None), "<": Span(None, since), "<=": Span(None, until)}[operator]


def _stretch(raw: str, around: Around) -> tuple[datetime, datetime]:
    if ago := _AGO.fullmatch(raw):
        then = around.now - int(ago[1]) * _UNITS[ago[2]]
        return then, then
    today = around.now.astimezone(around.zone).date()
    if raw in {"today", "yesterday"}:
        day = today - timedelta(days=raw == "yesterday")
        return _midnight(day, around), _midnight(day + timedelta(days=1), around)
    found = _DAY.fullmatch(raw.upper())
    if not found:
        raise ValueError(raw)
    return _calendar([int(part) for part in found.groups() if part is not None], around)


def _calendar(parts: list[int], around: Around) -> tuple[datetime, datetime]:
    year, month, day = (*parts[:3], 1, 1)[:3]
    if len(parts) == 5:
        begin = datetime.combine(date(year, month, day), time(parts[3], parts[4]), around.zone).astimezone(UTC)
        return begin, begin + timedelta(minutes=1)
    first = date(year, month, day)
    days = {1: 366 if calendar.isleap(year) else 365, 2: calendar.monthrange(year, month)[1], 3: 1}[len(parts)]
    return _midnight(first, around), _midnight(first + timedelta(days=days), around)


def _midnight(day: date, around: Around) -> datetime:
    return datetime.combine(day, time(), around.zone).astimezone(UTC)


def _one_of(word: str, known: Iterable[str], said: str | None = None) -> str:
    known = [str(each) for each in known]
    if word in known:
        return word
    raise Near(f"{_short(said or word)} is none of {', '.join(known)}", nearest(word, known))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of these that a word was probably meant to be."""
    return next(iter(difflib.get_close_matches(word[:50], list(known), 1, 0.6)), None)


def _short(raw: str) -> str:
    return repr(raw if len(raw) <= 40 else raw[:39] + "…")


def _number(raw: str) -> bool:
    return re.fullmatch(r"-?\d{1,15}(\.\d{1,15})?", raw, re.ASCII) is not None


def _is_date(raw: str) -> bool:
    return re.fullmatch(r"\d{4}-\d{2}-\d{2}", raw, re.ASCII) is not None

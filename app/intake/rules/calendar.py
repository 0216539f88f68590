"""Invitations (RFC 5545, RFC 5546) as cards: what a calendar program would show, for reading only. Nothing is ever answered.

Zones are known by their names. What a mail itself defines as a zone isn't computed with: rules for a clock may be endless, and
what one mail calls a zone would hold for the next one.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from icalendar import Calendar, Component

from app.core import text
from app.intake.rules import charset
from app.intake.rules.mail import Card
from app.intake.rules.parts import Part

MEDIA_TYPES = {"text/calendar", "application/ics"}
MOST_BYTES = 256 * 1024
MOST_CARDS = 10
MOST_PEOPLE = 50

_ZONE_BEGINS = re.compile(r"^BEGIN:VTIMEZONE[ \t]*$", re.IGNORECASE | re.MULTILINE)
_ZONE_ENDS = re.compile(r"^END:VTIMEZONE[ \t]*$", re.IGNORECASE | re.MULTILINE)
_TITLES = {
    "request": "Invitation", "cancel": "Cancelled", "reply": "Answer to an invitation", "counter": "Another time is proposed",
    "declinecounter": "The proposed time is declined", "refresh": "Asked for again", "add": "Added", "publish": "Event",
}  # fmt: skip
_ANSWERS = {
    "accepted": "accepted", "declined": "declined", "tentative": "accepted tentatively", "delegated": "delegated",
    "needs-action": "not answered",
}  # fmt: skip
_EVERY = {"daily": "day", "weekly": "week", "monthly": "month", "yearly": "year", "hourly": "hour"}


def cards(part: Part) -> Sequence[Card]:
    """The events of a calendar that asks or tells something (METHOD); none for what can't be read or is a mere file."""
    if part.media_type not in MEDIA_TYPES or len(content := part.content) > MOST_BYTES:
        return []
    written = charset.decode(content, part.parameters.get("charset", "utf-8")).replace("\r\n", "\n")
    try:
        found = Calendar.from_ical(_without_zones(written), multiple=True)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError):  # foreign, and hostile
        return []
    return [card for calendar in found if (method := _word(calendar, "METHOD")) for card in _cards(calendar, method)][:MOST_CARDS]


def _without_zones(written: str) -> str:
    first, *rest = _ZONE_BEGINS.split(written)
    return "".join((first, *(_ZONE_ENDS.split(piece, maxsplit=1)[-1] for piece in rest)))


def _cards(calendar: Component, method: str) -> Iterator[Card]:
    for event in calendar.walk("VEVENT")[:MOST_CARDS]:
        begin, zone = _moment(event, "DTSTART")
        yield Card(
            method=method,
            summary=_line(event, "SUMMARY"),
            organizer=next(iter(_people(event, "ORGANIZER")), ("", ""))[0],
            start=begin.isoformat() if begin else "",
            end=_end(event, begin),
            zone=zone,
            repeats=_repeats(event),
            location=_line(event, "LOCATION"),
            answers=tuple(_people(event, "ATTENDEE")),
        )


def in_words(card: Card) -> str:
    """The card as plain text."""
    lines = [f"[{_TITLES.get(card.method, 'Event')}: {card.summary or 'no title'}]"]
    for label, value in (("When", _when(card)), ("Where", card.location), ("Organizer", card.organizer)):
        lines += [f"{label}: {value}"] if value else []
    lines += [f"{who}: {_ANSWERS.get(answer, answer)}" for who, answer in card.answers]
    return "\n".join(lines)


def _when(card: Card) -> str:
    if not card.start:
        return ""
    begin, last = _spoken(card.start), _spoken(card.end) if card.end else ""
    if "T" in card.start and card.end.partition("T")[0] == card.start.partition("T")[0]:
        last = last.rpartition(", ")[2]
    clock, other = _clock(card.start), _clock(card.end)
    if last and other and other != clock:
        last += f" ({other})"
    span = f"{begin} to {last}" if last and last != begin else begin
    zone = ", ".join(dict.fromkeys(filter(None, (card.zone, clock))))
    if not zone and "T" in card.start:
        zone = "no time zone given"
    return ", ".join(filter(None, (span + (f" ({zone})" if zone else ""), card.repeats)))


def _clock(moment: str) -> str:
    """How far it is from UTC; empty where nobody says."""
    offset = datetime.fromisoformat(moment).strftime("%z") if "T" in moment else ""
    return f"UTC{offset[:3]}:{offset[3:5]}" if offset.strip("+-0") else "UTC" if offset else ""


def _spoken(moment: str) -> str:
    if "T" in moment:
        return f"{datetime.fromisoformat(moment):%a %d %b %Y, %H:%M}"
    return f"{date.fromisoformat(moment):%a %d %b %Y}"


def _end(event: Component, begin: date | None) -> str:
    """The last moment, or of whole days the last day: what is written is the day after."""
    end, _ = _moment(event, "DTEND")
    try:
        if begin and end is None:
            length = _value(event, "DURATION", "dt")
            end = begin + length if isinstance(length, timedelta) else None
        if end and not isinstance(end, datetime):
            end = max(end - timedelta(days=1), begin) if begin and not isinstance(begin, datetime) else None
    except OverflowError:
        return ""
    return end.isoformat() if end else ""


def _moment(event: Component, name: str) -> tuple[date | None, str]:
    """A day or a time, with its offset where its zone is known, and the zone's name as sent."""
    found = _value(event, name, "dt")
    if not isinstance(found, date):
        return None, ""
    if isinstance(found, datetime) and found.tzinfo:
        found = found.replace(tzinfo=None) if found.utcoffset() is None else datetime.fromisoformat(found.isoformat())
    zone = _value(event, name, "params").get("TZID", "")
    return found, text.one_line(str(zone), most=100)


def _people(event: Component, name: str) -> Iterator[tuple[str, str]]:
    """(name and address, answer), as sent: nobody has proved anything."""
    found = event.get(name, [])
    for each in (found if isinstance(found, list) else [found])[:MOST_PEOPLE]:
        parameters = getattr(each, "params", {})
        address = text.one_line(re.sub(r"^mailto:", "", str(each), flags=re.IGNORECASE), most=320)
        called = text.one_line(str(parameters.get("CN", "")), most=200)
        answer = text.one_line(str(parameters.get("PARTSTAT", "needs-action")), most=40).lower()
        yield f"{called} <{address}>" if called and called != address else address, answer


def _repeats(event: Component) -> str:
    if "RRULE" not in event:
        return ""
    rule = event["RRULE"] if isinstance(event["RRULE"], dict) else {}
    unit = _EVERY.get(str(next(iter(rule.get("FREQ", [])), "")).lower(), "")
    step = str(next(iter(rule.get("INTERVAL", [])), "1"))
    return "repeated" if not unit else f"every {unit}" if step == "1" else f"every {step} {unit}s"


def _line(component: Component, name: str) -> str:
    return text.one_line(str(_first(component, name)), most=500)


def _word(component: Component, name: str) -> str:
    return _line(component, name).lower()


def _first(component: Component, name: str) -> Any:
    found = component.get(name, "")
    return found[0] if isinstance(found, list) and found else found


def _value(event: Component, name: str, attribute: str) -> Any:
    try:
        return getattr(_first(event, name), attribute, None)
    except ValueError:  # it could not be read
        return None

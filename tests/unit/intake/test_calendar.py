"""Invitations as cards."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.intake.rules import calendar, read
from app.intake.rules import mail as mails
from app.intake.rules.mail import Card
from tests.unit.intake.letters import mail, multipart, part

EVENT = (
    "SUMMARY:Weekly\\, sync\n"
    "DTSTART;TZID=Europe/Berlin:20261124T100000\n"
    "DTEND;TZID=Europe/Berlin:20261124T110000\n"
    "LOCATION:Room 5\n"
    'ORGANIZER;CN="Bob, B":mailto:bob@acme.example\n'
    "ATTENDEE;CN=Carol;PARTSTAT=ACCEPTED:MAILTO:carol@acme.example\n"
    "ATTENDEE;PARTSTAT=DECLINED:mailto:dave@acme.example\n"
    "ATTENDEE:mailto:erin@acme.example\n"
)
CARD = Card(
    method="request",
    summary="Weekly, sync",
    organizer="Bob, B <bob@acme.example>",
    start="2026-11-24T10:00:00+01:00",
    end="2026-11-24T11:00:00+01:00",
    zone="Europe/Berlin",
    repeats="",
    location="Room 5",
    answers=(
        ("Carol <carol@acme.example>", "accepted"),
        ("dave@acme.example", "declined"),
        ("erin@acme.example", "needs-action"),
    ),
)
SHOWN = """[Invitation: Weekly, sync]
When: Tue 24 Nov 2026, 10:00 to 11:00 (Europe/Berlin, UTC+01:00)
Where: Room 5
Organizer: Bob, B <bob@acme.example>
Carol <carol@acme.example>: accepted
dave@acme.example: declined
erin@acme.example: not answered"""


def written(event: str = EVENT, method: str = "METHOD:REQUEST\n", before: str = "") -> str:
    return f"BEGIN:VCALENDAR\n{method}{before}BEGIN:VEVENT\n{event}END:VEVENT\nEND:VCALENDAR\n".replace("\n", "\r\n")


def invitation(event: str = EVENT, method: str = "METHOD:REQUEST\n", before: str = "") -> bytes:
    return part(written(event, method, before), "text/calendar; charset=utf-8; method=REQUEST")


def card(event: str, before: str = "") -> Card:
    [found] = read.mail(multipart(invitation(event, before=before)))[0].cards
    return found


def when(event: str, before: str = "") -> str:
    return calendar.in_words(card(event, before)).partition("When: ")[2].partition("\n")[0]


def test_an_invitation_is_a_card_and_a_file_and_no_text_of_its_own() -> None:
    found, files = read.mail(multipart(part("Please come."), invitation(), kind="alternative"))
    assert found.cards == (CARD,)
    assert found.text == f"{SHOWN}\n\nPlease come."
    assert [(f.name, f.content) for f in files] == [("text.ics", written().encode())]


def test_a_card_stands_above_the_html_too_and_is_only_words_there() -> None:
    page = part("<p>Please come.</p>", "text/html")
    found, _ = read.mail(multipart(page, invitation("SUMMARY:<b onclick=x>\nDTSTART:20261124\n"), kind="alternative"))
    assert found.html
    assert found.html.startswith("<pre>[Invitation: &lt;b onclick=x&gt;]")


def test_a_card_goes_through_a_pipe_unchanged() -> None:
    found, _ = read.mail(multipart(invitation()))
    assert mails.from_json(mails.to_json(found)) == found


def test_the_same_event_sent_as_a_part_and_as_a_file_is_one_card() -> None:
    again = part(written(), "application/ics; name=invite.ics", Content_Disposition="attachment; filename=invite.ics")
    found, files = read.mail(multipart(invitation(), again))
    assert (len(found.cards), len(files)) == (1, 2)


@pytest.mark.parametrize(
    ("method", "title"),
    [
        ("CANCEL", "[Cancelled: x]"),
        ("REPLY", "[Answer to an invitation: x]"),
        ("COUNTER", "[Another time is proposed: x]"),
        ("ODD", "[Event: x]"),
    ],
)
def test_the_card_says_what_is_asked_or_told(method: str, title: str) -> None:
    found, _ = read.mail(multipart(invitation("SUMMARY:x\n", f"METHOD:{method}\n")))
    assert found.text == title


@pytest.mark.parametrize(("method", "machine"), [("REPLY", read.ANSWERS), ("REQUEST", ""), ("CANCEL", ""), ("COUNTER", "")])
def test_a_mere_yes_or_no_to_an_invitation_is_what_a_calendar_program_wrote(method: str, machine: str) -> None:
    found, _ = read.mail(multipart(part("Carol has accepted."), invitation(method=f"METHOD:{method}\n")))
    assert found.automatic == machine


def test_a_mere_file_of_dates_is_a_file() -> None:
    found, files = read.mail(multipart(part("See."), invitation(method="")))
    assert (found.text, found.cards, len(files)) == ("See.", (), 1)


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        ("DTSTART:20261124T090000Z\nDTEND:20261124T093000Z\n", "Tue 24 Nov 2026, 09:00 to 09:30 (UTC)"),
        ("DTSTART:20261124T090000\nDURATION:PT90M\n", "Tue 24 Nov 2026, 09:00 to 10:30 (no time zone given)"),
        ("DTSTART;VALUE=DATE:20261124\nDTEND;VALUE=DATE:20261125\n", "Tue 24 Nov 2026"),
        ("DTSTART;VALUE=DATE:20261124\nDTEND;VALUE=DATE:20261127\n", "Tue 24 Nov 2026 to Thu 26 Nov 2026"),
        ("DTSTART;TZID=W. Europe Standard Time:20260724T100000\n", "Fri 24 Jul 2026, 10:00 (W. Europe Standard Time, UTC+02:00)"),
        ("DTSTART;TZID=Nowhere:20261124T100000\n", "Tue 24 Nov 2026, 10:00 (Nowhere)"),
        ("DTSTART:20261124T230000Z\nDTEND:20261125T010000Z\n", "Tue 24 Nov 2026, 23:00 to Wed 25 Nov 2026, 01:00 (UTC)"),
        ("DTSTART;TZID=Europe/Berlin:20261124T100000\nDTEND;TZID=Europe/London:20261124T110000\n",
         "Tue 24 Nov 2026, 10:00 to 11:00 (UTC) (Europe/Berlin, UTC+01:00)"),
        ("DTSTART:20261124T090000Z\nRRULE:FREQ=WEEKLY\n", "Tue 24 Nov 2026, 09:00 (UTC), every week"),
        ("DTSTART:20261124T090000Z\nRRULE:FREQ=MONTHLY;INTERVAL=3;COUNT=4\n", "Tue 24 Nov 2026, 09:00 (UTC), every 3 months"),
        ("DTSTART:20261124T090000Z\nRRULE:nonsense\n", "Tue 24 Nov 2026, 09:00 (UTC), repeated"),
        ("DTSTART:20261124T090000Z\nDTEND:gibberish\n", "Tue 24 Nov 2026, 09:00 (UTC)"),
        ("DTSTART:yesterday\n", ""),
        ("DTSTART:99991231T235959Z\nDURATION:P9999D\n", "Fri 31 Dec 9999, 23:59 (UTC)"),
        ("DTSTART;VALUE=DATE:00010101\nDTEND;VALUE=DATE:00010101\n", "Mon 01 Jan 1"),
    ],
)  # fmt: skip
def test_times_are_told_with_their_zone_and_their_repetition(event: str, shown: str) -> None:
    assert when(event) == shown


def test_a_zone_that_the_mail_defines_itself_is_only_named() -> None:
    """A clock that changes every second since 1900 would take for ever; and its name would hold for the next mail."""
    endless = "BEGIN:STANDARD\nDTSTART:19000101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nRRULE:FREQ=SECONDLY\nEND:STANDARD\n"
    zone = f"BEGIN:VTIMEZONE\nTZID:Mine\n{endless}END:VTIMEZONE\n"
    assert when("DTSTART;TZID=Mine:20261124T100000\n", zone) == "Tue 24 Nov 2026, 10:00 (Mine)"


HOSTILE = {
    "entities": '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
    "events": written("END:VEVENT\nBEGIN:VEVENT\n" * 8_000),
    "levels": "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\n" + "BEGIN:VEVENT\r\n" * 18_000,
    "zones": "BEGIN:VCALENDAR\n" + "BEGIN:VTIMEZONE\n" * 15_000,
    "folds": written("SUMMARY:" + "a\n " * 80_000 + "\n"),
    "parameters": written("ATTENDEE" + ";a=b" * 60_000 + ":x\n"),
    "quotes": written("ATTENDEE" + ';a="' * 60_000 + ":x\n"),
    "backslashes": written("SUMMARY:" + "\\" * 250_000 + "\n"),
    "people": written("ATTENDEE:mailto:a@b.example\n" * 9_000),
    "rule": written("DTSTART:20261124\nRRULE:FREQ=WEEKLY" + ";BYDAY=MO" * 20_000 + "\n"),
    "dates": written("DTSTART:20261124\nRDATE:" + "20261124," * 25_000 + "20261124\n"),
    "numbers": written("DTSTART:20261124\nDURATION:P" + "9" * 100_000 + "D\n"),
    "too long": written("SUMMARY:" + "a" * 300_000 + "\n"),
}


@pytest.mark.parametrize("evil", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_calendar_takes_less_than_two_seconds_and_is_kept(evil: str) -> None:
    began = time.process_time()
    found, files = read.mail(mail(evil, Content_Type="text/calendar; charset=utf-8"))
    assert time.process_time() - began < 2
    assert [f.content for f in files] == [evil.encode()]
    assert len(found.cards) <= calendar.MOST_CARDS
    assert "root:" not in found.text
    assert len(found.text) < 20_000


LINES = [
    *EVENT.splitlines(), "BEGIN:VEVENT", "END:VEVENT", "BEGIN:VALARM", "END:VALARM", "DTSTART:x", "DTEND:", "ATTENDEE", "METHOD:",
    "RRULE:FREQ=", "RRULE:FREQ=DAILY;INTERVAL=x", "DURATION:-P9999999D", "DTSTART:00010101T000000Z", "SUMMARY",
    "DTSTART;TZID=:20261124T100000", "DTEND:00010101", "DTSTART;VALUE=PERIOD:20261124T100000Z/PT1H",
]  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=12))
def test_no_order_of_lines_makes_it_raise(lines: list[str]) -> None:
    for card in read.mail(multipart(invitation("\n".join(lines) + "\n")))[0].cards:
        calendar.in_words(card)

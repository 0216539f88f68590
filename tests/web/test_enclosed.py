"""A mail within a mail, on the page of its ticket and for programs; and what programs are told of a mail's words and sender."""

from typing import Any

import pytest

from app.intake.models import InboundMail
from app.intake.rules.authentication import Verdict
from tests.unit.intake.letters import mail, multipart, part
from tests.web.conftest import Web
from tests.web.mailed import delivered, taken

INNER = mail("The <b>printer</b>\nis on fire.", sender="Dave <dave@acme.example>", subject="<script>alert(1)</script>")
WITH_MAIL = multipart(part("See below."), part(INNER, "message/rfc822"))
REPLY = "It smokes.\n\n-- \nCarol\n\nOn Mon, Apr 2, 2012 at 6:26 PM, Alice <alice@desk.example> wrote:\n> Did you?\n"
INVITATION = part(
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Repair\r\n"
    "LOCATION:Room 7\r\n"
    "DTSTAMP:20261130T100000Z\r\nDTSTART:20261201T100000Z\r\nDTEND:20261201T110000Z\r\n"
    "ORGANIZER;CN=Carol:mailto:carol@acme.example\r\n"
    "ATTENDEE;PARTSTAT=ACCEPTED:mailto:dave@acme.example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
    "text/calendar; method=REQUEST; charset=utf-8",
)


def said(web: Web, raw: bytes, who: Any = None) -> dict[str, Any]:
    """The message as the API tells it."""
    message = delivered(web, raw)
    items = web.program(who or web.cast.alice).get(f"/api/v1/tickets/{message.ticket}/messages").json()["items"]
    found: dict[str, Any] = next(one for one in items if one["id"] == message.id)
    return found


@pytest.mark.parametrize("who", ["alice", "carol"])
def test_its_page_shows_who_wrote_it_when_and_how_it_begins(web: Web, who: str) -> None:
    number = delivered(web, WITH_MAIL).ticket
    page = web.browser(getattr(web.cast, who)).get(f"/{'my/' * (who == 'carol')}tickets/{number}").text
    shown = page.partition('<section class="enclosed"')[2].partition("</section>")[0]
    assert "dave@acme.example" in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "The &lt;b&gt;printer&lt;/b&gt;\nis on fire." in shown
    assert "<script>alert" not in page


def test_a_held_mail_shows_it_too(web: Web) -> None:
    page = web.browser(web.cast.bob).get(f"/mail/{taken(web, WITH_MAIL)}").text
    assert page.count('<section class="enclosed"') == 1


def test_programs_are_told_of_it(web: Web) -> None:
    [file] = said(web, WITH_MAIL)["attachments"]
    assert file["preview"] == {
        "sender": "Dave <dave@acme.example>",
        "to": "support@desk.example",
        "date": "",
        "subject": "<script>alert(1)</script>",
        "text": "The <b>printer</b>\nis on fire.",
    }
    [plain] = said(web, multipart(part("See."), part("x", "text/csv; name=a.csv"), mail_id="<2@x>"))["attachments"]
    assert plain["preview"] is None


def test_programs_are_told_what_pages_fold(web: Web) -> None:
    told = said(web, mail(REPLY))
    parts = {fold["why"]: told["text"][fold["begin"] : fold["end"]].strip() for fold in told["folds"]}
    assert parts["signature"] == "-- \nCarol"
    assert parts["quote"].endswith("> Did you?")
    assert said(web, mail("Nothing else.", mail_id="<2@x>"))["folds"] == []


def test_programs_are_told_of_events_as_they_are(web: Web) -> None:
    [card] = said(web, multipart(part("See."), INVITATION))["cards"]
    assert card == {
        "method": "request",
        "summary": "Repair",
        "organizer": card["organizer"],
        "start": "2026-12-01T10:00:00+00:00",
        "end": "2026-12-01T11:00:00+00:00",
        "zone": card["zone"],
        "repeats": "",
        "location": "Room 7",
        "answers": [{"who": "dave@acme.example", "answer": "accepted"}],
    }
    assert "carol@acme.example" in card["organizer"]
    assert said(web, mail("None.", mail_id="<2@x>"))["cards"] == []


def test_staff_are_told_whether_it_is_from_whom_it_says_and_customers_never(web: Web) -> None:
    message = delivered(web, mail("Hello."))
    with web.desk.db.transaction() as s:
        row = s.get_one(InboundMail, message.inbound_mail_id)
        row.verdict, row.verdict_words = Verdict.PASS, "DKIM for acme.example"
    path = f"/api/v1/tickets/{message.ticket}/messages"
    [told] = web.program(web.cast.alice).get(path).json()["items"]
    assert told["sender"] == {"verdict": "pass", "words": "DKIM for acme.example"}
    carol = web.program(web.cast.carol)
    for items in (carol.get(path).json(), carol.get(f"{path[:-9]}?expand=messages").json()["messages"]):
        assert [one["sender"] for one in items["items"]] == [None]
    assert web.program(web.cast.mallory).get(path).status_code == 404
    note = web.program(web.cast.alice).post(path, json={"body": "A note", "internal": True}).json()
    assert note["sender"] is None

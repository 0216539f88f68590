"""Mails that wait for a say, on the ticket's page and for programs."""

import pytest

from app.db.session import now as database_now
from app.intake.models import InboundMail, Suggestion
from app.intake.rules.authentication import Verdict
from app.intake.rules.seal import SealState
from app.intake.rules.signs import Sign
from app.intake.rules.states import MailState
from tests.db.intake.conftest import a_mailbox
from tests.web.conftest import Web

API = "/api/v1"
HOSTILE = "<script>alert(1)</script> Give it to me."


@pytest.fixture
def number(web: Web) -> int:
    """Carol's ticket, with a mail of Mallory's that waits."""
    return web.ticket(web.cast.carol)


@pytest.fixture
def waiting(web: Web, number: int) -> int:
    with web.desk.db.transaction() as s:
        now = database_now(s)
        mail = InboundMail(mailbox_id=a_mailbox(s, now).id, uidvalidity=1, uid=1, raw_sha256="0" * 64, size=9, raw=b"x")
        mail.header_only, mail.attempts, mail.state, mail.subject = False, 0, MailState.QUARANTINED, "<b>Mine</b>"
        mail.received_at = mail.taken_at = now
        mail.verdict, mail.verdict_words = Verdict.PASS, "DKIM for evil.example"
        mail.seal, mail.seal_words = SealState.DOUBTFUL, "Signed, but by somebody else."
        s.add(mail)
        s.flush()
        one = Suggestion(inbound_mail_id=mail.id, ticket=number, person_id=web.cast.mallory.id, sign=Sign.BORROWED)
        one.issued_to, one.auto, one.body, one.made_at = "carol@acme.example", False, {"text": HOSTILE}, now
        one.files = [{"name": "a.png", "media_type": "image/png", "size": 3, "blob": "0" * 64}]
        s.add(one)
        s.flush()
        return one.id


def test_the_page_shows_it_with_a_say_and_nothing_of_it_runs(web: Web, number: int, waiting: int) -> None:
    shown = web.browser(web.cast.alice).get(f"/tickets/{number}").text
    assert "mallory@evil.example wrote to an address that was given to carol@acme.example" in shown
    assert "Sender verified by DKIM for evil.example." in shown
    assert "Signed, but by somebody else." in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt; Give it to me." in shown
    assert "&lt;b&gt;Mine&lt;/b&gt;" in shown
    assert "a.png" in shown


def test_accepted_on_the_page_it_is_a_message_marked_as_not_the_requester_s(web: Web, number: int, waiting: int) -> None:
    alice = web.browser(web.cast.alice)
    alice.submit(f"/tickets/{number}", f"/tickets/{number}/suggestions/{waiting}/acceptance", put_in_copy="1")
    words = alice.page(f"/tickets/{number}").text
    assert "Not the requester" in words
    assert "It belongs here" not in words
    assert web.program(web.cast.alice).get(f"{API}/tickets/{number}/watchers").json()["items"][0]["email"] == (
        "mallory@evil.example"
    )


def test_refused_on_the_page_it_is_a_ticket_of_its_own(web: Web, number: int, waiting: int) -> None:
    alice = web.browser(web.cast.alice)
    alice.submit(f"/tickets/{number}", f"/tickets/{number}/suggestions/{waiting}/refusal")
    assert "Give it to me" not in alice.page(f"/tickets/{number}").text
    assert "Give it to me" in alice.page(f"/tickets/{number + 1}").text


def test_programs_read_it_and_decide_once(web: Web, number: int, waiting: int) -> None:
    alice = web.program(web.cast.alice)
    [one] = alice.get(f"{API}/tickets/{number}/suggestions").json()["items"]
    assert (one["id"], one["sender"]["email"], one["text"], one["verdict"]) == (waiting, "mallory@evil.example", HOSTILE, "pass")
    assert (one["seal"], one["seal_words"]) == ("doubtful", "Signed, but by somebody else.")
    at = f"{API}/tickets/{number}/suggestions/{waiting}"
    made = alice.post(f"{at}/acceptance", json={})
    assert (made.status_code, made.json()["ticket"]) == (201, number)
    for again in ("acceptance", "refusal"):
        refused = alice.post(f"{at}/{again}", json={} if again == "acceptance" else None)
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:atum-desk:problem:decided-already")
    assert alice.get(f"{API}/tickets/{number}/suggestions").json()["items"] == []


def test_no_customer_ever_sees_or_decides_it(web: Web, number: int, waiting: int) -> None:
    for person, wanted in ((web.cast.carol, 403), (web.cast.dave, 403), (web.cast.mallory, 404)):
        program = web.program(person)
        assert program.get(f"{API}/tickets/{number}/suggestions").status_code == 403
        for say in ("acceptance", "refusal"):
            asked = program.post(f"{API}/tickets/{number}/suggestions/{waiting}/{say}", json={} if say == "acceptance" else None)
            assert asked.status_code in {403, wanted}
    assert "Give it to me" not in web.browser(web.cast.carol).page(f"/my/tickets/{number}").text


def test_staff_of_another_team_neither(web: Web, number: int, waiting: int) -> None:
    web.to_team(number, web.cast.billing)
    alice = web.program(web.cast.alice)
    assert alice.get(f"{API}/tickets/{number}/suggestions").status_code == 404
    assert alice.post(f"{API}/tickets/{number}/suggestions/{waiting}/acceptance", json={}).status_code == 404
    assert web.program(web.cast.erin).get(f"{API}/tickets/{number}/suggestions").status_code == 200


def test_one_that_its_sender_s_domain_disowns_says_so_where_it_waits(web: Web, number: int, waiting: int) -> None:
    with web.desk.db.transaction() as s:
        mail = s.get_one(InboundMail, s.get_one(Suggestion, waiting).inbound_mail_id)
        mail.verdict, mail.verdict_words = Verdict.FAIL, "no key"
    shown = web.browser(web.cast.alice).page(f"/tickets/{number}").text
    assert "mallory@evil.example is named as the sender, but this is not from there" in shown
    assert "Perhaps forged. Anybody may have written this in the name of Mallory." in shown

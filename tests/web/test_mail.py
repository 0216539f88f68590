"""The page of incoming mail: what came, what became of it, and a person's say over what could not be read."""

import html
import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.audit.models import Entry, Event
from app.db.session import now as database_now
from app.intake.models import InboundMail, Mailbox
from app.intake.rules.authentication import Verdict
from app.intake.rules.seal import SealState
from app.intake.rules.states import MailState
from app.outbox.models import Cause, Suppression
from app.tickets import actions as tickets
from app.tickets.actions import Body, Source
from app.tickets.models import Channel, Ticket
from tests.db.intake.conftest import a_mailbox
from tests.web.conftest import Web

HOSTILE = b"From: <script>alert(1)</script>\r\nSubject: x\r\n\r\n<img src=x onerror=alert(1)>\xff\x00"


@pytest.fixture
def mailbox(web: Web) -> Mailbox:
    with web.desk.db.transaction() as s:
        return a_mailbox(s, database_now(s))


def arrived(web: Web, mailbox: Mailbox, state: MailState = MailState.QUARANTINED, raw: bytes = HOSTILE, **more: object) -> int:
    """A mail in the ledger; its number."""
    with web.desk.db.transaction() as s:
        now = database_now(s)
        uid = (s.query(InboundMail).count() or 0) + 1
        row = InboundMail(mailbox_id=mailbox.id, uidvalidity=1, uid=uid, raw_sha256="0" * 64, size=len(raw), raw=raw)
        row.header_only, row.attempts, row.state = False, 0, state
        row.received_at = row.taken_at = now - timedelta(minutes=uid)
        for name, value in more.items():
            setattr(row, name, value)
        s.add(row)
        s.flush()
        return row.id


def state(web: Web, id: int) -> MailState:
    with web.desk.db.transaction() as s:
        return s.get_one(InboundMail, id).state


def test_each_mail_says_what_became_of_it_and_why(web: Web, mailbox: Mailbox) -> None:
    number = web.ticket(web.cast.carol)
    arrived(web, mailbox, MailState.DONE, subject="Printer on fire", sender="carol@acme.example", ticket=number)
    arrived(web, mailbox, MailState.QUARANTINED, subject="Strange", reason="reading it took too much memory")
    words = web.browser(web.cast.bob).page("/mail").text
    for part in ("Printer on fire", "carol@acme.example", str(number), "Strange", "reading it took too much memory"):
        assert part in words


def test_the_list_is_narrowed_by_outcome_and_by_mailbox(web: Web, mailbox: Mailbox) -> None:
    with web.desk.db.transaction() as s:
        sales = a_mailbox(s, database_now(s), "sales@desk.example")
    arrived(web, mailbox, MailState.IGNORED, subject="Ours came back")
    arrived(web, sales, MailState.DUPLICATE, subject="Twice")
    browser = web.browser(web.cast.root)
    shown = {
        query: {subject for subject in ("Ours came back", "Twice") if subject in browser.page(f"/mail{query}").text}
        for query in ("", "?state=ignored", "?state=quarantined", f"?mailbox={sales.id}", f"?state=ignored&mailbox={sales.id}")
    }
    assert list(shown.values()) == [{"Ours came back", "Twice"}, {"Ours came back"}, set(), {"Twice"}, set()]
    assert "No mail is in this list" in browser.page("/mail?state=quarantined").text


def test_older_mail_is_further_back(web: Web, mailbox: Mailbox) -> None:
    for n in range(60):
        arrived(web, mailbox, MailState.IGNORED, subject=f"mail-{n}-")
    browser = web.browser(web.cast.bob)
    first = browser.get("/mail?state=ignored").text
    assert "mail-59-" in first
    assert "mail-9-" not in first
    [further] = re.findall(r'href="(/mail[^"]*before=[^"]*)"', first)
    assert "mail-9-" in browser.page(html.unescape(further)).text


def test_a_hostile_mail_is_text_and_nothing_else(web: Web, mailbox: Mailbox) -> None:
    id = arrived(web, mailbox)
    answer = web.browser(web.cast.bob).get(f"/mail/{id}")
    assert "&lt;img src=x onerror=alert(1)&gt;" in answer.text
    assert "<script>" not in answer.text
    assert "<img" not in answer.text
    original = web.browser(web.cast.bob).get(f"/mail/{id}/original")
    assert original.content == HOSTILE
    assert original.headers["content-disposition"] == f'attachment; filename="mail-{id}.eml"'
    assert original.headers["content-type"] == "message/rfc822"


def test_of_a_huge_mail_the_beginning_is_shown(web: Web, mailbox: Mailbox) -> None:
    id = arrived(web, mailbox, raw=b"x" * 300_000)
    words = web.browser(web.cast.bob).page(f"/mail/{id}").text
    assert "The first 100 kB." in words
    assert words.count("x") < 160_000


def test_a_quarantined_mail_is_processed_again_or_dropped(web: Web, mailbox: Mailbox) -> None:
    again, dropped = arrived(web, mailbox), arrived(web, mailbox, reason="the reader failed")
    browser = web.browser(web.cast.bob)
    assert browser.submit(f"/mail/{again}", f"/mail/{again}/replay").headers["location"] == f"/mail/{again}"
    browser.submit(f"/mail/{dropped}", f"/mail/{dropped}/drop")
    assert (state(web, again), state(web, dropped)) == (MailState.NEW, MailState.IGNORED)
    assert "dropped by hand; before: the reader failed" in browser.page(f"/mail/{dropped}").text
    with web.desk.db.transaction() as s:
        told = {entry.kind: entry.actor for entry in s.scalars(select(Entry).where(Entry.kind.startswith("mail.")))}
    assert {kind.value for kind in told} == {"mail.read", "mail.replayed", "mail.dropped"}
    assert set(told.values()) == {"Bob <bob@desk.example>"}


def test_what_has_become_something_can_not_be_replayed(web: Web, mailbox: Mailbox) -> None:
    id = arrived(web, mailbox)
    browser = web.browser(web.cast.bob)
    opened = browser.page(f"/mail/{id}")
    with web.desk.db.transaction() as s:
        s.get_one(InboundMail, id).state = MailState.DONE
    answer = browser.fill(opened, f"/mail/{id}/replay")
    assert answer.status_code == 409
    assert "only quarantined and ignored mails can be processed again" in answer.text
    assert "Process again" not in browser.page(f"/mail/{id}").text


def test_no_agent_and_no_customer_reads_the_ledger(web: Web, mailbox: Mailbox) -> None:
    id = arrived(web, mailbox)
    for person in (web.cast.alice, web.cast.carol, web.cast.mallory):
        browser = web.browser(person)
        assert {browser.get(path).status_code for path in ("/mail", f"/mail/{id}", f"/mail/{id}/original")} == {403}
    assert 'href="/mail"' not in web.browser(web.cast.alice).get("/tickets").text
    assert 'href="/mail"' in web.browser(web.cast.bob).get("/tickets").text
    assert web.browser(web.cast.bob).get("/mail/999999").status_code == 404


def test_who_works_on_a_ticket_sees_whether_its_sender_is_who_they_say(web: Web, mailbox: Mailbox) -> None:
    """Customers are not told: it is for those who decide."""
    number = web.ticket(web.cast.carol)
    mails = [
        arrived(web, mailbox, MailState.DONE, verdict=verdict, verdict_words=words, ticket=number)
        for verdict, words in (
            (Verdict.PASS, "DKIM for acme.example"),
            (Verdict.NONE, "<b>nothing</b>"),
            (Verdict.FAIL, "no key"),
        )
    ]
    with web.desk.db.transaction() as s:
        ticket, carol = s.get_one(Ticket, number), s.merge(web.cast.carol)
        for id in mails:
            source = Source(Channel.MAIL, inbound_mail_id=id)
            tickets.customer_reply(s, ticket, by=carol, body=Body(f"mail {id}"), source=source, now=database_now(s))
    words = web.browser(web.cast.alice).page(f"/tickets/{number}").text
    assert "Sender verified by DKIM for acme.example." in words
    assert "Not from who it says: no key." in words
    assert "Sender could not be verified." in words
    assert words.count("Perhaps forged. Anybody may have written this in the name of Carol.") == 1
    customers = web.browser(web.cast.carol).page(f"/my/tickets/{number}").text
    assert "verified" not in customers
    assert "forged" not in customers
    assert "Sender verified by DKIM for acme.example." in web.browser(web.cast.bob).page(f"/mail/{mails[0]}").text


def test_who_works_on_a_ticket_sees_what_a_signature_shows(web: Web, mailbox: Mailbox) -> None:
    number = web.ticket(web.cast.carol)
    good, broken = (
        arrived(web, mailbox, MailState.DONE, seal=state, seal_words=words, ticket=number)
        for state, words in ((SealState.GOOD, "Signed by <b>carol</b>, intact."), (SealState.BROKEN, "It doesn't fit."))
    )
    with web.desk.db.transaction() as s:
        ticket, carol = s.get_one(Ticket, number), s.merge(web.cast.carol)
        for id in (good, broken):
            source = Source(Channel.MAIL, inbound_mail_id=id)
            tickets.customer_reply(s, ticket, by=carol, body=Body(f"mail {id}"), source=source, now=database_now(s))
    shown = web.browser(web.cast.alice).get(f"/tickets/{number}").text
    assert '<span class="soft">Signed by &lt;b&gt;carol&lt;/b&gt;, intact.</span>' in shown
    assert '<span class="undelivered">It doesn&#39;t fit.</span>' in shown
    assert "Signed by" not in web.browser(web.cast.carol).page(f"/my/tickets/{number}").text
    assert "It doesn't fit." in web.browser(web.cast.bob).page(f"/mail/{broken}").text
    told = web.program(web.cast.bob).get(f"/api/v1/mails/{good}").json()
    assert (told["seal"], told["seal_words"]) == ("good", "Signed by <b>carol</b>, intact.")


def test_a_suppressed_address_is_shown_with_its_reason_and_lifted_by_hand(web: Web) -> None:
    with web.desk.db.transaction() as s:
        row = {"address": "gone@acme.example", "cause": Cause.HARD, "reason": "550 5.1.1 <b>nobody</b>", "days": 1}
        s.add(Suppression(**row, since=database_now(s)))
    browser = web.browser(web.cast.bob)
    shown = browser.page("/mail/suppressed").text
    assert "gone@acme.example" in shown
    assert "550 5.1.1 <b>nobody</b>" in shown
    opened = browser.page("/mail/suppressed")
    assert browser.fill(opened, "/mail/suppressed/lift").status_code == 303
    assert "Every address gets mail." in browser.page("/mail/suppressed").text
    again = browser.fill(opened, "/mail/suppressed/lift")
    assert again.status_code == 404
    assert "is not suppressed" in again.text
    with web.desk.db.transaction() as s:
        [entry] = s.scalars(select(Entry).where(Entry.kind == Event.MAIL_UNSUPPRESSED))
    assert entry.actor == "Bob <bob@desk.example>"

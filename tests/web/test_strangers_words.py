"""What strangers' servers, programs and mails say is shown as words: in pages, in the letters we send, in health."""

import json
from dataclasses import replace
from datetime import UTC, timedelta
from email.message import EmailMessage

from sqlalchemy import select, text

from app.intake.models import Mailbox
from app.intake.rules.states import FailureClass, MailboxState
from app.outbox.compose import compose
from app.outbox.house import house
from app.outbox.models import Letter, Relay, RelayState, State
from app.tickets.deadlines import process_due
from app.tickets.escalating import tell_due
from app.web.app import create
from tests.cast import PASSWORD
from tests.web.browser import SAME_ORIGIN, Browser, Page
from tests.web.conftest import Web
from tests.web.test_safety import SCRIPT

LINES = f"{SCRIPT}\r\nBcc: mallory@evil.example"
OUR_TAGS = {"html", "head", "meta", "body", "div", "p", "br", "a"}


def with_mail(web: Web) -> Web:
    """The same desk, which has a mail server."""
    desk = replace(
        web.desk, settings=replace(web.desk.settings, smtp_host="mail", imap_host="mail", smtp_from="desk@desk.example")
    )
    return Web(create(desk), desk, web.cast)


def what_servers_said(web: Web) -> None:
    """The mailbox's server, the server that takes our letters, and what it said of one of them."""
    with web.desk.db.transaction() as s:
        at = s.execute(text("SELECT now()")).scalar_one()
        box = Mailbox(name=SCRIPT, address="x@desk.example", host="mail", port=993, tls=True, username="x", folder="INBOX")
        box.credentials, box.created_at, box.last_uid, box.lease_epoch = "", at, 0, 0
        box.state, box.failure_class, box.failures = MailboxState.FAILING, FailureClass.TRANSPORT, 1
        box.failing_since, box.reason = at, f"imap said {SCRIPT}"
        relay = Relay(id=1, state=RelayState.REFUSED, since=at, reason=f"smtp said {SCRIPT}", failures=1, settings="")
        s.add_all([box, relay])
        for letter in s.scalars(select(Letter).where(Letter.message_id.is_not(None))):
            letter.state, letter.next_at, letter.last_error = State.FAILED, None, f"recipient's server said {SCRIPT}"


def test_what_servers_programs_and_mails_say_is_only_words(web: Web) -> None:
    desk, people = with_mail(web), web.cast
    people.carol.name = SCRIPT  # written with her next ticket
    number = desk.ticket(people.carol, subject=LINES, text=SCRIPT, accepted=True)
    alice = desk.program(people.alice)
    assert alice.post(f"/api/v1/tickets/{number}/messages", json={"body": "An answer"}).status_code == 201
    what_servers_said(desk)
    web.set_password(people.carol, PASSWORD)
    visitor = Browser(desk.app)
    form = {"email": people.carol.email, "password": PASSWORD}
    assert visitor.post("/sign-in", data=form, headers=SAME_ORIGIN | {"User-Agent": SCRIPT}).status_code == 303

    staff, customer = desk.browser(people.alice), desk.browser(people.carol)
    shown = {path: staff.page(path) for path in ("/tickets", "/tickets/new", f"/tickets/{number}")}
    shown |= {path: customer.page(path) for path in ("/my/tickets", f"/my/tickets/{number}")}
    for path, page in shown.items():
        assert "img" not in page.tags, path
        assert all(script.startswith("/static/") for script in page.scripts), path
    assert SCRIPT in shown["/tickets"].text
    for server in ("imap", "smtp", "recipient's server"):
        assert f"{server} said {SCRIPT}" in shown[f"/tickets/{number}"].text
    sessions = desk.program(people.carol).get("/api/v1/auth/sessions")
    health = desk.program(people.root).get("/api/v1/health")
    for answer in (sessions, health):
        assert SCRIPT in json.dumps(answer.json(), ensure_ascii=False).replace('\\"', '"')
        assert answer.headers["content-type"].startswith("application/json")
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_letters_carry_strangers_words_as_words_and_in_no_header_of_their_own(web: Web) -> None:
    people = web.cast
    people.carol.name = LINES
    number = web.ticket(people.carol, subject=LINES, text=LINES, accepted=True)
    alice = web.program(people.alice)
    assert alice.post(f"/api/v1/tickets/{number}/watchers", json={"kind": "agent"}).is_success
    assert alice.post(f"/api/v1/tickets/{number}/messages", json={"body": LINES}).is_success
    assert web.program(people.carol).post(f"/api/v1/tickets/{number}/messages", json={"body": LINES}).is_success
    assert web.program().post("/api/v1/auth/password/forgot", json={"email": people.carol.email}).status_code == 202
    let_deadlines_pass(web)

    with web.desk.db.transaction() as s:
        letters = list(s.scalars(select(Letter)))
        mails = [compose(letter, house(web.desk.settings, web.desk.signer)) for letter in letters]
    assert {letter.dedupe_key.partition(":")[0] for letter in letters} >= {"reply", "acknowledgement", "ladder", "heard"}
    assert any(letter.link for letter in letters)
    with_words = 0
    for letter, mail in zip(letters, mails, strict=True):
        page = Page(html_of(mail))
        assert page.tags <= OUR_TAGS, letter.kind
        with_words += SCRIPT in page.text
        assert "bcc" not in {name.lower() for name in mail.keys()}, letter.kind  # noqa: SIM118 (a mail's headers)
        assert b"\nbcc:" not in mail.as_bytes().partition(b"\r\n\r\n")[0].lower(), letter.kind
        assert len(mail.get_all("to", [])) == 1
    assert with_words >= 3


def let_deadlines_pass(web: Web) -> None:
    with web.desk.db.transaction() as s:
        s.execute(text("UPDATE sla_clock SET next_at = now() WHERE next_at IS NOT NULL"))
    with web.desk.db.transaction() as s:
        s.info["now"] = s.execute(text("SELECT now()")).scalar_one() + timedelta(days=60)
        while process_due(s):
            pass
        tell_due(s, house(web.desk.settings, web.desk.signer), UTC)


def html_of(mail: EmailMessage) -> str:
    part = mail.get_body(("html",))
    assert part is not None
    return str(part.get_content())

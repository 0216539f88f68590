"""A mail that waits for a person: read without danger, then released, replayed or dropped."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.audit.models import Entry
from app.db.session import now as database_now
from app.intake.models import InboundMail
from app.intake.rules.states import MailState
from app.tickets.models import Message
from tests.unit.intake.letters import mail, multipart, part
from tests.web.conftest import Web
from tests.web.mailed import processor, taken

API = "/api/v1/mails"
PAGE = '<p>It <b>smokes</b></p><script>alert(1)</script><img src="https://evil.example/seen.gif"><img src="cid:1@x">'
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
HELD = multipart(
    part("It smokes <script>alert(1)</script>\n\n-- \nCarol"),
    part(PAGE, "text/html"),
    part(b"<script>alert(1)</script>", 'image/svg+xml; name="B\xc3\xb6n \\"x\\".html"'),
    part(PNG, "image/png", Content_ID="<1@x>"),
    kind="alternative",
    Cc="Dave <dave@acme.example>",
)


def held(web: Web, raw: bytes = HELD, **more: object) -> int:
    """A mail that a rule holds."""
    id = taken(web, raw)
    with web.desk.db.transaction() as s:
        row = s.get_one(InboundMail, id)
        row.state, row.reason, row.sender = MailState.QUARANTINED, "its sender could not be verified", "carol@acme.example"
        row.content_key = f"held {id}"
        for name, value in more.items():
            setattr(row, name, value)
    return id


def told(web: Web, id: int) -> tuple[MailState, int | None]:
    with web.desk.db.transaction() as s:
        row = s.get_one(InboundMail, id)
        return row.state, row.ticket


def test_it_is_read_as_text_with_its_files_and_nothing_in_it_acts(web: Web) -> None:
    id = held(web)
    answer = web.browser(web.cast.bob).get(f"/mail/{id}")
    said = answer.text.partition("What it says")[2].partition("As it came")[0]
    assert "It smokes &lt;script&gt;alert(1)&lt;/script&gt;" in said
    assert "Show signature" in said
    assert "dave@acme.example" in answer.text
    assert f'sandbox="allow-popups allow-popups-to-escape-sandbox" loading="lazy" src="/mail/{id}/html"' in said
    assert "<script" not in answer.text
    assert "<img" not in answer.text
    assert said.count(f'href="/mail/{id}/files/') == 2


def test_its_html_is_a_document_that_can_do_nothing(web: Web) -> None:
    id = held(web)
    answer = web.browser(web.cast.bob).get(f"/mail/{id}/html")
    assert answer.text.endswith('<p>It <b>smokes</b></p><img><img src="data:image/png;base64,iVBORw0KGgoAAAAAAAAAAAAAAAAAAAAA">')
    assert answer.headers["content-security-policy"].startswith(
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none';"
    )


def test_its_files_are_for_saving_only(web: Web) -> None:
    id = held(web)
    browser = web.browser(web.cast.bob)
    answer = browser.get(f"/mail/{id}/files/1")
    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert {browser.get(f"/mail/{id}/files/{n}").status_code for n in (0, 3, 99)} == {404}


def test_what_can_not_be_read_says_so_and_shows_its_source(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.web.agent.reading.READER._patience", 0.0)
    id = held(web)
    page = web.browser(web.cast.bob).get(f"/mail/{id}")
    assert "It can't be read: reading it took longer than 0 s." in page.text
    assert "As it came" in page.text
    assert web.browser(web.cast.bob).get(f"/mail/{id}/html").status_code == 404


def test_released_it_becomes_a_ticket_though_a_rule_held_it(web: Web) -> None:
    id = held(web)
    browser = web.browser(web.cast.bob)
    assert browser.submit(f"/mail/{id}", f"/mail/{id}/release").headers["location"] == f"/mail/{id}"
    assert told(web, id) == (MailState.NEW, None)
    processor(web).process(id)
    state, ticket = told(web, id)
    assert state is MailState.DONE
    assert ticket is not None
    with web.desk.db.transaction() as s:
        row = s.get_one(InboundMail, id)
        assert row.released_at is not None
        assert database_now(s) - row.released_at < timedelta(minutes=5)
        assert s.scalars(select(Message).where(Message.inbound_mail_id == id)).one().ticket == ticket
        released = s.scalars(select(Entry).where(Entry.kind == "mail.released")).one()
        assert (released.actor, released.data["reason"]) == ("Bob <bob@desk.example>", "its sender could not be verified")
    assert "Released" in browser.page(f"/mail/{id}").text


def test_what_could_not_be_read_is_processed_again_and_not_released(web: Web) -> None:
    page = web.browser(web.cast.bob).page(f"/mail/{held(web, attempts=3)}").text
    assert "Process again" in page
    assert "Release:" not in page


def test_only_what_is_held_is_released(web: Web) -> None:
    program = web.program(web.cast.bob)
    for state in (MailState.NEW, MailState.DONE, MailState.IGNORED, MailState.DUPLICATE):
        answer = program.post(f"{API}/{held(web, state=state)}/release")
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:atum-desk:problem:conflict")
    withheld = held(web, refusal="server error")
    assert "asked for again" in program.post(f"{API}/{withheld}/release").json()["detail"]


def test_programs_list_and_decide_too(web: Web) -> None:
    first, second, third = (held(web, mail(mail_id=f"<{n}@a>")) for n in range(3))
    program = web.program(web.cast.bob)
    page = program.get(f"{API}?state=quarantined&limit=2").json()
    rest = program.get(f"{API}?state=quarantined&limit=2&cursor={page['next']}").json()
    assert [one["id"] for one in (*page["items"], *rest["items"])] == [third, second, first]
    assert rest["next"] is None
    assert program.get(f"{API}?state=done").json()["items"] == []
    assert program.get(f"{API}?mailbox_id=99").json()["items"] == []
    assert program.get(f"{API}/{first}").json()["reason"] == "its sender could not be verified"
    states = [
        program.post(f"{API}/{id}/{verb}").json()["state"]
        for id, verb in ((first, "release"), (second, "drop"), (third, "replay"))
    ]
    assert states == ["new", "ignored", "new"]
    assert program.get(f"{API}/{first}").json()["released_at"] is not None
    assert program.get(f"{API}/{third}").json()["released_at"] is None


def test_nobody_below_a_manager_reads_or_decides(web: Web) -> None:
    id = held(web)
    for person in (web.cast.alice, web.cast.carol, web.cast.mallory):
        browser, program = web.browser(person), web.program(person)
        asked = [browser.get(path) for path in (f"/mail/{id}", f"/mail/{id}/html", f"/mail/{id}/files/1")]
        asked += [program.get(API), program.get(f"{API}/{id}")]
        asked += [program.post(f"{API}/{id}/{verb}") for verb in ("release", "replay", "drop")]
        assert {answer.status_code for answer in asked} == {403}
    assert told(web, id)[0] is MailState.QUARANTINED
    assert web.program(web.cast.bob).get(f"{API}/999999").status_code == 404

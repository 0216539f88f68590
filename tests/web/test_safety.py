"""What strangers send: other sites, other sessions, other companies, and markup where words belong."""

import base64

import pytest
from fastapi.routing import APIRoute

from app.web.door import COOKIE
from app.web.forms import checked
from tests.web.browser import SAME_ORIGIN, Page
from tests.web.conftest import Web

SCRIPT = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'


def _page_routes(web: Web) -> list[APIRoute]:
    """Every route of the pages: what is not the API, health or a file."""
    return [route for route in web.routes() if not route.path.startswith(("/api/", "/healthz"))]


def test_every_form_but_those_of_strangers_is_checked_to_be_ours(web: Web) -> None:
    unsafe = [route for route in _page_routes(web) if (route.methods or set()) - {"GET", "HEAD"}]
    unchecked = {route.path for route in unsafe if checked not in [d.dependency for d in route.dependencies]}

    assert len(unsafe) >= 10
    assert unchecked == {"/sign-in", "/sign-in/second-step", "/setup/{token}", "/unfollow/{token}", "/acknowledge/{token}"}


@pytest.mark.parametrize("token", ["", "made-up", "a" * 16])
def test_a_form_without_the_sessions_token_changes_nothing(web: Web, token: str) -> None:
    number = web.ticket(web.cast.carol)
    browser = web.browser(web.cast.alice)

    answer = browser.post(f"/tickets/{number}/acceptance", data={"csrf": token}, headers=SAME_ORIGIN)

    assert answer.status_code == 403
    assert web.status(number) == "new"


def test_the_token_of_one_session_is_worth_nothing_in_another(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    page = web.browser(web.cast.bob).page(f"/tickets/{number}")

    assert web.browser(web.cast.alice).fill(page, f"/tickets/{number}/acceptance").status_code == 403
    assert web.status(number) == "new"


def test_a_form_from_another_site_is_refused_even_with_the_token(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    browser = web.browser(web.cast.alice)
    fields = browser.page(f"/tickets/{number}").forms[-1].fields

    for foreign in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert browser.post(f"/tickets/{number}/acceptance", data=fields, headers=foreign).status_code == 403
    assert web.status(number) == "new"


def test_the_api_refuses_another_site_that_borrows_the_cookie(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    foreign = {"Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"}

    answer = web.browser(web.cast.alice).post(f"/api/v1/tickets/{number}/acceptance", headers=foreign)

    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:atum-desk:problem:foreign-origin"


def test_no_page_changes_anything_on_get(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    browser = web.browser(web.cast.alice)

    for verb in ("acceptance", "assignment", "status", "priority", "messages"):
        assert browser.get(f"/tickets/{number}/{verb}").status_code == 405
    assert browser.get("/sign-out").status_code == 405
    assert browser.get("/tickets").status_code == 200


def test_markup_in_subject_name_and_text_is_only_text(web: Web) -> None:
    with web.desk.db.transaction() as s:
        s.merge(web.cast.carol).name = SCRIPT
    number = web.ticket(web.cast.carol, subject=SCRIPT, text=SCRIPT, accepted=True)
    web.note(number, SCRIPT)
    staff, customer = web.browser(web.cast.alice), web.browser(web.cast.carol)

    pages = [staff.page("/tickets"), staff.page(f"/tickets/{number}"), customer.page("/my/tickets")]
    pages.append(customer.page(f"/my/tickets/{number}"))

    for page in pages:
        assert SCRIPT in page.text
        assert "img" not in page.tags
        assert all(script.startswith("/static/live.js?v=") for script in page.scripts)


def test_links_in_a_text_are_only_of_harmless_kinds(web: Web) -> None:
    words = "https://a.example/?x=1 javascript:alert(1) data:text/html,x vbscript:x bob@x.example"
    number = web.ticket(web.cast.carol, text=words)

    html = web.browser(web.cast.alice).get(f"/tickets/{number}").text

    assert 'href="https://a.example/?x=1" rel="nofollow noopener noreferrer"' in html
    assert 'href="mailto:bob@x.example"' in html
    assert not any(f'href="{scheme}:' in html for scheme in ("javascript", "data", "vbscript"))


def test_words_that_were_typed_come_back_as_words(web: Web) -> None:
    browser = web.browser(web.cast.carol)
    answer = browser.submit("/my/tickets/new", "/my/tickets/new", subject="", text=f"\n\n</textarea>{SCRIPT}")

    page = Page(answer.text)
    assert answer.status_code == 422
    assert not page.tags & {"script", "img"}
    assert f"</textarea>{SCRIPT}" in page.text


def test_every_page_forbids_scripts_frames_and_caches(web: Web) -> None:
    for path in ("/", "/nowhere", "/tickets", "/static/desk.css"):
        headers = web.browser(web.cast.alice).get(path, follow_redirects=True).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    assert web.browser(web.cast.alice).get("/tickets").headers["cache-control"] == "no-store"


def test_another_company_finds_nothing_by_any_door(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    browser, program = web.browser(web.cast.mallory), web.program(web.cast.mallory)
    token = browser.page("/my/tickets/new").forms[0].fields

    pages = [browser.get(f"/tickets/{number}"), browser.get(f"/my/tickets/{number}"), browser.get("/attachments/1")]
    pages += [browser.get("/messages/1/html"), program.get(f"/api/v1/tickets/{number}")]
    pages += [program.get(f"/api/v1/tickets/{number}/{part}") for part in ("messages", "events", "sla")]
    posts = {"messages": {"kind": "answer"}, "status": {"to": "resolved"}, "priority": {"to": "low"}}
    for verb in ("acceptance", "assignment", "status", "priority", "messages"):
        fields = token | posts.get(verb, {})
        pages.append(browser.post(f"/tickets/{number}/{verb}", data=fields, headers=SAME_ORIGIN))
    pages.append(browser.post(f"/my/tickets/{number}/messages", data=token | {"text": "x"}, headers=SAME_ORIGIN))
    pages.append(program.post(f"/api/v1/tickets/{number}/messages", json={"body": "x"}))

    assert {answer.status_code for answer in pages} == {404}
    assert program.get("/api/v1/tickets").json()["items"] == []
    assert "Printer" not in browser.page("/my/tickets").text
    assert len(web.said(number)) == 1


def test_strangers_do_not_learn_which_tickets_there_are(web: Web) -> None:
    number = web.ticket(web.cast.carol)

    for path in ("/tickets/{}", "/my/tickets/{}", "/api/v1/tickets/{}", "/api/v1/tickets/{}/messages"):
        there, nowhere = (web.browser().get(path.format(n)) for n in (number, number + 1))
        assert there.status_code == nowhere.status_code, path


def test_a_customer_may_not_work_on_their_own_ticket(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    browser, program = web.browser(web.cast.carol), web.program(web.cast.carol)
    token = browser.page("/my/tickets/new").forms[0].fields

    assert browser.post(f"/tickets/{number}/acceptance", data=token, headers=SAME_ORIGIN).status_code == 403
    assert program.post(f"/api/v1/tickets/{number}/acceptance").status_code == 403
    assert program.get(f"/api/v1/tickets/{number}/events").status_code == 403
    assert web.status(number) == "new"


def test_a_cookie_is_no_bearer_token_and_a_bearer_token_no_cookie(web: Web) -> None:
    cookie = web.browser(web.cast.alice).cookies[COOKIE]
    bearer = web.program(web.cast.alice).headers["authorization"].partition(" ")[2]

    assert web.program().get("/api/v1/auth/me", headers={"Authorization": f"Bearer {cookie}"}).status_code == 401
    assert web.browser().get("/tickets", headers={"Cookie": f"{COOKIE}={bearer}"}).status_code == 303


@pytest.mark.parametrize("path", ["/tickets/{}", "/my/tickets/{}", "/messages/{}/html", "/attachments/{}", "/api/v1/tickets/{}"])
def test_a_number_beyond_reason_is_refused_and_breaks_nothing(web: Web, path: str) -> None:
    assert web.browser(web.cast.alice).get(path.format(10**30)).status_code in {404, 422}


def test_what_the_database_can_not_hold_is_refused_and_breaks_nothing(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    program, far = (
        web.program(web.cast.alice),
        base64.urlsafe_b64encode(b'["2026-01-01T00:00:00+00:00", ' + b"9" * 30 + b"]").decode(),
    )

    answers = [program.get(f"/api/v1/tickets?cursor={far}"), program.get(f"/api/v1/tickets?assignee_id={10**30}")]
    answers.append(program.post(f"/api/v1/tickets/{number}/assignment", json={"assignee_id": 10**30}))
    answers.append(program.post("/api/v1/auth/login", data={"username": "a\0b@x.example", "password": "x"}))
    answers.append(web.browser().post("/sign-in", data={"email": "a\0b@x.example", "password": "x"}, headers=SAME_ORIGIN))

    assert {answer.status_code for answer in answers} <= {401, 422}


def test_control_characters_never_reach_a_page(web: Web) -> None:
    browser = web.browser(web.cast.carol)
    words = "a\0b\x1bc\u202ed\x07"

    answer = browser.submit("/my/tickets/new", "/my/tickets/new", subject=words, text=words)

    assert answer.status_code == 303
    assert not set(browser.get(answer.headers["location"]).text) & set("\0\x1b\u202e\x07")

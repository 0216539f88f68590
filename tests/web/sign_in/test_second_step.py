"""The pages: a code after the password, and the page that opens to whoever still lacks a second factor."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from app.accounts import half_step
from app.accounts.models import Person, SignIn
from app.accounts.rules import Role
from tests.cast import PASSWORD
from tests.web.browser import SAME_ORIGIN, Browser, Page
from tests.web.conftest import Web
from tests.web.sign_in.steps import (
    code,
    forget_steps,
    require_factor,
    told,
    with_app,
    with_passkey,
    with_password,
    wrong_code,
)

STEP = "/sign-in/second-step"
HERE = "/account/second-factor"


def first_step(web: Web, person: Person, browser: Browser | None = None) -> tuple[Browser, Page]:
    """Somebody who typed the right password, and what they see then."""
    browser = browser or web.browser()
    form = {"email": person.email, "password": PASSWORD, "next": "/tickets/new"}
    answer = browser.post("/sign-in", data=form, headers=SAME_ORIGIN)
    assert (answer.status_code, "set-cookie" in answer.headers) == (200, False)
    return browser, Page(answer.text)


def sessions(web: Web, person: Person) -> int:
    with web.desk.db.transaction() as s:
        alive = select(func.count()).where(SignIn.person_id == person.id, SignIn.ended_at.is_(None))
        return s.scalar(alive) or 0


def test_the_code_is_asked_after_the_password_and_no_session_is_there_before(web: Web) -> None:
    with_password(web, web.cast.alice)
    secret, _ = with_app(web, web.cast.alice)
    browser, page = first_step(web, web.cast.alice)
    assert page.forms[0].action == STEP
    assert "password" not in page.forms[0].fields
    assert sessions(web, web.cast.alice) == 0

    answer = browser.fill(page, STEP, otp=code(web, secret))

    assert (answer.status_code, answer.headers["location"]) == (303, "/tickets/new")
    assert browser.get("/tickets/new").status_code == 200


def test_a_wrong_code_is_asked_again_and_five_are_enough(web: Web) -> None:
    with_password(web, web.cast.alice)
    secret, codes = with_app(web, web.cast.alice)
    browser, page = first_step(web, web.cast.alice)
    for _ in range(5):
        answer = browser.fill(page, STEP, otp=wrong_code(web, secret))
        assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)
        page = Page(answer.text)
        assert "That code is not right" in page.text
    answer = browser.fill(page, STEP, otp=codes[0])
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) <= 900
    assert len(told(web, "person.sign_in_refused")) == 5


def test_a_recovery_code_does_as_well(web: Web) -> None:
    with_password(web, web.cast.alice)
    _, codes = with_app(web, web.cast.alice)
    browser, page = first_step(web, web.cast.alice)
    assert browser.fill(page, STEP, otp=codes[0]).status_code == 303


def test_the_half_step_is_nobody_elses_and_not_for_ever(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    with_password(web, web.cast.alice, web.cast.bob)
    secret, _ = with_app(web, web.cast.alice)
    browser, page = first_step(web, web.cast.alice)
    half = page.forms[0].fields["half"]
    id, ends, signature = half.split(".")
    odd = [
        f"{web.cast.bob.id}.{ends}.{signature}",
        f"{id}.{int(ends) + 60}.{signature}",
        f"{id}.{ends}.{signature[:-1]}",
        f"{id}.{ends}.",
        f"{id}.{ends}.{'é' * len(signature)}",
        f"{'9' * 40}.{ends}.{signature}",
        "",
        "..",
    ]
    for each in odd:
        answer = browser.post(STEP, data={"half": each, "otp": code(web, secret)}, headers=SAME_ORIGIN)
        assert (answer.status_code, "set-cookie" in answer.headers) == (401, False), each
        assert Page(answer.text).forms[0].action == "/sign-in"
    monkeypatch.setattr(half_step, "LIFE", timedelta(seconds=-1))
    _, late = first_step(web, web.cast.alice)
    assert browser.fill(late, STEP, otp=code(web, secret)).status_code == 401


def test_a_new_password_ends_a_half_step(web: Web) -> None:
    with_password(web, web.cast.alice)
    secret, _ = with_app(web, web.cast.alice)
    browser, page = first_step(web, web.cast.alice)
    web.set_password(web.cast.alice, "another horse battery")
    assert browser.fill(page, STEP, otp=code(web, secret)).status_code == 401


def test_another_site_can_not_take_the_second_step(web: Web) -> None:
    with_password(web, web.cast.alice)
    secret, _ = with_app(web, web.cast.alice)
    browser, page = first_step(web, web.cast.alice)
    form = page.forms[0].fields | {"otp": code(web, secret)}
    assert browser.post(STEP, data=form, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_whoever_lacks_a_required_factor_is_led_to_set_one_up_and_then_everywhere(web: Web) -> None:
    with_password(web, web.cast.alice)
    require_factor(web, Role.AGENT)
    browser = web.browser()
    signed_in = browser.submit("/sign-in", "/sign-in", email=web.cast.alice.email, password=PASSWORD)
    restricted = signed_in.headers["set-cookie"].partition(";")[0]
    for path in ("/tickets", "/tickets/new"):
        answer = browser.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, HERE), path
    assert "Your role needs a second factor" in browser.page(HERE).text
    assert (
        browser.post("/tickets/new", data={"csrf": browser.page(HERE).forms[0].fields["csrf"]}, headers=SAME_ORIGIN).status_code
        == 403
    )

    page = Page(browser.submit(HERE, HERE).text)
    secret = page.text.split("type it in.")[1].split()[0]
    wrong = browser.fill(page, f"{HERE}/confirmation", otp=wrong_code(web, secret))
    assert wrong.status_code == 422
    assert secret in wrong.text
    done = browser.fill(Page(wrong.text), f"{HERE}/confirmation", otp=code(web, secret))

    assert done.status_code == 200
    assert done.text.count("<code>") == 10
    assert restricted not in done.headers["set-cookie"]
    assert web.browser().get("/tickets", headers={"Cookie": restricted}).headers["location"].startswith("/sign-in")
    assert browser.get("/tickets/new").status_code == 200
    assert browser.fill(Page(done.text), "/sign-out").status_code == 303  # the page's own forms know the new session


def test_codes_are_shown_once(web: Web) -> None:
    secret, codes = with_app(web, web.cast.alice)
    browser = web.browser(web.cast.alice)
    assert "10 recovery codes are left" in browser.page(HERE).text
    fresh = browser.submit(HERE, f"{HERE}/recovery-codes", otp=codes[0])
    assert fresh.text.count("<code>") == 10
    assert fresh.headers["cache-control"] == "no-store"
    assert "<code>" not in browser.get(HERE).text
    refused = browser.submit(HERE, f"{HERE}/recovery-codes", otp=codes[1])
    assert (refused.status_code, refused.text.count("<code>")) == (422, 0)
    forget_steps(web)
    assert browser.submit(HERE, f"{HERE}/removal", otp=code(web, secret)).status_code == 303
    assert "Set up an authenticator app" in browser.page(HERE).text


def test_a_required_app_can_not_be_removed_on_the_page_either(web: Web) -> None:
    secret, _ = with_app(web, web.cast.alice)
    require_factor(web, Role.AGENT)
    browser = web.browser(web.cast.alice)
    with_passkey(web, web.cast.erin)
    with web.desk.db.transaction() as s:
        s.execute(update(SignIn).values(restricted=False))
    refused = browser.submit(HERE, f"{HERE}/removal", otp=code(web, secret))
    assert (refused.status_code, "Your role needs a second factor" in Page(refused.text).text) == (409, True)


@pytest.mark.parametrize("path", [HERE, f"{HERE}/confirmation", f"{HERE}/recovery-codes", f"{HERE}/removal"])
def test_nothing_of_the_second_factor_is_done_for_another_site_or_a_stranger(web: Web, path: str) -> None:
    browser = web.browser(web.cast.alice)
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, SAME_ORIGIN):
        assert browser.post(path, data={"otp": "1", "csrf": ""}, headers=headers).status_code == 403
    assert web.browser().post(path, headers=SAME_ORIGIN).status_code == 401

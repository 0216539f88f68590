"""Coming in, going out, and who may not."""

from app.accounts import actions as accounts
from app.accounts.models import Person
from app.accounts.rules import Role
from app.db.session import Database
from app.db.session import now as database_now
from tests.cast import PASSWORD
from tests.web.browser import SAME_ORIGIN, Page
from tests.web.conftest import Web


def test_the_front_page_is_the_way_in_for_strangers(web: Web) -> None:
    answer = web.browser().get("/")

    assert answer.status_code == 200
    assert Page(answer.text).forms[0].action == "/sign-in"


def test_the_front_page_answers_head(web: Web) -> None:
    assert web.browser().head("/").status_code == 200


def test_the_front_page_leads_everybody_to_their_tickets(web: Web) -> None:
    assert web.browser(web.cast.alice).get("/").headers["location"] == "/tickets"
    assert web.browser(web.cast.carol).get("/").headers["location"] == "/my/tickets"


def test_signing_in_opens_a_session_in_a_cookie_that_scripts_and_other_sites_do_not_get(web: Web) -> None:
    web.set_password(web.cast.alice, PASSWORD)
    browser = web.browser()

    answer = browser.submit("/sign-in", "/sign-in", email="Alice@Desk.example ", password=PASSWORD)

    assert (answer.status_code, answer.headers["location"]) == (303, "/tickets")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-sid=")
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "domain" not in cookie.lower()
    assert browser.get("/tickets").status_code == 200


def test_signing_in_again_ends_the_session_before(web: Web) -> None:
    web.set_password(web.cast.alice, PASSWORD)
    browser = web.browser()
    browser.submit("/sign-in", "/sign-in", email="alice@desk.example", password=PASSWORD)
    first = browser.cookies["__Host-sid"]

    browser.post("/sign-in", data={"email": "alice@desk.example", "password": PASSWORD}, headers=SAME_ORIGIN)

    assert browser.cookies["__Host-sid"] != first
    assert web.browser().get("/tickets", headers={"Cookie": f"__Host-sid={first}"}).status_code == 303


def test_a_wrong_password_says_so_and_tells_nobody_which_addresses_exist(web: Web) -> None:
    web.set_password(web.cast.alice, PASSWORD)

    known = web.browser().submit("/sign-in", "/sign-in", email="alice@desk.example", password="wrong")
    unknown = web.browser().submit("/sign-in", "/sign-in", email="nobody@desk.example", password="wrong")

    assert known.status_code == unknown.status_code == 401
    assert known.text.replace("alice@", "x@") == unknown.text.replace("nobody@", "x@")
    assert "don't go together" in Page(known.text).text
    assert "set-cookie" not in known.headers


def test_the_eleventh_try_is_refused_for_a_while(web: Web) -> None:
    browser = web.browser()
    tries = {"email": "alice@desk.example", "password": "wrong"}
    answers = [browser.post("/sign-in", data=tries, headers=SAME_ORIGIN).status_code for _ in range(10)]

    last = browser.post("/sign-in", data=tries, headers=SAME_ORIGIN)

    assert set(answers) == {401}
    assert (last.status_code, last.headers["retry-after"]) == (429, "900")


def test_signing_in_leads_back_to_where_one_wanted_to_go_but_never_to_another_site(web: Web) -> None:
    web.set_password(web.cast.alice, PASSWORD)
    foreign = [
        "//evil.example",
        "https://evil.example/x",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\tevil",
    ]

    def led_to(next: str) -> str:
        fields = {"email": "alice@desk.example", "password": PASSWORD, "next": next}
        return web.browser().post("/sign-in", data=fields, headers=SAME_ORIGIN).headers["location"]

    assert led_to("/tickets/7?x=1") == "/tickets/7?x=1"
    assert {led_to(each) for each in foreign} == {"/tickets"}


def test_another_site_can_not_sign_anybody_in(web: Web) -> None:
    web.set_password(web.cast.alice, PASSWORD)
    fields = {"email": "alice@desk.example", "password": PASSWORD}

    for foreign in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}):
        answer = web.browser().post("/sign-in", data=fields, headers=foreign)
        assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


def test_signing_out_ends_the_session_for_whoever_has_the_cookie(web: Web) -> None:
    browser = web.browser(web.cast.carol)
    stolen = browser.cookies["__Host-sid"]

    answer = browser.submit("/my/tickets", "/sign-out")

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert web.browser().get("/my/tickets", headers={"Cookie": f"__Host-sid={stolen}"}).status_code == 303


def test_a_page_sends_strangers_to_the_way_in(web: Web) -> None:
    for path in ("/tickets", "/tickets/new", "/tickets/1", "/my/tickets", "/my/tickets/1", "/my/tickets/new", "/attachments/1"):
        answer = web.browser().get(path)
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/sign-in"), path


def test_disabled_people_are_out_at_once(web: Web) -> None:
    browser = web.browser(web.cast.alice)
    with web.desk.db.transaction() as s:
        accounts.disable(s, s.merge(web.cast.alice), by=None, now=database_now(s))

    assert browser.get("/tickets").status_code == 303


def _without_administrator(db: Database) -> str:
    """The token of a set-up link, on a desk that has no administrator."""
    with db.transaction() as s:
        for person in s.query(Person).filter_by(role=Role.ADMIN):
            person.role = Role.AGENT
        s.flush()
        return accounts.make_setup_link(s, now=database_now(s))


def test_the_set_up_link_makes_the_first_administrator_and_lets_them_in(web: Web) -> None:
    path = f"/setup/{_without_administrator(web.desk.db)}"
    browser = web.browser()

    answer = browser.submit(path, path, name="Eve", email="eve@desk.example", password=PASSWORD, again=PASSWORD)

    assert (answer.status_code, answer.headers["location"]) == (303, "/tickets")
    assert "Eve, admin" in browser.page("/tickets").text
    assert web.browser().get(path).status_code == 404


def test_a_set_up_link_that_nobody_made_leads_nowhere(web: Web) -> None:
    assert web.browser().get("/setup/made-up").status_code == 404
    assert web.browser().post("/setup/made-up", headers=SAME_ORIGIN, data={"password": "", "again": ""}).status_code == 404


def test_a_mistake_in_the_set_up_form_is_told_and_does_not_spend_the_link(web: Web) -> None:
    path = f"/setup/{_without_administrator(web.desk.db)}"
    right = {"name": "Eve", "email": "eve@desk.example", "password": PASSWORD, "again": PASSWORD}
    mistakes = {"again": "something else", "password": "short", "email": "no address"}

    for name, value in mistakes.items():
        wrong = right | {name: value} | ({"again": "short"} if name == "password" else {})
        answer = web.browser().submit(path, path, **wrong)
        assert answer.status_code == 422, name
        assert Page(answer.text).forms[0].fields["name"] == "Eve"

    assert web.browser().submit(path, path, **right).status_code == 303


def test_a_desk_without_an_administrator_says_how_to_make_one(web: Web) -> None:
    assert "atum setup-link" not in web.browser().page("/").text
    _without_administrator(web.desk.db)
    assert "atum setup-link" in web.browser().page("/").text

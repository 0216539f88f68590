"""Invitations, forgotten passwords and new addresses: what strangers and owners are answered."""

from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import func, select

from app.accounts.models import Link, Person
from app.outbox.compose import compose
from app.outbox.house import House, house
from app.outbox.models import Letter
from tests.cast import PASSWORD
from tests.db.people import post
from tests.web.browser import SAME_ORIGIN, Page
from tests.web.conftest import Web

AUTH = "/api/v1/auth"
NEW = "four words in a row"
EVIL = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}


def our_house(web: Web) -> House:
    return house(web.desk.settings, web.desk.signer)


def tokens(web: Web, to: str) -> list[str]:
    """The tokens in the letters to this address."""
    with web.desk.db.transaction() as s:
        return post.tokens(s, to, our_house(web))


def written(web: Web) -> int:
    """How many letters there are."""
    with web.desk.db.transaction() as s:
        return s.scalar(select(func.count(Letter.id))) or 0


def forgot(web: Web, email: str) -> Response:
    return web.program().post(f"{AUTH}/password/forgot", json={"email": email})


def reset_token(web: Web, person: Person) -> str:
    assert forgot(web, person.email).status_code == 202
    return tokens(web, person.email)[-1]


def signs_in(web: Web, email: str, password: str) -> bool:
    answer = web.program().post(f"{AUTH}/login", data={"username": email, "password": password})
    return answer.status_code == 200


def invited(web: Web, email: str = "new@desk.example") -> str:
    assert web.program(web.cast.bob).post("/api/v1/users", json={"email": email, "role": "agent"}).status_code == 201
    return tokens(web, email)[-1]


def told(answer: Response) -> tuple[int, bytes, dict[str, str]]:
    """All of an answer but the request's own number."""
    return answer.status_code, answer.content, {k: v for k, v in answer.headers.items() if k != "x-request-id"}


def test_a_stranger_is_told_the_same_of_every_address(web: Web) -> None:
    root = web.program(web.cast.root)
    root.post(f"/api/v1/users/{web.cast.frank.id}/disablement")
    web.set_password(web.cast.alice, PASSWORD)
    asked = [
        "alice@desk.example",
        "carol@acme.example",
        "frank@acme.example",
        "nobody@acme.example",
        "ALICE@desk.example",
        "no address",
    ]
    first, *others = [told(forgot(web, email)) for email in asked]
    assert first[0] == 202
    assert all(each == first for each in others)
    with web.desk.db.transaction() as s:
        assert set(s.scalars(select(Letter.to_address))) == {"alice@desk.example", "carol@acme.example"}


def test_the_page_tells_the_same_of_every_address(web: Web) -> None:
    pages = [web.browser().submit("/forgot", "/forgot", email=email) for email in ("carol@acme.example", "nobody@acme.example")]
    assert told(pages[0]) == told(pages[1])
    assert "If somebody here has that address" in Page(pages[0].text).text
    assert written(web) == 1


@pytest.mark.parametrize(
    "body", [{}, {"email": None}, {"email": ["carol@acme.example"]}, {"email": ""}, {"email": "x", "also": 1}, []]
)
def test_an_odd_request_for_a_password_is_refused_in_words(web: Web, body: Any) -> None:
    assert web.program().post(f"{AUTH}/password/forgot", json=body).status_code == 422


@pytest.mark.parametrize("email", ["\x00", "\ud800", "x" * 400, "a@b\r\nBcc: c@d.example", "' OR 1=1 --"])
def test_an_odd_address_is_nobodys(web: Web, email: str) -> None:
    content = b'{"email": "%s"}' % email.encode("unicode_escape").replace(b"\\x", b"\\u00").replace(b"'", b"'")
    answer = web.program().post(f"{AUTH}/password/forgot", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in {202, 422}
    assert written(web) == 0


def test_one_place_that_asks_too_often_has_to_wait_whatever_it_asks_for(web: Web) -> None:
    for n in range(30):
        assert forgot(web, f"{n}@acme.example").status_code == 202
    for email in ("carol@acme.example", "nobody@acme.example"):
        answer = forgot(web, email)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "3600")
    page = web.browser().submit("/forgot", "/forgot", email="carol@acme.example")
    assert (page.status_code, page.headers["retry-after"]) == (429, "3600")


def test_a_forgotten_password_is_replaced_once_and_everybody_is_out(web: Web) -> None:
    carol = web.program(web.cast.carol)
    token = reset_token(web, web.cast.carol)
    reset = {"token": token, "password": NEW}
    assert web.program().post(f"{AUTH}/password/reset", json=reset | {"password": "short"}).status_code == 422
    assert web.program().post(f"{AUTH}/password/reset", json=reset).status_code == 204
    assert carol.get(f"{AUTH}/me").status_code == 401
    assert signs_in(web, "carol@acme.example", NEW)
    answer = web.program().post(f"{AUTH}/password/reset", json=reset | {"password": PASSWORD})
    assert answer.status_code == 404
    assert "set-cookie" not in answer.headers
    assert not signs_in(web, "carol@acme.example", PASSWORD)


@pytest.mark.parametrize("token", ["", None, [], ["x"], "x", "X" * 51, "\x00", {"$ne": ""}, 0, True])
@pytest.mark.parametrize("path", ["password/reset", "invitation"])
def test_a_token_that_is_none_opens_nothing(web: Web, path: str, token: Any) -> None:
    reset_token(web, web.cast.carol)
    invited(web)
    answer = web.program().post(f"{AUTH}/{path}", json={"token": token, "password": NEW})
    assert answer.status_code in {404, 422}


def test_a_link_in_other_letters_is_another(web: Web) -> None:
    token = reset_token(web, web.cast.carol).upper()
    assert web.program().post(f"{AUTH}/password/reset", json={"token": token, "password": NEW}).status_code == 404
    assert web.browser().get(f"/reset/{token}").status_code == 404


def test_links_are_the_desks_own_whatever_a_request_calls_it(web: Web) -> None:
    web.program().post(f"{AUTH}/password/forgot", json={"email": "carol@acme.example"}, headers=EVIL)
    web.browser().post("/forgot", data={"email": "frank@acme.example"}, headers=EVIL | SAME_ORIGIN)
    web.program(web.cast.bob).post("/api/v1/users", json={"email": "x@y.example", "role": "agent"}, headers=EVIL)
    with web.desk.db.transaction() as s:
        letters = list(s.scalars(select(Letter)))
        whole = [str(compose(letter, our_house(web))) for letter in letters]
    assert len(whole) == 3
    assert not any("evil" in each for each in whole)
    assert all("https://localhost\n" in letter.text for letter in letters)


def test_looking_at_a_link_changes_nothing(web: Web) -> None:
    reset, invitation = f"/reset/{reset_token(web, web.cast.carol)}", f"/invite/{invited(web)}"
    with web.desk.db.transaction() as s:
        before = [(link.used_at, link.expires_at) for link in s.scalars(select(Link).order_by(Link.id))]
    for path in (reset, invitation):
        for _ in range(3):
            assert web.browser().get(path).status_code == 200
            assert web.browser().head(path).status_code == 200
    with web.desk.db.transaction() as s:
        assert [(link.used_at, link.expires_at) for link in s.scalars(select(Link).order_by(Link.id))] == before
    answer = web.browser().get(reset)
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"


def test_an_invited_agent_chooses_a_password_by_the_page_and_signs_in(web: Web) -> None:
    path = f"/invite/{invited(web)}"
    wrong = web.browser().submit(path, path, name="Newton", password=NEW, again="another")
    assert (wrong.status_code, Page(wrong.text).forms[0].fields["name"]) == (422, "Newton")
    done = web.browser().submit(path, path, name="Newton", password=NEW, again=NEW)
    assert done.status_code == 200
    assert "set-cookie" not in done.headers
    assert signs_in(web, "new@desk.example", NEW)
    assert web.browser().get(path).status_code == 404
    assert web.browser().post(path, data={"password": NEW, "again": NEW}, headers=SAME_ORIGIN).status_code == 404


def test_a_password_is_chosen_anew_by_the_page(web: Web) -> None:
    path = f"/reset/{reset_token(web, web.cast.carol)}"
    assert web.browser().submit(path, path, password="short", again="short").status_code == 422
    assert web.browser().submit(path, path, password=NEW, again=NEW).status_code == 200
    assert signs_in(web, "carol@acme.example", NEW)


@pytest.mark.parametrize("origin", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_another_site_sends_none_of_these_forms(web: Web, origin: dict[str, str]) -> None:
    path = f"/reset/{reset_token(web, web.cast.carol)}"
    assert web.browser().post(path, data={"password": NEW, "again": NEW}, headers=origin).status_code == 403
    assert web.browser().post("/forgot", data={"email": "frank@acme.example"}, headers=origin).status_code == 403
    assert web.browser(web.cast.carol).post(path, data={"password": NEW, "again": NEW}, headers=SAME_ORIGIN).status_code == 403


def test_an_invitation_through_the_api_is_good_once(web: Web) -> None:
    token = invited(web)
    body = {"token": token, "name": "Newton", "password": NEW}
    assert web.program().post(f"{AUTH}/invitation", json=body).status_code == 204
    assert web.program().post(f"{AUTH}/invitation", json=body).status_code == 404
    assert signs_in(web, "new@desk.example", NEW)


def test_changing_ones_password_takes_the_present_one(web: Web) -> None:
    web.set_password(web.cast.carol, PASSWORD)
    carol = web.program(web.cast.carol)
    wrong = carol.post(f"{AUTH}/password", json={"old": "guess", "new": NEW})
    assert (wrong.status_code, wrong.json()["type"]) == (403, "urn:atum-desk:problem:wrong-old-password")
    assert carol.post(f"{AUTH}/password", json={"old": PASSWORD, "new": NEW}).status_code == 204
    assert carol.get(f"{AUTH}/me").status_code == 401
    assert signs_in(web, "carol@acme.example", NEW)


def test_a_thief_of_a_session_does_not_guess_the_password_with_it(web: Web) -> None:
    web.set_password(web.cast.carol, PASSWORD)
    thief = web.program(web.cast.carol)
    answers = [thief.post(f"{AUTH}/password", json={"old": f"guess {n}", "new": NEW}).status_code for n in range(12)]
    assert answers[:10] == [403] * 10
    assert set(answers[10:]) == {429}


def test_a_token_changes_no_account(web: Web) -> None:
    program = web.program()
    program.headers["Authorization"] = f"Bearer {web.api_token(web.cast.carol, ['tickets:write', 'people:write'])}"
    for path, body in (("password", {"old": PASSWORD, "new": NEW}), ("email", {"email": "x@y.example", "password": PASSWORD})):
        assert program.post(f"{AUTH}/{path}", json=body).status_code == 403


def test_a_new_address_is_confirmed_by_its_owner_alone(web: Web) -> None:
    web.set_password(web.cast.carol, PASSWORD)
    carol = web.program(web.cast.carol)
    asked = {"email": "carol@new.example", "password": PASSWORD}
    taken = {"email": "mallory@evil.example", "password": PASSWORD}
    assert told(carol.post(f"{AUTH}/email", json=asked)) == told(carol.post(f"{AUTH}/email", json=taken))
    assert tokens(web, "mallory@evil.example") == []
    [token] = tokens(web, "carol@new.example")
    assert web.program().post(f"{AUTH}/email/confirmation", json={"token": token}).status_code == 401
    assert web.program(web.cast.mallory).post(f"{AUTH}/email/confirmation", json={"token": token}).status_code == 404
    assert web.browser(web.cast.mallory).get(f"/confirm-email/{token}").status_code == 404
    assert web.browser().get(f"/confirm-email/{token}").headers["location"].startswith("/sign-in?next=")
    assert carol.post(f"{AUTH}/email/confirmation", json={"token": token}).status_code == 204
    assert signs_in(web, "carol@new.example", PASSWORD)
    assert not signs_in(web, "carol@acme.example", PASSWORD)


def test_a_new_address_is_confirmed_by_the_page(web: Web) -> None:
    web.set_password(web.cast.carol, PASSWORD)
    asked = {"email": "carol@new.example", "password": PASSWORD}
    assert web.program(web.cast.carol).post(f"{AUTH}/email", json=asked).status_code == 202
    path = f"/confirm-email/{tokens(web, 'carol@new.example')[0]}"
    browser = web.browser(web.cast.carol)
    assert "carol@new.example" in browser.page(path).text
    assert browser.submit(path, path).status_code == 303
    assert signs_in(web, "carol@new.example", PASSWORD)


def test_who_can_not_open_their_mail_is_told_by_letter_that_a_manager_changed_the_address(web: Web) -> None:
    bob = web.program(web.cast.bob)
    assert bob.patch(f"/api/v1/users/{web.cast.carol.id}", json={"email": "carol@new.example"}).status_code == 200
    with web.desk.db.transaction() as s:
        [letter] = s.scalars(select(Letter))
    assert (letter.to_address, letter.subject) == ("carol@acme.example", "Your e-mail address was changed")
    assert bob.patch(f"/api/v1/users/{web.cast.root.id}", json={"email": "bob@evil.example"}).status_code == 403
    assert bob.patch(f"/api/v1/users/{web.cast.carol.id}", json={"email": "root@desk.example"}).status_code == 409

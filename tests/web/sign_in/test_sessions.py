"""One's own sessions: seen, and ended."""

from sqlalchemy import func, select

from app.accounts import actions as accounts
from app.accounts.models import Person, SignIn, SpentChallenge
from app.db.session import now as database_now
from tests.cast import PASSWORD
from tests.web.browser import SAME_ORIGIN
from tests.web.conftest import Web
from tests.web.sign_in.steps import AUTH, bearer, login, options, told, with_password

SESSIONS = f"{AUTH}/sessions"


def test_everybody_sees_where_they_are_signed_in(web: Web) -> None:
    with_password(web, web.cast.carol)
    web.browser().post(
        "/sign-in",
        data={"email": "carol@acme.example", "password": PASSWORD},
        headers=SAME_ORIGIN | {"User-Agent": "Firefox\r\n of Carol"[:7]},
    )
    web.browser(web.cast.mallory)
    carol = web.program(web.cast.carol)

    [mine, other] = carol.get(SESSIONS).json()["items"]

    assert (mine["current"], mine["door"], mine["source"]) == (True, "api", "test")
    assert (other["current"], other["door"], other["source"], other["agent"]) == (False, "page", "testclient", "Firefox")
    assert set(mine) == {"id", "door", "agent", "source", "restricted", "created_at", "seen_at", "current"}


def test_a_long_list_is_told_in_parts(web: Web) -> None:
    *_, carol = [web.program(web.cast.carol) for _ in range(5)]
    seen: list[int] = []
    path: str | None = f"{SESSIONS}?limit=2"
    while path:
        page = carol.get(path).json()
        seen += [each["id"] for each in page["items"]]
        path = f"{SESSIONS}?limit=2&cursor={page['next']}" if page["next"] else None
    assert len(set(seen)) == 5
    assert seen == sorted(seen, reverse=True)
    for odd in ("x", "-1", "9" * 30, "²"):
        assert carol.get(SESSIONS, params={"cursor": odd}).status_code == 422


def test_ending_a_session_puts_whoever_has_it_out(web: Web) -> None:
    stolen, carol = web.browser(web.cast.carol), web.program(web.cast.carol)
    [id] = [each["id"] for each in carol.get(SESSIONS).json()["items"] if not each["current"]]

    assert carol.delete(f"{SESSIONS}/{id}").status_code == 204

    assert stolen.get("/my/tickets").status_code == 303
    assert carol.delete(f"{SESSIONS}/{id}").status_code == 404
    assert len(told(web, "person.signed_out")) == 1


def test_mallory_ends_nobody_elses_session(web: Web) -> None:
    carol, mallory = web.program(web.cast.carol), web.program(web.cast.mallory)
    [hers] = carol.get(SESSIONS).json()["items"]
    assert mallory.delete(f"{SESSIONS}/{hers['id']}").status_code == 404
    assert carol.get(f"{AUTH}/me").status_code == 200


def test_ending_all_others_leaves_this_one_and_other_peoples(web: Web) -> None:
    others = [web.program(web.cast.carol) for _ in range(3)]
    carol, dave = web.program(web.cast.carol), web.program(web.cast.dave)

    assert carol.delete(SESSIONS).status_code == 204

    assert {other.get(f"{AUTH}/me").status_code for other in others} == {401}
    assert carol.get(f"{AUTH}/me").status_code == dave.get(f"{AUTH}/me").status_code == 200
    assert [each["current"] for each in carol.get(SESSIONS).json()["items"]] == [True]


def test_a_new_password_ends_all_sessions_and_so_does_disabling(web: Web) -> None:
    browser, program = web.browser(web.cast.carol), web.program(web.cast.carol)
    web.set_password(web.cast.carol, "another horse battery")
    assert (browser.get("/my/tickets").status_code, program.get(f"{AUTH}/me").status_code) == (303, 401)

    program = web.program(web.cast.dave)
    with web.desk.db.transaction() as s:
        accounts.disable(s, s.get_one(Person, web.cast.dave.id), by=None, now=database_now(s))
    assert program.get(f"{AUTH}/me").status_code == 401


def test_a_session_that_somebody_planted_is_not_the_one_that_is_signed_in(web: Web) -> None:
    """Session fixation: Mallory's own session in Carol's browser ends when Carol signs in, and hers is another."""
    with_password(web, web.cast.carol)
    browser = web.browser(web.cast.mallory)
    planted = browser.cookies["__Host-sid"]
    form = {"email": "carol@acme.example", "password": PASSWORD}
    answer = browser.post("/sign-in", data=form, headers=SAME_ORIGIN)
    assert planted not in answer.headers["set-cookie"]
    assert web.browser().get("/my/tickets", headers={"Cookie": f"__Host-sid={planted}"}).status_code == 303


def test_odd_cookies_and_tokens_are_nobodys(web: Web) -> None:
    odd = [
        "gASVKAAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjA1lY2hvIG93bmVk",  # a pickle
        "!!python/object/apply:os.system [id]",
        '{"person_id": 1}',
        "",
        "0",
        "x" * 8000,
        "%00",
    ]
    for each in odd:
        assert web.browser().get("/tickets", headers={"Cookie": f"__Host-sid={each}"}).status_code == 303, each
        assert bearer(web, each).get(f"{AUTH}/me").status_code == 401, each


def test_only_hashes_of_tokens_are_stored(web: Web) -> None:
    with_password(web, web.cast.carol)
    tokens = login(web, web.cast.carol).json()
    with web.desk.db.transaction() as s:
        row = s.scalars(select(SignIn)).one()
        stored = repr(vars(row))
    assert tokens["access_token"] not in stored
    assert tokens["refresh_token"] not in stored
    assert len(row.token_hash) == 32


def test_strangers_who_only_look_leave_nothing_behind(web: Web) -> None:
    program, browser = web.program(), web.browser()
    for n in range(50):
        assert browser.get("/sign-in", params={"next": f"/tickets/{n}"}).status_code == 200
        assert browser.get(f"/tickets/{n}").status_code == 303
        assert program.get(f"{AUTH}/me", headers={"Authorization": f"Bearer {n}"}).status_code == 401
        options(web)
    with web.desk.db.transaction() as s:
        assert s.scalar(select(func.count()).select_from(SignIn)) == 0
        assert s.scalar(select(func.count()).select_from(SpentChallenge)) == 0
    assert web.desk.counters._own == {}
    assert "set-cookie" not in browser.get("/sign-in").headers

"""What became of each copy of a message, told to programs as the page tells it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.db.session import now as database_now
from app.outbox.models import Letter, State
from app.web.app import create
from tests.web.conftest import Web

pytestmark = pytest.mark.db
API = "/api/v1"
REFUSED, GREYLISTED = "550 5.1.1 No such user", "451 4.7.1 Greylisted"


@pytest.fixture
def web(web: Web) -> Web:
    """A desk that has a server to send by."""
    desk = replace(web.desk, settings=replace(web.desk.settings, smtp_host="mail.example"))
    return Web(create(desk), desk, web.cast)


@pytest.fixture
def number(web: Web) -> int:
    """Carol's ticket, with Frank in copy and Alice's answer."""
    made = web.ticket(web.cast.carol, accepted=True)
    alice = web.program(web.cast.alice)
    copied = {"kind": "cc", "email": web.cast.frank.email}
    assert alice.post(f"{API}/tickets/{made}/watchers", json=copied).is_success
    assert alice.post(f"{API}/tickets/{made}/messages", json={"body": "Pull the plug."}).is_success
    return made


def become(web: Web, to: str, state: State, error: str | None = None) -> None:
    """Let a copy have come to this."""
    with web.desk.db.transaction() as s:
        now = database_now(s)
        values: dict[str, Any] = {"state": state, "last_error": error, "next_at": None, "sent_at": None}
        if state is State.QUEUED:
            values["next_at"] = now + timedelta(minutes=5)
        elif state is State.SENT:
            values["sent_at"] = now
        changed = s.execute(update(Letter).where(Letter.to_address == to, Letter.message_id.is_not(None)).values(values))
        assert changed.rowcount == 1  # type: ignore[attr-defined]


def deliveries(web: Web, number: int, who: str = "bob") -> list[dict[str, Any]]:
    program = web.program(getattr(web.cast, who))
    said = program.get(f"{API}/tickets/{number}/messages").json()["items"][-1]
    expanded = program.get(f"{API}/tickets/{number}?expand=messages").json()["messages"]["items"][-1]
    assert said == expanded
    told: list[dict[str, Any]] = said["deliveries"]
    return told


@pytest.mark.parametrize(
    ("state", "error", "words"),
    [
        (State.QUEUED, None, "Mail waiting: it is next in line"),
        (State.QUEUED, GREYLISTED, f"Mail waiting: {GREYLISTED} (next try at"),
        (State.SENT, None, "Mail sent"),
        (State.FAILED, REFUSED, f"Mail not delivered: {REFUSED}"),
        (State.UNKNOWN, "the connection broke", "Mail perhaps not delivered: the connection broke"),
    ],
)
def test_programs_are_told_the_state_and_the_reason_that_the_page_shows(
    web: Web, number: int, state: State, error: str | None, words: str
) -> None:
    become(web, web.cast.frank.email, State.SENT)
    become(web, web.cast.carol.email, state, error)
    carol, frank = deliveries(web, number)
    assert (carol["to"], carol["state"], carol["reason"]) == (web.cast.carol.email, state.value, error)
    assert (frank["to"], frank["state"], frank["reason"]) == (web.cast.frank.email, "sent", None)
    assert (carol["next_try_at"] is not None) is (state is State.QUEUED)
    assert words in " ".join(web.browser(web.cast.bob).page(f"/tickets/{number}").text.split())


def test_what_one_copy_came_to_is_nothing_to_the_others(web: Web, number: int) -> None:
    become(web, web.cast.frank.email, State.FAILED, REFUSED)
    become(web, web.cast.carol.email, State.SENT)
    assert [(one["state"], one["reason"]) for one in deliveries(web, number)] == [("sent", None), ("failed", REFUSED)]
    assert f"Mail not delivered: {REFUSED}" in web.browser(web.cast.bob).page(f"/tickets/{number}").text


@pytest.mark.parametrize("who", ["carol", "dave"])
def test_customers_are_told_nothing_of_it(web: Web, number: int, who: str) -> None:
    become(web, web.cast.frank.email, State.FAILED, REFUSED)
    assert deliveries(web, number, who) == []


def test_without_a_server_each_copy_says_so(web: Web, number: int) -> None:
    bare = replace(web.desk, settings=replace(web.desk.settings, smtp_host=None))
    told = deliveries(Web(create(bare), bare, web.cast), number)
    assert {one["reason"] for one in told} == {"no SMTP server is set (SMTP_HOST)"}
    with web.desk.db.transaction() as s:
        assert len(s.scalars(select(Letter).where(Letter.message_id.is_not(None))).all()) == len(told) == 2

"""Server-sent events: who hears what, for how long, and at what cost."""

import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, delete, text, update

from app.accounts.models import Membership, Person, SignIn
from app.accounts.rules import Door, Role
from app.tickets import news
from app.tickets.models import Ticket
from app.tickets.news import News
from app.web import live, stream
from app.web.door import COOKIE
from tests.web.conftest import Web
from tests.web.live.conftest import Listen
from tests.web.live.listener import Listener

pytestmark = pytest.mark.db


def kinds(of: Listener, least: int = 1) -> list[str]:
    return [each.data["kind"] for each in of.heard("ticket", least=least)]


def change(web: Web, statement: Any) -> None:
    with web.desk.db.transaction() as s:
        s.execute(statement)


def test_staff_and_customer_hear_of_a_new_ticket_within_two_seconds(web: Web, listen: Listen) -> None:
    alice, carol = listen(web.cast.alice), listen(web.cast.carol)
    number = web.ticket(web.cast.carol, accepted=True)

    [opened, accepted] = alice.heard("ticket", least=2, seconds=2)
    assert (opened.data["ticket"], opened.data["kind"], opened.data["actor"]) == (
        number, "ticket.opened", "Carol <carol@acme.example>",
    )  # fmt: skip
    assert (accepted.data["kind"], int(accepted.id or 0)) == ("ticket.accepted", accepted.data["seq"])
    assert [set(each.data) for each in carol.heard("ticket", least=2, seconds=2)] == [{"seq", "at", "kind", "ticket"}] * 2


def test_the_answer_is_an_event_stream_that_nobody_keeps_or_holds_back(web: Web, listen: Listen) -> None:
    alice = listen(web.cast.alice)
    assert (alice.status, alice.answered["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert (alice.answered["cache-control"], alice.answered["x-accel-buffering"]) == ("no-store", "no")
    assert alice.until(lambda: b"retry: " in alice.raw and b"id: " in alice.raw)


def test_customers_never_hear_of_notes_assignments_and_tags(web: Web, listen: Listen) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    carol, alice = listen(web.cast.carol), listen(web.cast.alice)
    program = web.program(web.cast.alice)

    web.note(number, "She is lying.")
    program.post(f"/api/v1/tickets/{number}/assignment", json={"assignee_id": web.cast.bob.id})
    program.post(f"/api/v1/tickets/{number}/messages", json={"body": "Paper?"})

    assert kinds(alice, 3)[:3] == ["ticket.noted", "ticket.assigned", "ticket.replied"]
    assert kinds(carol) == ["ticket.replied"]
    assert "Alice" not in carol.raw.decode()
    assert "lying" not in alice.raw.decode()


def test_nobody_hears_of_tickets_they_may_not_see(web: Web, listen: Listen) -> None:
    number = web.ticket(web.cast.carol)
    web.to_team(number, web.cast.billing)
    refused = [listen(person) for person in (web.cast.alice, web.cast.mallory, web.cast.frank)]
    erin, bob, dave = listen(web.cast.erin), listen(web.cast.bob), listen(web.cast.dave)

    web.note(number, "for the team alone")
    web.program(web.cast.carol).post(f"/api/v1/tickets/{number}/messages", json={"body": "Well?"})

    assert kinds(erin, 2) == kinds(bob, 2) == ["ticket.noted", "ticket.replied"]
    assert kinds(dave) == ["ticket.replied"]
    assert [each.quiet(0.2) for each in refused] == [[], [], []]


def test_what_is_in_the_trash_is_gone_for_its_customer(web: Web, listen: Listen) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    change(web, update(Ticket).where(Ticket.number == number).values(trashed_at=Ticket.created_at))
    carol, bob = listen(web.cast.carol), listen(web.cast.bob)
    web.note(number, "x")
    assert kinds(bob) == ["ticket.noted"]
    assert carol.quiet(0.3) == []


def test_happenings_of_people_and_settings_are_told_to_nobody(web: Web, listen: Listen) -> None:
    root = listen(web.cast.root)
    web.program(web.cast.root).patch("/api/v1/sla/policies/1", json={"targets": {"first_response": {"urgent": 60}}})
    assert web.program(web.cast.alice).post("/api/v1/auth/logout").status_code == 204
    web.ticket(web.cast.carol)
    assert kinds(root) == ["ticket.opened"]


def test_who_comes_back_with_the_last_id_misses_nothing_and_hears_nothing_twice(web: Web, listen: Listen) -> None:
    number = web.ticket(web.cast.carol)
    alice = listen(web.cast.alice)
    web.note(number, "one")
    [first] = alice.heard("ticket")
    alice.hang_up()
    assert alice.until(lambda: alice.over)
    web.note(number, "two")
    web.note(number, "three")

    again = listen(web.cast.alice, **{"Last-Event-ID": str(first.id)})
    web.note(number, "four")

    ids = [int(each.id or 0) for each in again.heard("ticket", least=3)]
    assert len(again.quiet(0.7)) == 3
    assert ids == sorted(set(ids))
    assert ids[0] > int(first.id or 0)


@pytest.mark.parametrize("last", ["99999999", "-1", "x", "1'; DROP TABLE person", "9" * 400, "²"])
def test_a_place_that_is_not_ours_begins_anew_and_says_so(web: Web, listen: Listen, last: str) -> None:
    web.ticket(web.cast.carol)
    alice = listen(web.cast.alice, **{"Last-Event-ID": last.encode().decode("latin-1")})
    assert alice.status == 200
    assert [each.name for each in [*alice.heard("reset"), *alice.heard("ticket", least=0)]] == ["reset"]


def test_who_was_away_for_too_long_begins_anew(web: Web, listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "BACK", 1)
    web.ticket(web.cast.carol, accepted=True)
    alice = listen(web.cast.alice, **{"Last-Event-ID": "0"})
    assert alice.heard("reset")


@pytest.mark.parametrize("how", ["signed out", "disabled", "expired", "told"])
def test_the_stream_of_whoever_lost_the_right_to_it_ends_within_five_seconds(web: Web, listen: Listen, how: str) -> None:
    alice = listen(web.cast.alice)
    mine = SignIn.person_id == web.cast.alice.id
    if how == "signed out":  # by hand, so that nothing rings
        change(web, update(SignIn).where(mine).values(ended_at=SignIn.seen_at))
    elif how == "disabled":
        change(web, update(Person).where(Person.id == web.cast.alice.id).values(disabled_at=Person.created_at))
    elif how == "expired":
        change(web, update(SignIn).where(mine).values(expires_at=SignIn.created_at - timedelta(seconds=1)))
    else:
        change(web, text("UPDATE person SET disabled_at = now() WHERE name = 'Alice'"))
        assert web.program(web.cast.root).post("/api/v1/auth/logout").status_code == 204  # an entry about a person
    assert alice.until(lambda: alice.over, 2.0 if how == "told" else 5.0)


def test_nothing_is_told_to_a_stream_after_its_session_ended_however_soon(web: Web, listen: Listen) -> None:
    number = web.ticket(web.cast.carol)
    token = web.token(web.cast.alice, Door.API)
    alice = listen(None, Authorization=f"Bearer {token}")
    web.note(number, "before")
    assert len(alice.heard("ticket")) == 1
    assert web.program().post("/api/v1/auth/logout", headers={"Authorization": f"Bearer {token}"}).status_code == 204
    web.note(number, "after")
    assert alice.until(lambda: alice.over)
    assert len(alice.events()) == 1


def test_a_changed_role_or_team_changes_what_is_heard_within_five_seconds(web: Web, listen: Listen) -> None:
    erin = listen(web.cast.erin)
    number = web.ticket(web.cast.carol)
    assert kinds(erin) == ["ticket.opened"]
    web.to_team(number, web.cast.billing)
    change(web, delete(Membership).where(Membership.person_id == web.cast.erin.id))
    erin.quiet(4.0)
    web.note(number, "not for Erin")
    assert len(erin.quiet(1.0)) == 1


def test_strangers_get_no_stream(web: Web, listen: Listen) -> None:
    assert listen().status == 401
    assert listen(None, Authorization="Bearer atum_nothing").status == 401


def test_a_token_needs_the_scope(web: Web, listen: Listen) -> None:
    assert listen(None, Authorization=f"Bearer {web.api_token(web.cast.alice, ['desk:read'])}").status == 403
    assert listen(None, Authorization=f"Bearer {web.api_token(web.cast.alice, ['tickets:read'])}").status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "https://evil.example", "Authorization": "Basic eDp4"}, 403),
        ({"Origin": "https://localhost"}, 200),
    ],
)
def test_a_browser_of_another_site_gets_no_stream(web: Web, listen: Listen, headers: dict[str, str], status: int) -> None:
    cookie = f"{COOKIE}={web.token(web.cast.carol, Door.PAGE)}"
    assert listen(None, Cookie=cookie, **headers).status == status


def test_one_person_has_ten_streams_and_others_still_get_theirs(web: Web, listen: Listen) -> None:
    mine = [listen(web.cast.carol) for _ in range(live.OF_ONE)]
    refused = listen(web.cast.carol)
    assert (refused.status, refused.answered["retry-after"]) == (429, "5")
    assert listen(web.cast.alice).status == 200
    mine[0].hang_up()
    assert mine[0].until(lambda: mine[0].over)
    assert listen(web.cast.carol).status == 200


def test_a_process_has_a_limit_too(web: Web, listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST", 1)
    assert listen(web.cast.carol).status == 200
    assert listen(web.cast.alice).status == 503


def test_many_events_are_read_in_few_statements(web: Web, listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    number = web.ticket(web.cast.carol)
    listeners = [listen(web.cast.alice), listen(web.cast.bob), listen(web.cast.carol)]
    reads: list[int] = []
    since = news.since

    def counted(c: Connection, after: int, **more: Any) -> list[News]:
        reads.append(after)
        return since(c, after, **more)

    monkeypatch.setattr(news, "since", counted)
    for n in range(60):
        web.note(number, str(n))
    assert len(listeners[0].heard("ticket", least=60)) == 60
    assert len(reads) < 20
    assert listeners[2].events() == []


def test_whoever_reads_too_slowly_is_ended_and_the_others_are_not(
    web: Web, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "WAITING_MOST", 5)
    number = web.ticket(web.cast.carol)
    slow = listen(web.cast.alice)
    assert slow.until(lambda: b"retry" in slow.raw)
    slow.takes.clear()
    for n in range(30):
        web.note(number, str(n))
    number = web.ticket(web.cast.carol)
    slow.quiet(1.0)
    slow.takes.set()
    assert slow.until(lambda: slow.over)
    assert len(slow.events()) < 30


def test_a_heartbeat_comes_when_nothing_else_does(web: Web, listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT", 0.2)
    alice = listen(web.cast.alice)
    assert alice.until(lambda: alice.raw.count(b": still here\n\n") > 1)


def test_a_head_request_opens_nothing(web: Web) -> None:
    headers = {"Authorization": f"Bearer {web.token(web.cast.alice, Door.API)}"}
    with Listener(web.app, headers, method="HEAD") as head:
        assert head.until(lambda: head.over)
    web.app.state.live.end()
    web.app.state.live.wait()


def test_an_idle_stream_holds_no_connection_of_the_pool_and_no_thread_but_the_one(web: Web, listen: Listen) -> None:
    for person in (web.cast.alice, web.cast.bob, web.cast.carol):
        listen(person).quiet(0.2)
    assert "Current Checked out connections: 0" in web.desk.db.engine.pool.status()
    assert [t.name for t in threading.enumerate() if t.name == "live"] == ["live"]


def test_the_thread_ends_with_the_last_stream_and_begins_again_with_the_next(web: Web, listen: Listen) -> None:
    first = listen(web.cast.alice)
    first.hang_up()
    first.quiet(2.0)
    assert not [t for t in threading.enumerate() if t.name == "live"]
    again = listen(web.cast.alice)
    web.ticket(web.cast.carol)
    assert kinds(again) == ["ticket.opened"]


def test_streams_outlive_a_database_that_drops_every_connection(web: Web, listen: Listen) -> None:
    alice = listen(web.cast.alice)
    number = web.ticket(web.cast.carol)
    assert kinds(alice) == ["ticket.opened"]
    with psycopg.connect(web.desk.db.dsn, autocommit=True) as c:
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        # Until it is gone: what is only told to go may still take the next question, and then break.
        c.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {others}")
    web.note(number, "after the break")
    assert kinds(alice, 2) == ["ticket.opened", "ticket.noted"]


def test_when_the_process_ends_all_streams_end_at_once_and_no_more_begin(web: Web, listen: Listen) -> None:
    opened = [listen(web.cast.alice), listen(web.cast.carol)]
    web.app.state.live.end()
    assert all(each.until(lambda each=each: each.over, 0.5) for each in opened)
    assert listen(web.cast.bob).status == 503


def test_a_role_that_is_no_longer_staff_hears_as_a_customer_does(web: Web, listen: Listen) -> None:
    alice = listen(web.cast.alice)
    change(web, update(Person).where(Person.id == web.cast.alice.id).values(role=Role.CUSTOMER))
    alice.quiet(4.0)
    web.ticket(web.cast.carol)
    assert alice.quiet(1.0) == []

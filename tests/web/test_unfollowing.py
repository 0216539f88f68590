"""The link by which staff follow a ticket no more: one click, by people and by programs of mail providers."""

from email import message_from_bytes

import pytest
from sqlalchemy import select

from app.audit.models import Entry
from app.outbox.compose import compose
from app.outbox.house import house
from app.outbox.models import Letter
from app.tickets.models import Watcher
from tests.web.conftest import Web

pytestmark = pytest.mark.db
API = "/api/v1"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def number(web: Web) -> int:
    """Carol's ticket, which Alice and Bob follow, with Frank in copy."""
    made = web.ticket(web.cast.carol, accepted=True)
    for person in (web.cast.alice, web.cast.bob):
        assert web.program(person).post(f"{API}/tickets/{made}/watchers", json={"kind": "agent"}).is_success
    copied = {"kind": "cc", "email": web.cast.frank.email}
    assert web.program(web.cast.bob).post(f"{API}/tickets/{made}/watchers", json=copied).is_success
    return made


def path_to(web: Web, number: int, person: int) -> str:
    return "/unfollow/" + house(web.desk.settings, web.desk.signer).unfollow_url(number, person).rpartition("/")[2]


def followers(web: Web, number: int) -> list[int]:
    with web.desk.db.transaction() as s:
        return sorted(s.scalars(select(Watcher.person_id).where(Watcher.ticket == number)))


def told(web: Web, number: int) -> list[tuple[int | None, dict[str, object]]]:
    with web.desk.db.transaction() as s:
        gone = select(Entry).where(Entry.ticket == number, Entry.kind == "ticket.unwatched")
        return [(e.actor_id, {k: v for k, v in e.data.items() if k != "revision"}) for e in s.scalars(gone)]


def test_a_providers_program_unsubscribes_by_one_click(web: Web, number: int) -> None:
    alice, bob, frank = web.cast.alice, web.cast.bob, web.cast.frank
    answer = web.program().post(path_to(web, number, alice.id), data=ONE_CLICK)
    assert answer.status_code == 200
    assert f"no more letters about what is said on ticket {number}" in answer.text
    assert followers(web, number) == sorted([bob.id, frank.id])
    assert told(web, number) == [(alice.id, {"watcher": alice.email, "kind_of": "agent", "by_mail": True})]


def test_it_may_be_clicked_again_and_changes_nothing_then(web: Web, number: int) -> None:
    path = path_to(web, number, web.cast.alice.id)
    first, second = (web.program().post(path, data=ONE_CLICK) for _ in range(2))
    assert (first.status_code, first.text) == (second.status_code, second.text)
    assert len(told(web, number)) == 1


def test_looking_changes_nothing_and_shows_a_button_that_does(web: Web, number: int) -> None:
    path = path_to(web, number, web.cast.alice.id)
    for browser in (web.browser(), web.browser(web.cast.alice), web.browser(web.cast.mallory)):
        shown = browser.page(path)
        assert f"Follow ticket {number} no more?" in shown.text
        assert len(followers(web, number)) == 3
    assert web.browser(web.cast.alice).submit(path, path).status_code == 200
    assert web.cast.alice.id not in followers(web, number)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_link_that_is_none_of_ours_gets_the_same_answer_whatever_is_wrong_with_it(web: Web, number: int, method: str) -> None:
    right = path_to(web, number, web.cast.alice.id).rpartition("/")[2]
    ticket, person, signature = right.split(".")
    wrong = [
        f"{ticket}.{web.cast.erin.id}.{signature}",
        f"{int(ticket) + 1}.{person}.{signature}",
        f"{ticket}.{person}.{'a' * 32}",
        f"{ticket}.{person}.{signature[:16]}",
        f"{ticket}.{person}.{web.desk.signer.sign('reply-address', f'{ticket}.{person}', bits=160)}",
        f"{ticket}.{person}.",
        "x",
        "9" * 400,
        "%00",
    ]
    answers = [web.program().request(method, f"/unfollow/{token}") for token in wrong]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert len(followers(web, number)) == 3


def test_who_is_in_copy_or_does_not_follow_is_not_touched(web: Web, number: int) -> None:
    for person in (web.cast.frank, web.cast.erin):
        assert web.program().post(path_to(web, number, person.id), data=ONE_CLICK).status_code == 200
    assert len(followers(web, number)) == 3
    assert told(web, number) == []


def test_only_what_followers_get_says_how_to_unsubscribe(web: Web, number: int) -> None:
    carol, alice = web.program(web.cast.carol), web.program(web.cast.alice)
    assert carol.post(f"{API}/tickets/{number}/messages", json={"body": "Hurry"}).is_success
    assert alice.post(f"{API}/tickets/{number}/messages", json={"body": "Soon"}).is_success
    assert alice.post(f"{API}/tickets/{number}/messages", json={"body": "Hm", "internal": True}).is_success
    assert web.program().post(f"{API}/auth/password/forgot", json={"email": web.cast.carol.email}).status_code == 202
    with web.desk.db.transaction() as s:
        letters = list(s.scalars(select(Letter)))
    ours = house(web.desk.settings, web.desk.signer)
    said: dict[str, set[str | None]] = {}
    for letter in letters:
        mail = message_from_bytes(compose(letter, ours).as_bytes())
        kind = letter.dedupe_key.partition(":")[0]
        said.setdefault(kind, set()).add(mail["List-Unsubscribe-Post"])
        if kind == "heard":
            follower = web.cast.alice if letter.to_address == web.cast.alice.email else web.cast.bob
            assert mail["List-Unsubscribe"].strip() == f"<{ours.unfollow_url(number, follower.id)}>"
        else:
            assert mail["List-Unsubscribe"] is None
    assert said.pop("heard") == {"List-Unsubscribe=One-Click"}
    assert said.keys() >= {"reply", "acknowledgement"}
    assert set().union(*said.values()) == {None}


def test_after_it_no_letter_comes_any_more(web: Web, number: int) -> None:
    web.program().post(path_to(web, number, web.cast.alice.id), data=ONE_CLICK)
    assert web.program(web.cast.carol).post(f"{API}/tickets/{number}/messages", json={"body": "Hurry"}).is_success
    with web.desk.db.transaction() as s:
        heard = s.scalars(select(Letter.to_address).where(Letter.dedupe_key.startswith("heard:"))).all()
    assert heard == [web.cast.bob.email]

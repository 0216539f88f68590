"""The desk answers the same whether or not others have more: what makes no difference tells nothing.

Lists, counts, search, suggestions, whom one can mention, saved searches, replies, macros, tags, reports, files to download and
pages are all asked before and after; what is added later is asked by itself.
"""

import re
from collections.abc import Iterator
from difflib import unified_diff

import pytest
from fastapi.routing import APIRoute

from app.accounts.models import Team
from tests.web.attacks import books
from tests.web.attacks.attackers import Attacker, Field, Told
from tests.web.attacks.estate import HIDDEN, SECRET, Owner, estate, made
from tests.web.attacks.places import Place, every
from tests.web.attacks.test_object_walk import calls, numbers, values
from tests.web.furniture import API, headers
from tests.web.live.listener import Listener
from tests.web.trial import plain

pytestmark = pytest.mark.db
NUMBERED = "/api/v1/events"  # a stream begins with the number of the last entry of the whole audit
IT_IS_NOW = re.compile(r"it is now [^<]*")  # on the page of one's own account
AGO = re.compile(r"just now|\d+ min ago")  # asking everything takes minutes
MAIL_WAITS = re.compile(r"\(\d+ waiting\)")  # letters of the whole desk: that they wait is said to all who work here
Answers = dict[tuple[str, str, str, str], tuple[int, str]]


def test_what_others_have_makes_no_difference(attacked: Field) -> None:
    web, theirs = attacked.theirs.web, attacked.theirs
    alice = Attacker("alice", web.cast.alice, theirs, ())
    team: Team = theirs.things["team"]
    before, hers = answers(attacked, attacked.attackers), answers(attacked, [alice], most=1)

    estate(web, Owner(web.cast.carol, web.cast.alice, team, SECRET, again=True))

    assert different(before, answers(attacked, attacked.attackers)) == []
    assert len(different(hers, answers(attacked, [alice], most=1))) > 20  # of what is hers it does

    root = web.program(web.cast.root)
    made(root, "/tags", name="aardvark")  # first by name, wherever only the first ones are told
    made(root, "/teams", name="Aardvark team")
    other = made(root, "/organizations", name="Aardvark organization")
    made(
        root, "/users", name="Aaron", email="aaron@acme.example", role="customer", organization_id=theirs.things["organizations"]
    )
    made(root, "/users", name="Abel", email="abel@other.example", role="customer_admin", organization_id=other["id"])

    outsiders = [each for each in attacked.attackers if not each.person.staff]
    known = {asked: told for asked, told in before.items() if asked[0] != "erin"}
    assert different(known, answers(attacked, outsiders)) == []


def test_what_was_told_once_is_told_again_to_nobody_else(attacked: Field) -> None:
    web, heard = attacked.theirs.web, {}
    for name, patience in (("alice", 8.0), ("mallory", 1.0), ("mike", 0.5), ("erin", 0.5)):
        sent = headers(attacked.theirs, name, page=False) | {"Last-Event-ID": "1"}  # from the beginning of all
        with Listener(web.app, sent) as listener:
            listener.until(lambda told=listener: tells(attacked, told.raw.decode()), patience)
            heard[name] = tells(attacked, listener.raw.decode())
    web.app.state.live.end()
    web.app.state.live.wait()
    assert [name for name, told in heard.items() if told] == ["alice"]

    key, said = {"Idempotency-Key": "the same"}, {"body": f"{SECRET} words", "internal": True}
    path = f"{API}/tickets/{attacked.theirs.tickets['accepted']}/messages"
    assert web.program(web.cast.alice).post(path, json=said, headers=key).status_code == 201
    for who in attacked.attackers:
        program, mine = web.program(who.person), f"{API}/tickets/{who.mine.tickets['accepted']}/messages"
        assert program.post(path, json=said, headers=key).status_code == 404, who.name
        assert HIDDEN not in program.post(mine, json={"body": "mine"}, headers=key).text, who.name


def tells(attacked: Field, words: str) -> bool:
    """Whether there is anything of theirs in it."""
    return HIDDEN in words or not numbers(words).isdisjoint(attacked.numbers)


def answers(attacked: Field, who: list[Attacker], *, most: int = 7) -> Answers:
    """What each of them is told by every list and page there is, however it is asked."""
    found: Answers = {}
    for each in who:
        for route, place, value in questions(attacked, most):
            told = attacked.ask(each, "GET", route, place, value)
            found[each.name, plain(route), place.name if place else "", str(value)] = as_told(told)
    return found


def questions(attacked: Field, most: int) -> Iterator[tuple[APIRoute, Place | None, object]]:
    """Everything that can be asked, with up to so many values at a place."""
    for method, route in calls(attacked.trial.app):
        if method == "GET" and plain(route) != NUMBERED:
            yield route, None, None
            for place in every(attacked.trial.document, method, route):
                if place.where == "query" and place.kind not in {"cursors", "harmless"}:
                    yield from ((route, place, value) for value in values(attacked, method, plain(route), place)[:most])


def as_told(told: Told) -> tuple[int, str]:
    """With the counts in it, without times and what is made anew for every answer."""
    said = AGO.sub("", IT_IS_NOW.sub("", MAIL_WAITS.sub("", told.answer.text)))
    return told.answer.status_code, books.alike(said + str(told.answer.headers.get("etag")))


def different(before: Answers, after: Answers) -> list[str]:
    """Which answers are not what they were."""
    assert before.keys() == after.keys()
    changed = [asked for asked in before if before[asked] != after[asked]]
    return [f"{asked}: {[*unified_diff(lines(before[asked]), lines(after[asked]), n=0)]}" for asked in changed]


def lines(told: tuple[int, str]) -> list[str]:
    return [str(told[0]), *told[1].replace(">", ">\n").splitlines()]

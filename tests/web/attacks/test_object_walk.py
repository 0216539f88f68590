"""A thing of somebody else's in every place of a request that can name one: nothing is read, changed, sent or counted."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from app.web import describe
from tests.web.attacks.attackers import SECRET_KINDS, Attacker, Field, Told
from tests.web.attacks.estate import ASKED, HIDDEN, KNOWN, TAG
from tests.web.attacks.places import UNKNOWN, Place, places
from tests.web.conftest import Web
from tests.web.trial import plain

pytestmark = pytest.mark.db
# What stands for nothing at all, where even that something is there must not be told.
NOTHING: dict[str, Any] = dict.fromkeys(SECRET_KINDS | {"people", "users", "organizations", "teams"}, 999_999)


def calls(app: FastAPI) -> Iterator[tuple[str, APIRoute]]:
    """Every call that takes somebody to be known."""
    for route in describe.routes(app):
        if describe.rules_of(route):
            yield from ((method, route) for method in sorted(route.methods or ()))


def test_every_place_that_can_name_something_is_known(web: Web) -> None:
    document = describe.document(web.app)
    found = [(method, plain(route), each) for method, route in calls(web.app) for each in places(document, method, route)]
    unknown = [f"{method} {path} {each.where} {each.name}" for method, path, each in found if each.kind == UNKNOWN]
    assert not unknown, "say in tests/web/attacks/places.py what is named by\n" + "\n".join(unknown)
    assert len(found) > 150


def test_nothing_of_others_is_read_changed_sent_or_counted(attacked: Field) -> None:
    wrong: list[str] = []
    for who, method, route, place in cases(attacked):
        none = nothing(attacked, who, method, route, place) if who.hides(place) else None
        for value in values(attacked, method, plain(route), place):
            told = attacked.ask(who, method, route, place, value)
            found = [*harms(attacked, who, place, told)]
            if none and told.outcome != none:
                found.append(f"not told what is told of nothing: {told.outcome} {none}")
            case = f"{who.name}: {method} {plain(route)} {place.where} {place.name}={value!r} -> {told.answer.status_code}"
            wrong += [f"{case}: {each}" for each in found]
    assert not wrong, "\n".join(wrong)
    assert to_be_found(attacked) > 20


def to_be_found(attacked: Field) -> int:
    """At how many places Alice, whose it is, is told of hers: what is looked for is there."""
    alice, found = Attacker("alice", attacked.theirs.web.cast.alice, attacked.theirs, (HIDDEN,)), 0
    for who, method, route, place in cases(attacked):
        if method == "GET" and who.name == "erin":
            told = [attacked.ask(alice, method, route, place, each) for each in values(attacked, method, plain(route), place)[:2]]
            found += any(HIDDEN in each.words for each in told)
    return found


def cases(attacked: Field) -> Iterator[tuple[Attacker, str, APIRoute, Place]]:
    """Everybody at every place."""
    for method, route in calls(attacked.trial.app):
        for place in places(attacked.trial.document, method, route):
            yield from ((who, method, route, place) for who in attacked.attackers)


def harms(attacked: Field, who: Attacker, place: Place, told: Told) -> Iterator[str]:
    """Everything that must not be."""
    if told.answer.status_code >= 500:
        yield "broke"
    for word in who.words:
        if word in told.words:
            yield f"told {told.words[max(0, told.words.index(word) - 60) :][:160]!r}"
    yield from (f"told of {number}" for number in numbers(told.words) & attacked.numbers)
    yield from (f"changed {row}" for row in attacked.their_rows - told.rows)
    for table, row in told.rows - attacked.at_first:
        if names_theirs(attacked, table, row, place) or (table == "outbox" and reaches_theirs(attacked, who, row, told)):
            yield f"wrote {table} {row}"


def names_theirs(attacked: Field, table: str, row: str, place: Place) -> bool:
    """Whether a row leads to a thing of theirs: words do not, and what was asked for may be remembered as it was asked."""
    if table == "audit_event":
        return json.loads(row)["ticket"] in attacked.numbers
    typed = place.kind in {"mentions", "words"} and table not in {"ticket_link", "merge", "watcher", "mention"}
    return table != "bulk" and not typed and bool(numbers(row) & attacked.numbers)


def reaches_theirs(attacked: Field, who: Attacker, row: str, told: Told) -> bool:
    """Whether a letter goes to them. Who works here may write to everybody they name, and to their own requesters."""
    cast, to = attacked.theirs.web.cast, json.loads(row)["to_address"]
    asked = {cast.carol.email, told.sent} if who.person.staff else set()
    return to in {cast.alice.email, cast.carol.email, cast.dave.email, cast.frank.email} - asked


def nothing(attacked: Field, who: Attacker, method: str, route: APIRoute, place: Place) -> tuple[int, str] | None:
    """What is told of a thing that there is not."""
    if place.kind not in NOTHING:
        return None
    return attacked.ask(who, method, route, place, NOTHING[place.kind]).outcome


def numbers(words: str) -> set[int]:
    return {int(each) for each in re.findall(r"\d{6}", words)}


def values(attacked: Field, method: str, path: str, place: Place) -> list[Any]:
    """What of theirs can stand there."""
    theirs, t, things = attacked.theirs, attacked.theirs.tickets, attacked.theirs.things
    carol = theirs.web.cast.carol
    if place.where == "path" and place.kind not in {"tags", "links"}:
        return [theirs.places(method, path)[place.name]]
    known: dict[str, list[Any]] = {
        "tickets": [t["accepted"], t["trashed"]],
        "people": [theirs.people_id("agent"), carol.id],
        "addresses": [carol.email, theirs.web.cast.alice.email],
        "tags": [TAG],
        "organizations": [things["organizations"]],
        "teams": [things["teams"]],
        "links": [theirs.cookies["alice"], theirs.tokens["alice"]],
        "words": words(attacked),
        "mentions": [f"#{t['accepted']} [Ticket#{t['other']}] @{theirs.web.cast.alice.email} {{{{ticket.subject}}}}"],
        "fields": [{f"field_{things['teams']}": "x"}],
        "credentials": [{"id": "x", "rawId": "x", "type": "public-key", "response": {}}],
        "cursors": cursors(attacked, method, path),
    }
    return known[place.kind]


def words(attacked: Field) -> list[str]:
    """Everything that a query can find theirs by."""
    t, carol = attacked.theirs.tickets, attacked.theirs.web.cast.carol
    begun = ["", "requester:", "org:", "team:", ASKED, "in:trash", "is:merged"]
    named = [f'org:"{KNOWN} Ltd"', f"requester:{carol.email}", "assignee:alice", "team:support", f"tag:{TAG}"]
    return [*begun, *named, f"#{t['accepted']}", f"{t['trashed']}", f"{ASKED[:4]}*", "has:attachment", "in:trash OR NOT plain"]


def cursors(attacked: Field, method: str, path: str) -> list[str]:
    """Where an administrator's list goes on."""
    if not path.startswith("/api/"):
        return []
    found = attacked.theirs
    with attacked.trial.db.again():
        sent = {"Authorization": f"Bearer {found.tokens['root']}"}
        answer = attacked.trial.program.get(f"{found.path(method, path)}?limit=1&q=is:open", headers=sent)
    following = answer.json().get("next") if answer.headers.get("content-type") == "application/json" else None
    return [following] if following else []

"""Merging, splitting, moving and bulk changes, as programs ask for them."""

from typing import Any

import pytest
from sqlalchemy import select

from app.audit.models import Entry
from app.tickets.models import Ticket
from app.web.shapes import merging as shapes
from app.web.shapes import tickets as ticket_shapes
from tests.web.conftest import Web

pytestmark = pytest.mark.db

AT = "/api/v1/tickets"


def numbers(web: Web, count: int, *, accepted: bool = True) -> list[int]:
    return [web.ticket(web.cast.carol, text=f"Words {n}", accepted=accepted) for n in range(count)]


def messages(program: Any, number: int) -> list[tuple[int, str]]:
    return [(m["id"], m["text"]) for m in program.get(f"{AT}/{number}/messages").json()["items"]]


def everything(web: Web) -> list[tuple[Any, ...]]:
    with web.desk.db.transaction() as s:
        rows = s.execute(select(Ticket.number, Ticket.revision, Ticket.merged_into, Ticket.priority, Ticket.trashed_at))
        return sorted(tuple(row) for row in rows)


def test_merged_and_unmerged_by_the_api(web: Web) -> None:
    a, b = numbers(web, 2)
    alice, carol = web.program(web.cast.alice), web.program(web.cast.carol)

    merged = alice.post(f"{AT}/{a}/merge", json={"into": b})

    assert merged.status_code == 201
    assert ticket_shapes.Ticket.model_validate(merged.json()).merged_into == b
    assert [text for _, text in messages(alice, b)] == ["Words 0", "Words 1"]
    refused = alice.patch(f"{AT}/{a}", json={"priority": "high"})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:atum-desk:problem:merged")
    assert refused.json()["conversation"] == b
    for verb in ("acceptance", "trash", "merge"):
        body = {"reason": "x"} if verb == "trash" else {"into": b}
        assert alice.post(f"{AT}/{a}/{verb}", json=body).status_code == 409
    assert alice.post(f"{AT}/{a}/messages", json={"body": "x"}).status_code == 409
    assert alice.post(f"{AT}/{a}/messages", json={"body": "x", "internal": True}).status_code == 409
    assert carol.post(f"{AT}/{a}/messages", json={"body": "Hurry"}).status_code == 201
    assert messages(alice, b)[-1][1] == "Hurry"

    apart = alice.delete(f"{AT}/{a}/merge")

    assert (apart.status_code, apart.json()["merged_into"]) == (200, None)
    assert [text for _, text in messages(alice, a)] == ["Words 0"]
    assert alice.delete(f"{AT}/{a}/merge").json()["type"] == "urn:atum-desk:problem:not-merged"


def test_a_merge_that_lost_the_race_is_told_what_changed(web: Web) -> None:
    a, b = numbers(web, 2)
    alice = web.program(web.cast.alice)
    read = alice.get(f"{AT}/{a}").headers["etag"]
    alice.patch(f"{AT}/{a}", json={"priority": "high"})

    late = alice.post(f"{AT}/{a}/merge", json={"into": b}, headers={"If-Match": read})

    assert late.status_code == 412
    assert [change["kind"] for change in late.json()["changes"]] == ["ticket.priority_changed"]
    assert alice.get(f"{AT}/{a}").json()["merged_into"] is None


def test_a_message_is_split_off_and_moved_by_the_api(web: Web) -> None:
    a, b = numbers(web, 2)
    alice, carol = web.program(web.cast.alice), web.program(web.cast.carol)
    for words in ("One more", "And more"):
        carol.post(f"{AT}/{a}/messages", json={"body": words})
    first, second, third = (id for id, _ in messages(alice, a))

    fresh = alice.post(f"{AT}/{a}/messages/{second}/split", json={"subject": "Another"})

    assert fresh.status_code == 201
    told = ticket_shapes.Ticket.model_validate(fresh.json())
    assert (told.subject, told.requester.id, fresh.headers["location"]) == ("Another", web.cast.carol.id, f"{AT}/{told.number}")
    moved = alice.post(f"{AT}/{a}/messages/{third}/move", json={"to": b})
    assert moved.status_code == 200
    assert shapes.Moved.model_validate(moved.json()).moved_to == b
    assert [id for id, _ in messages(carol, b)][-1] == third
    only = alice.post(f"{AT}/{a}/messages/{first}/move", json={"to": b})
    assert (only.status_code, only.json()["type"]) == (409, "urn:atum-desk:problem:cant-move")


def test_bulk_by_the_api(web: Web) -> None:
    a, b, c = numbers(web, 3)
    alice = web.program(web.cast.alice)
    body = {"tickets": [c, b, a, 999], "change": {"priority": "high", "status": "waiting_customer"}}

    done = alice.post(f"{AT}/bulk", json=body, headers={"Idempotency-Key": "k"})

    told = shapes.Bulk.model_validate(done.json())
    assert (done.status_code, told.made_by.id, told.reverted_at) == (201, web.cast.alice.id, None)
    assert [(t.number, t.outcome) for t in told.tickets] == [(n, "changed") for n in (a, b, c)] + [(999, "refused")]
    assert told.tickets[-1].reason == "There is no ticket 999 here."
    assert alice.get(done.headers["location"]).json() == done.json()
    again = alice.post(f"{AT}/bulk", json=body, headers={"Idempotency-Key": "k"})
    assert (again.json(), again.headers["idempotency-replayed"]) == (done.json(), "true")
    alice.patch(f"{AT}/{b}", json={"priority": "low"})
    back = alice.post(f"{AT}/bulk/{told.id}/reversion")
    assert back.status_code == 201
    outcomes = {t.number: (t.outcome, t.reason) for t in shapes.Bulk.model_validate(back.json()).tickets}
    assert outcomes[a] == outcomes[c] == ("reverted", None)
    assert outcomes[b] == ("kept", "It was changed since.")
    assert [alice.get(f"{AT}/{n}").json()["priority"] for n in (a, b, c)] == ["medium", "low", "medium"]
    assert alice.post(f"{AT}/bulk/{told.id}/reversion").json()["type"] == "urn:atum-desk:problem:already-reverted"
    with web.desk.db.transaction() as s:
        of_bulk = s.scalars(select(Entry).where(Entry.data["bulk"].as_integer() == told.id).order_by(Entry.seq)).all()
    assert [e.kind for e in of_bulk if e.ticket is None] == ["bulk.changed", "bulk.reverted"]


def test_a_bulk_of_the_trash_by_the_api(web: Web) -> None:
    a, b = numbers(web, 2)
    alice = web.program(web.cast.alice)
    done = alice.post(f"{AT}/bulk", json={"tickets": [a, b], "trash": {"reason": "Advertising"}}).json()
    assert (done["trash"], done["change"]) == ({"reason": "Advertising"}, None)
    assert web.program(web.cast.carol).get(f"{AT}/{a}").status_code == 404
    alice.post(f"{AT}/bulk/{done['id']}/reversion")
    assert web.program(web.cast.carol).get(f"{AT}/{a}").status_code == 200


WRONG: list[dict[str, Any]] = [
    {"tickets": [1]},
    {"tickets": [1], "change": {}},
    {"tickets": [1], "change": {"priority": "high"}, "trash": {"reason": "x"}},
    {"tickets": [], "change": {"priority": "high"}},
    {"tickets": list(range(1, 502)), "change": {"priority": "high"}},
    {"tickets": [0], "change": {"priority": "high"}},
    {"tickets": ["1"], "change": {"priority": "high"}},
    {"tickets": [2**63], "change": {"priority": "high"}},
    {"tickets": [1], "change": {"priority": "high", "organization_id": 2}},
    {"tickets": [1], "change": {"requester_id": 2}},
    {"tickets": [1], "change": {"priority": "high"}, "made_by_id": 1},
    {"tickets": [1], "trash": {"reason": ""}},
]


def test_a_bulk_change_that_makes_no_sense_is_refused_and_changes_nothing(web: Web) -> None:
    (number,) = numbers(web, 1)
    before = everything(web)
    alice = web.program(web.cast.alice)
    for body in WRONG:
        asked = body | {"tickets": [number if each == 1 else each for each in body["tickets"]]}
        assert alice.post(f"{AT}/bulk", json=asked).status_code == 422, body
    assert everything(web) == before


ASKED: list[tuple[str, str, Any]] = [
    ("POST", "{a}/merge", {"into": "{b}"}),
    ("POST", "{b}/merge", {"into": "{a}"}),
    ("DELETE", "{merged}/merge", None),
    ("POST", "{a}/messages/{m}/split", {}),
    ("POST", "{a}/messages/{m}/move", {"to": "{b}"}),
    ("POST", "bulk", {"tickets": ["{a}", "{b}"], "change": {"priority": "low"}}),
    ("POST", "bulk", {"tickets": ["{a}"], "trash": {"reason": "x"}}),
    ("GET", "bulk/{bulk}", None),
    ("POST", "bulk/{bulk}/reversion", None),
]


def test_nobody_merges_moves_or_changes_what_is_not_theirs_to_work_on(web: Web) -> None:
    """Erin is an agent of another team; here all tickets are of a team that she isn't in."""
    a, b, merged = numbers(web, 3)
    bob = web.program(web.cast.bob)
    secret = bob.post("/api/v1/teams", json={"name": "Secret"}).json()["id"]
    m = bob.post(f"{AT}/{a}/messages", json={"body": "x", "internal": True}).json()["id"]
    made = bob.post(f"{AT}/bulk", json={"tickets": [a, b, merged], "change": {"team_id": secret}}).json()["id"]
    assert bob.post(f"{AT}/{merged}/merge", json={"into": b}).status_code == 201
    names = {"a": a, "b": b, "merged": merged, "m": m, "bulk": made}
    before = everything(web)

    for who in (web.cast.carol, web.cast.dave, web.cast.mallory, web.cast.erin, None):
        program = web.program(who)
        for method, path, body in ASKED:
            answer = program.request(method, f"{AT}/{path.format(**names)}", json=filled(body, names))
            if who is web.cast.erin and path == "bulk":
                told = answer.json()["tickets"]
                assert [(t["outcome"], t["reason"]) for t in told] == [
                    ("refused", f"There is no ticket {t['number']} here.") for t in told
                ]
            else:
                unseen = who is web.cast.erin or (who is web.cast.mallory and "bulk" not in path)
                refused = 401 if who is None else 404 if unseen else 403
                assert answer.status_code == refused, (who and who.name, method, path)
    assert everything(web) == before


def filled(value: Any, names: dict[str, int]) -> Any:
    if isinstance(value, dict):
        return {key: filled(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, names) for each in value]
    return names[value[1:-1]] if isinstance(value, str) and value.startswith("{") else value


def test_another_customers_ticket_is_never_merged_in_by_anybody(web: Web) -> None:
    ours, hers = web.ticket(web.cast.carol, text="Our secret"), web.ticket(web.cast.mallory, text="Hm")
    for who in (web.cast.alice, web.cast.bob, web.cast.root):
        for a, b in ((ours, hers), (hers, ours)):
            refused = web.program(who).post(f"{AT}/{a}/merge", json={"into": b})
            assert (refused.status_code, refused.json()["type"]) == (409, "urn:atum-desk:problem:cant-merge")
    assert [text for _, text in messages(web.program(web.cast.mallory), hers)] == ["Hm"]


def test_numbers_that_no_row_can_have_are_no_such_thing(web: Web) -> None:
    alice = web.program(web.cast.alice)
    for number in (0, 2**63, 10**40):
        for path, body in (("merge", {"into": 1}), ("messages/1/split", {}), ("messages/1/move", {"to": 1})):
            assert alice.post(f"{AT}/{number}/{path}", json=body).status_code in {404, 422}, (number, path)
        assert alice.post(f"{AT}/1/messages/{number}/split", json={}).status_code in {404, 422}
        assert alice.post(f"{AT}/bulk/{number}/reversion").status_code in {404, 422}
        assert alice.get(f"{AT}/bulk/{number}").status_code in {404, 422}

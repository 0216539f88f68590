"""The audit through the API: administrators alone, one statement, and exports that are themselves recorded."""

import csv
import io
import json
import time
from pathlib import Path
from typing import Any

import pytest

from app.audit import actions as audit
from app.audit import verifying
from app.audit.models import Event
from app.audit.seal import Check
from app.db.session import now as database_now
from app.ops.notary import Notary
from app.web.shapes import seeing as shapes
from tests.web.conftest import Web

URL = "/api/v1/audit"


@pytest.fixture
def key(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir(exist_ok=True)
    (tmp_path / "secrets" / "secret_key").write_text("ab" * 32)


def some(web: Web, count: int, **data: object) -> None:
    for number in range(count):
        with web.desk.db.transaction() as s:
            by = (web.cast.alice.id, "Alice") if number % 2 else None
            audit.record(s, Event.TICKET_NOTED, now=database_now(s), by=by, ticket=number % 3 + 1, number=number, **data)


@pytest.mark.parametrize("path", ["", "/checkpoints", "/export"])
def test_it_is_for_administrators_alone(web: Web, path: str) -> None:
    people = web.cast
    for person in (people.carol, people.dave, people.mallory, people.alice, people.erin, people.bob):
        assert web.program(person).get(URL + path).status_code == 403
    assert web.program().get(URL + path).status_code == 401
    assert web.program(people.root).get(URL + path).status_code == 200


def test_the_last_event_comes_first_and_cursors_lead_to_all_of_them(web: Web) -> None:
    some(web, 7)
    program, found, cursor = web.program(web.cast.root), [], None
    while True:
        answer = program.get(URL, params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        shapes.AuditEntries.model_validate(answer)
        found += [entry["seq"] for entry in answer["items"]]
        cursor = answer["next"]
        if cursor is None:
            break
    assert found == list(range(found[0], 0, -1))
    assert len(found) >= 7


def test_it_is_filtered_by_kind_actor_ticket_and_time(web: Web) -> None:
    some(web, 6)
    program = web.program(web.cast.root)

    def numbers(**params: Any) -> list[int]:
        items = program.get(URL, params={"kind": "ticket.noted", **params}).json()["items"]
        return [entry["data"]["number"] for entry in items]

    at = {entry["data"]["number"]: entry["at"] for entry in program.get(URL, params={"kind": "ticket.noted"}).json()["items"]}
    assert numbers() == [5, 4, 3, 2, 1, 0]
    assert numbers(actor_id=web.cast.alice.id) == [5, 3, 1]
    assert numbers(ticket=2) == [4, 1]
    assert numbers(since=at[4]) == [5, 4]
    assert numbers(until=at[2]) == [1, 0]
    assert numbers(kind="ticket.merged") == []


@pytest.mark.parametrize(
    "params",
    [
        {"kind": "' OR 1=1 --"},
        {"actor_id": "1 OR 1=1"},
        {"actor_id": str(2**64)},
        {"ticket": "-1"},
        {"since": "yesterday"},
        {"since": "2026-11-01T00:00:00"},
        {"until": "'; SELECT pg_sleep(5) --"},
        {"limit": "1000000000"},
        {"limit": "0"},
        {"cursor": "-1"},
        {"cursor": "9" * 30},
        {"cursor": "\u0664\u0662"},
        {"cursor": "1; DROP TABLE audit_event"},
    ],
)
def test_what_is_no_value_is_refused_at_once(web: Web, params: dict[str, str]) -> None:
    program, began = web.program(web.cast.root), time.monotonic()
    assert program.get(URL, params=params).status_code == 422
    assert time.monotonic() - began < 5  # what pg_sleep would take; a busy machine takes a second now and then


def test_a_list_is_one_statement_after_the_identity(web: Web, reads: list[str]) -> None:
    program = web.program(web.cast.root)
    some(web, 3)
    program.get(URL)
    few = len(reads)
    reads.clear()
    some(web, 40)
    program.get(URL)
    assert len(reads) == few <= 2


def test_the_checkpoints_are_told_with_the_public_key(web: Web, key: None) -> None:
    some(web, 2)
    Notary(web.desk.db, web.desk.settings).step()
    answer = web.program(web.cast.root).get(f"{URL}/checkpoints").json()
    shapes.Checkpoints.model_validate(answer)
    (found,) = answer["items"]
    check = Check(bytes.fromhex(answer["public_key"]))
    assert check(verifying.checkpoints_of([json.dumps(found)])[0])
    assert web.program(web.cast.root).get(f"{URL}/checkpoints", params={"cursor": found["day"]}).json()["items"] == []


def test_an_export_is_recorded_and_whole(web: Web, key: None) -> None:
    some(web, 2500, words="ü")
    answer = web.program(web.cast.root).get(f"{URL}/export")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith('attachment; filename="audit-')
    lines = answer.text.splitlines()
    last = json.loads(lines[-1])
    assert (last["kind"], last["actor_id"]) == ("export.made", web.cast.root.id)
    key_ = bytes.fromhex(web.program(web.cast.root).get(f"{URL}/checkpoints").json()["public_key"])
    assert verifying.file(iter(lines), key_).verdict.whole


def test_an_export_for_a_spreadsheet_runs_nothing(web: Web) -> None:
    with web.desk.db.transaction() as s:
        audit.record(s, Event.TICKET_NOTED, now=database_now(s), by=(1, "=cmd|' /C calc'!A0"), words="\r\n=1+1")
    answer = web.program(web.cast.root).get(f"{URL}/export", params={"format": "csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    assert rows[0] == ["seq", "at", "kind", "actor_id", "actor", "ticket", "data", "hash"]
    assert any(row[4].startswith("'=cmd") for row in rows)
    assert not any(cell[:1] in set("=+-@\t\r") for row in rows for cell in row)


@pytest.mark.parametrize("name", ["\u202eevil", "two\nlines", "a\0b", '{"forged": true}', "\x1b[31mred"])
def test_odd_words_are_data_and_stay_one_row(web: Web, name: str) -> None:
    with web.desk.db.transaction() as s:
        audit.record(s, Event.SIGN_IN_REFUSED, now=database_now(s), email=name)
    answer = web.program(web.cast.root).get(URL, params={"kind": "person.sign_in_refused"}).json()
    assert [entry["data"]["email"] for entry in answer["items"]] == [name.replace("\0", "\ufffd")]


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_an_export_is_of_a_kind_that_is_documented(web: Web, key: None, form: str) -> None:
    root = web.program(web.cast.root)
    documented = root.get("/api/v1/openapi.json").json()["paths"][f"{URL}/export"]["get"]["responses"]["200"]["content"]
    answer = root.get(f"{URL}/export", params={"format": form})
    assert answer.headers["content-type"].partition(";")[0] in documented

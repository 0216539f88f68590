"""Every change leaves a row in the audit, by the API and by pages: each route is called with success, and the rows counted."""

from collections.abc import Iterator
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import select, update

from app.accounts.models import Person
from app.accounts.rules import Role
from app.audit.models import Entry, Head
from app.db.session import Database
from app.web.origin import SAFE
from tests.web.conftest import Web
from tests.web.test_roles import WHO, cell, every, known
from tests.web.trial import Trial, opened, plain

pytestmark = pytest.mark.db
API = "/api/v1"

# What changes nothing that anybody could ask about later.
UNRECORDED = {
    ("POST", f"{API}/auth/refresh"): "the same session goes on; only a refresh token that was used before is recorded",
    ("POST", f"{API}/auth/otp"): "nothing counts before it is confirmed, which is recorded",
    ("POST", "/account/second-factor"): "the same",
    ("POST", f"{API}/auth/passkeys/options"): "a question; the answer is recorded",
    ("POST", f"{API}/auth/passkeys/sign-in/options"): "a question; the answer is recorded",
    ("POST", f"{API}/mailboxes/{{id}}/test"): "a question to its server",
    ("POST", f"{API}/sla/calendars/{{id}}/feed/refresh"): "it is read earlier; what comes of it is recorded",
    ("POST", f"{API}/sla/preview"): "what is tried is taken back",
    ("PUT", f"{API}/tickets/{{number}}/presence"): "who is looking, for half a minute, outside of the database",
    ("DELETE", f"{API}/tickets/{{number}}/presence"): "the same",
    ("POST", "/messages/{id}/html"): "it shows a mail with its pictures from elsewhere; nothing of ours changes",
}
# What only reads, and is recorded all the same.
READ_AND_RECORDED = {f"{API}/attachments/{{id}}", f"{API}/audit/export", f"{API}/tickets.csv", "/attachments/{id}"}
READ_AND_RECORDED |= {"/mail/{id}", "/mail/{id}/original", "/mail/{id}/html", "/mail/{id}/files/{part}"}
NEVER_ENDS = f"{API}/events"
CUSTOMERS = "/my/"


class Counting(Trial):
    """Knows how many rows the last request added."""

    made = 0

    def send(self, **request: Any) -> Response:
        before = self._last()
        answer = super().send(**request)
        self.made = self._last() - before
        return answer

    def _last(self) -> int:
        return int(self.db.engine.execute(select(Head.seq)).scalar_one())


@pytest.fixture
def trial(web: Web, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counting]:
    with opened(web, monkeypatch, Counting) as trial:
        yield trial  # type: ignore[misc]


def somebody_who_may(line: tuple[str, str], cells: list[str]) -> str:
    """The last in the table; where customers write it is one of them."""
    may = [who for who, cell in zip(WHO, cells, strict=True) if cell in {"2xx", "3xx"}]
    return "customer" if line[1].startswith(CUSTOMERS) else may[-1]


def test_every_change_is_recorded(web: Web, trial: Counting) -> None:
    table, silent = known(), set()
    for method, route in every(web):
        line = (method, route.path_format)
        if method in SAFE:
            continue
        with trial.db.again():
            if line[1] == "/setup/{token}":
                without_administrator(trial)
                who = "nobody"
            else:
                who = somebody_who_may(line, table[line])
            answer = trial.send(**trial.prepared(method, plain(route), who))
        assert cell(answer) in {"2xx", "3xx"}, (line, answer.text)
        if not trial.made:
            silent.add(line)
    assert silent == set(UNRECORDED), "whatever is done has to be recorded, or said above with the reason why not"


def without_administrator(trial: Trial) -> None:
    with trial.db.transaction() as s:
        s.execute(update(Person).where(Person.role == Role.ADMIN).values(role=Role.MANAGER))


def test_of_what_is_read_exports_and_files_are_recorded_and_nothing_else_is(web: Web, trial: Counting) -> None:
    found = set()
    for method, route in every(web):
        if method == "GET" and route.path_format != NEVER_ENDS and trial(method, route, "admin").is_success and trial.made:
            found.add(route.path_format)
    assert found == READ_AND_RECORDED


def last(db: Database) -> int:
    with db.reading() as c:
        return int(c.execute(select(Head.seq)).scalar_one())


def test_what_is_so_already_is_not_recorded_and_what_becomes_so_is(web: Web) -> None:
    people, root = web.cast, web.program(web.cast.root)
    number, billing, acme = web.ticket(people.carol), people.billing.id, people.carol.organization_id
    for method, path, body in (
        ("POST", f"/tickets/{number}/watchers", {"email": "new@acme.example", "kind": "cc"}),
        ("POST", f"/teams/{billing}/archival", None),
        ("DELETE", f"/teams/{billing}/archival", None),
        ("PUT", f"/organizations/{acme}/domains/new.example", None),
    ):
        known = []
        for _ in range(2):
            assert root.request(method, API + path, json=body).is_success, path
            known.append(last(web.desk.db))
        assert known[0] == known[1], path
        with web.desk.db.reading() as c:
            actor, kind = c.execute(select(Entry.actor_id, Entry.kind).where(Entry.seq == known[0])).one()
        assert (actor, kind.partition(".")[0]) == (people.root.id, path.split("/")[1].rstrip("s")), path

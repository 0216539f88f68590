"""Every change through the API leaves a row in the audit: each route is called with success, and the rows are counted."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import select

from app.audit.models import Entry, Head
from app.db.redis import Counters
from app.db.session import Database
from app.web.origin import SAFE
from tests.web import trial as trials
from tests.web.conftest import Web
from tests.web.furniture import furnish
from tests.web.sign_in import steps
from tests.web.test_roles import WHO, every, known
from tests.web.trial import Trial
from tests.web.undone import Undone

pytestmark = pytest.mark.db
API = "/api/v1"

# What changes nothing that anybody could ask about later.
UNRECORDED = {
    ("POST", f"{API}/auth/refresh"): "the same session goes on; only a refresh token that was used before is recorded",
    ("POST", f"{API}/auth/otp"): "nothing counts before it is confirmed, which is recorded",
    ("POST", f"{API}/auth/passkeys/options"): "a question; the answer is recorded",
    ("POST", f"{API}/auth/passkeys/sign-in/options"): "a question; the answer is recorded",
    ("PUT", f"{API}/tickets/{{number}}/presence"): "who is looking, for half a minute, outside of the database",
    ("DELETE", f"{API}/tickets/{{number}}/presence"): "the same",
}
# What only reads, and is recorded all the same.
READ_AND_RECORDED = {f"{API}/attachments/{{id}}", f"{API}/audit/export", f"{API}/tickets.csv"}
# What takes more than one call to change something: the tests below do it.
BY_THEMSELVES = {
    ("POST", f"{API}/tickets/{{number}}/watchers"),
    ("DELETE", f"{API}/teams/{{id}}/archival"),
    ("PUT", f"{API}/organizations/{{id}}/domains/{{domain}}"),
    ("POST", f"{API}/auth/otp/confirmation"),
    ("POST", f"{API}/auth/otp/recovery-codes"),
    ("POST", f"{API}/auth/otp/removal"),
    ("POST", f"{API}/auth/passkeys"),
    ("POST", f"{API}/auth/passkeys/sign-in"),
}


class Counting(Undone):
    """Knows how many rows the last request added."""

    made = 0

    @contextmanager
    def again(self) -> Iterator[None]:
        with super().again():
            before = self._last()
            yield
            Counting.made = self._last() - before

    def _last(self) -> int:
        return int(self.engine.execute(select(Head.seq)).scalar_one())


@pytest.fixture
def trial(web: Web, monkeypatch: pytest.MonkeyPatch) -> Trial:
    monkeypatch.setattr(Counters, "add", lambda *_, **__: 1)  # as many tries as it takes
    monkeypatch.setattr(trials, "Undone", Counting)
    return Trial(web, furnish(web))


def api(web: Web) -> list[tuple[str, APIRoute]]:
    return [(method, route) for method, route in every(web) if route.path_format.startswith(f"{API}/")]


def test_every_change_through_the_api_is_recorded(web: Web, trial: Trial) -> None:
    table, silent = known(), set()
    for method, route in api(web):
        line = (method, route.path_format)
        if method in SAFE or line in BY_THEMSELVES:
            continue
        who = [who for who, cell in zip(WHO, table[line], strict=True) if cell == "2xx"]
        assert trial(method, route, who[-1]).is_success, line
        if not Counting.made:
            silent.add(line)
    assert silent == set(UNRECORDED), "whatever is done has to be recorded, or said above with the reason why not"


def test_of_what_is_read_exports_and_files_are_recorded_and_nothing_else_is(web: Web, trial: Trial) -> None:
    found = set()
    for method, route in api(web):
        path = route.path_format
        if method == "GET" and path != f"{API}/events" and trial(method, route, "admin").is_success and Counting.made:
            found.add(path)
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


def test_a_second_factor_is_recorded(web: Web) -> None:
    program = web.program(web.cast.alice)
    secret = program.post(f"{API}/auth/otp").json()["secret"]
    for path in ("confirmation", "recovery-codes", "removal"):
        before = last(web.desk.db)
        answer = program.post(f"{API}/auth/otp/{path}", json={"otp": steps.code(web, secret)})
        assert answer.is_success, answer.text
        assert last(web.desk.db) > before, path
        steps.forget_steps(web)


def test_a_passkey_and_whom_it_lets_in_are_recorded(web: Web) -> None:
    before = last(web.desk.db)
    device = steps.with_passkey(web, web.cast.alice)
    made = last(web.desk.db)
    assert steps.show(web, device.get(steps.options(web))).is_success
    assert before < made < last(web.desk.db)

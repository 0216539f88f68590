"""The desk's figures, as a Prometheus would read them."""

from collections import Counter
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import func, update
from starlette.testclient import TestClient

from app.db.session import now as database_now
from app.intake.models import Mailbox
from app.intake.rules.states import MailboxState
from app.ops import lateness, metrics
from app.sla.models import Clock
from app.tickets import deadlines
from tests.web.conftest import Web

pytestmark = pytest.mark.db
URL = "/api/v1/metrics"


def read(web: Web) -> dict[str, dict[tuple[str, ...], float]]:
    """Every sample by its name and the values of its labels."""
    program = web.program()
    answer = program.get(URL, headers={"Authorization": "Bearer " + web.api_token(web.cast.root, ["metrics:read"])})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.name.startswith("atum_"), family
        assert family.documentation, family
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_each_part_has_one_state_of_those_there_are(web: Web) -> None:
    report = web.desk.watch.report()
    states = read(web)["atum_component_state"]
    assert {key[0] for key in states} == set(report.parts)
    for name, part in report.parts.items():
        assert {state: states[name, state] for state in metrics.PART_STATES} == {
            state: float(state == part.status) for state in metrics.PART_STATES
        }


def test_how_late_deadlines_are_noticed_is_a_histogram(web: Web) -> None:
    number = web.ticket(by=web.cast.carol, accepted=True)
    past = timedelta(days=9)
    with web.desk.db.transaction() as s:
        missed = {"started_at": Clock.started_at - past, "anchor_at": Clock.anchor_at - past, "next_at": func.now()}
        s.execute(update(Clock).where(Clock.ticket == number, Clock.metric == "resolution").values(**missed))
    with web.desk.db.transaction() as s:
        fired = deadlines.process_due(s)
    assert fired
    before = read(web).get("atum_sla_lateness_seconds_count", {})
    lateness.noticed(fired)
    kinds = Counter(one.kind.value for one in fired)
    found = read(web)
    counts = found["atum_sla_lateness_seconds_count"]
    assert {(kind,): counts[kind,] - before.get((kind,), 0.0) for kind in kinds} == {(kind,): n for kind, n in kinds.items()}
    assert {key[1] for key in found["atum_sla_lateness_seconds_bucket"]} >= {"0.25", "1.0", "+Inf"}


def test_a_mailbox_says_how_it_is_and_since_when(web: Web) -> None:
    name = "help@desk.example"
    with web.desk.db.transaction() as s:
        box = Mailbox(
            name=name, address=name, host="mail", port=993, tls=True, username="x", folder="INBOX", state=MailboxState.FAILING
        )
        box.created_at = database_now(s)
        s.add(box)
    found = read(web)
    assert {key[1]: value for key, value in found["atum_mailbox_state"].items() if key[0] == name} == {
        state: float(state == "failing") for state in metrics.MAILBOX_STATES
    }
    assert found["atum_mailbox_held"][name,] == 0
    assert (name,) not in found.get("atum_mailbox_age_seconds", {})


@pytest.mark.parametrize(
    ("who", "scopes", "status"),
    [("root", ["reports:read"], 403), ("alice", ["metrics:read"], 403), ("bob", ["metrics:read"], 403)],
)
def test_only_an_administrators_token_for_that_reads_them(web: Web, who: str, scopes: list[str], status: int) -> None:
    token = web.api_token(getattr(web.cast, who), scopes)
    assert web.program().get(URL, headers={"Authorization": f"Bearer {token}"}).status_code == status
    assert web.program().get(URL).status_code == 401


def test_requests_are_counted_by_route_method_and_class_of_status_and_never_by_path(web: Web) -> None:
    def count(method: str, route: str, status: str) -> float:
        return read(web).get("atum_http_request_duration_seconds_count", {}).get((method, route, status), 0.0)

    asked = (
        ("GET", f"/api/v1/tickets/{web.ticket(by=web.cast.carol)}", "/api/v1/tickets/{number}", "2xx"),
        ("HEAD", "/api/v1/health", "/api/v1/health", "5xx"),
        ("GET", "/api/v1/tickets/999999", "/api/v1/tickets/{number}", "4xx"),
        ("GET", "/whatever/somebody/tries", "none", "4xx"),
        ("BREW", "/pot", "none", "4xx"),
    )
    alice = web.program(web.cast.alice)
    for method, path, route, status in asked:
        method_told = "other" if method == "BREW" else method
        before = count(method_told, route, status)
        alice.request(method, path)
        assert count(method_told, route, status) == before + 1, path
    templates = {key[1] for key in read(web)["atum_http_request_duration_seconds_count"]}
    assert templates <= {route.path for route in web.routes()} | {"none"}


def test_a_request_that_broke_counts_as_5xx(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    key = ("GET", "/api/v1/tags", "5xx")
    before = read(web).get("atum_http_request_duration_seconds_count", {}).get(key, 0.0)
    monkeypatch.setattr("app.web.api.tags.tags.listed", None)
    alice = TestClient(web.app, raise_server_exceptions=False, headers=dict(web.program(web.cast.alice).headers))
    assert alice.get("/api/v1/tags").status_code == 500
    assert read(web)["atum_http_request_duration_seconds_count"][key] == before + 1


def test_each_queue_says_how_much_waits_and_since_when_it_is_due(web: Web) -> None:
    web.ticket(by=web.cast.carol, accepted=True)
    with web.desk.db.transaction() as s:
        s.execute(update(Clock).values(next_at=func.now() - timedelta(minutes=5)).where(Clock.next_at.is_not(None)))
    found = read(web)
    assert {key[0] for key in found["atum_queue_waiting"]} == {
        "mail", "outbox", "webhooks", "clocks", "escalations", "planned_answers",
    }  # fmt: skip
    assert found["atum_queue_due"]["clocks",] == found["atum_queue_waiting"]["clocks",] > 0
    assert 300 <= found["atum_queue_late_seconds"]["clocks",] < 400
    assert found["atum_queue_late_seconds"]["mail",] == 0


def test_postgresql_says_how_it_is_to_its_owner(web: Web) -> None:
    with web.desk.db.transaction() as s:
        database_now(s)  # begun, and open
        found = read(web)
    assert found["atum_database_connections"]["idle_in_transaction",] >= 1
    assert found["atum_database_longest_transaction_seconds"][()] > 0
    assert found["atum_database_size_bytes"][()] > 1_000_000
    assert found["atum_database_connections_limit"][()] > 10
    assert found["atum_database_deadlocks_total"][()] >= 0


def test_programs_that_were_started_anew_are_told_where_a_listener_counts_them(web: Web) -> None:
    assert "atum_program_restarts_total" not in read(web)
    (web.desk.settings.run_dir / "starts.json").write_text('{"nginx": 3, "boot": 1, "redis": 0}')
    web.desk.settings.app_run.mkdir(exist_ok=True)
    (web.desk.settings.app_run / "ready").write_text("x")
    found = read(web)
    assert found["atum_program_restarts_total"] == {("nginx",): 2, ("boot",): 0, ("redis",): 0}
    assert found["atum_ready_timestamp_seconds"][()] > 1_600_000_000

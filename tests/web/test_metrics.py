"""The desk's figures, as a Prometheus would read them."""

from collections import Counter
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import func, update

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

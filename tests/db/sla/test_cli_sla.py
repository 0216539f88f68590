"""`atum sla`: as an administrator types it."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from app.core.priority import Priority
from app.db.session import Database
from app.db.session import now as database_now
from app.entry.cli import main
from app.entry.sla_worker import Recheck
from app.hours import actions as hours
from app.ops import health
from app.sla import actions, calendars, policies, queries
from app.sla.models import Calendar, Clock, Target
from app.sla.rules import BREACH, Metric, Moment
from app.sla.rules.ladder import Rung
from tests.db.sla.known import of

HOUR = timedelta(hours=1)

pytestmark = pytest.mark.db


@pytest.fixture
def running(desk: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Three tickets that were accepted, one of them waiting for its customer."""
    for name, value in {"DATABASE_URL": desk.dsn, "DATA_DIR": str(tmp_path), "RUN_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    with desk.transaction() as s:
        for ticket in (1, 2, 3):
            actions.happened(s, ticket, Moment.ACCEPTED, at=database_now(s) - ticket * HOUR, facts=of(Priority.LOW))
        actions.happened(s, 3, Moment.PAUSED, at=database_now(s), facts=of(Priority.LOW))
    return desk


def spoil(desk: Database) -> None:
    """One clock's row is changed behind the desk's back."""
    with desk.transaction() as s:
        s.execute(update(Clock).where(Clock.ticket == 2, Clock.metric == "resolution").values(consumed=5 * HOUR))


def test_policies_are_listed_in_their_order_with_whom_they_are_for_and_who_is_told(
    running: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    with running.transaction() as s:
        steps = [Rung(Metric.RESOLUTION, BREACH, ("team", "webhook:3"), calendar=1, repeat=timedelta(minutes=15), most=9)]
        given = {"name": "Gold", "match": {"tag": ["gold", "vip"]}, "steps": steps}
        policies.add(s, given, by=(1, "Bob"), now=database_now(s))
    assert main(["sla", "policies"]) == 0
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()] == [
        "1 Gold tag gold or vip",
        "resolution 100%: team, webhook:3, every 15 minutes up to 9 times, when calendar 1 is open",
        "2 Standard every ticket",
        *(f"{metric} 100%: managers" for metric in Metric),
    ]


def test_clocks_that_are_what_their_history_says_are_exit_code_0(running: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sla", "verify"]) == 0
    assert capsys.readouterr().out.strip() == "0 differences among 6 open clocks"


def test_a_clock_that_differs_is_named_and_left_as_it_is(running: Database, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(running)
    assert main(["sla", "verify"]) == 1
    said = capsys.readouterr().out
    assert "ticket 2, resolution 1: consumed is 5:00:00 and should be 0:00:00" in said
    assert said.strip().endswith("1 difference among 6 open clocks")
    assert main(["sla", "verify", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["open_clocks"], [each["ticket"] for each in told["differences"]]) == (6, [2])
    with running.transaction() as s:
        assert s.scalar(select(Clock.consumed).where(Clock.ticket == 2, Clock.metric == "resolution")) == 5 * HOUR


def test_a_clock_that_differs_is_named_under_a_promise_that_changed_too(
    running: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(running)
    with running.transaction() as s:
        policy = policies.held(s, queries.policies(s)[0].id)
        policies.change(s, policy, {"targets": {"resolution": {"high": 7200}}}, by=(7, "Bob"), now=database_now(s))
    assert main(["sla", "verify"]) == 1
    assert "ticket 2, resolution 1" in capsys.readouterr().out


def test_clocks_that_wait_to_be_reckoned_by_a_changed_calendar_are_counted_apart(
    running: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    with running.transaction() as s:
        calendar = hours.held(s, s.scalars(select(Calendar.id)).one())
        spec = {"zone": "UTC", "week": [[["09:00", "17:00"]]] * 7}
        calendars.change(s, calendar, spec, by=(7, "Bob"), now=database_now(s))
    assert main(["sla", "verify"]) == 0
    said = "0 differences among 0 open clocks; 6 more wait to be reckoned by their changed calendar"
    assert capsys.readouterr().out.strip() == said
    assert main(["sla", "verify", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"open_clocks": 0, "waiting": 6, "differences": []}


def test_what_the_re_check_found_is_in_health_until_it_is_right_again(running: Database) -> None:
    spoil(running)
    Recheck(running, 0).step()
    with running.reading() as c:
        part = health.promises(c)
    assert (part.status, part.reason) == ("degraded", "1 clocks differ from their replay: see atum sla verify.")
    assert "ticket 2, resolution 1" in str(part.told())
    with running.transaction() as s:
        s.execute(update(Clock).where(Clock.ticket == 2, Clock.metric == "resolution").values(consumed=timedelta(0)))
    Recheck(running, 0).step()
    with running.reading() as c:
        assert health.promises(c).status == "ok"


def drafted(folder: Path, said: object) -> str:
    (folder / "draft.json").write_text(said if isinstance(said, str) else json.dumps(said))
    return str(folder / "draft.json")


def test_a_draft_is_tried_and_nothing_is_saved(running: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = drafted(tmp_path, {"policies": [{"id": 1, "targets": {"first_response": {"low": 1}}}]})
    assert main(["sla", "preview", file]) == 0
    said = capsys.readouterr().out
    assert "0 tickets: those of the last 30 days, and all open ones" in said
    assert main(["sla", "preview", file, "--days", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["differing"] == []
    with running.transaction() as s:
        assert s.scalar(select(Target.seconds).where(Target.metric == "first_response", Target.priority == "low")) == 86400


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("{", "can't be read"),
        ("[]", "The draft can't be: the draft"),
        ({"policies": [{"id": 1, "targets": {"first_response": {"low": 0}}}]}, "policies.0.targets"),
        ({"policies": [{"id": 9}]}, "There is no policy 9."),
        ("[" * 100_000, "can't be read"),
        ('{"days": NaN}', "The draft can't be: days"),
        ('{"days": 1000000000000000000}', "The draft can't be: days"),
        ('{"days": ' + "9" * 5000 + "}", "can't be read"),
    ],
)
def test_a_draft_that_can_not_be_is_refused_in_words(
    running: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], said: object, words: str
) -> None:
    assert main(["sla", "preview", drafted(tmp_path, said)]) == 1
    told = capsys.readouterr().err
    assert words in told
    assert "Traceback" not in told

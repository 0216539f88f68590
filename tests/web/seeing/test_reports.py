"""Reports through the API: figures that are right, of tickets that one may see, and tables that run nothing."""

import csv
import io
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import insert, select, text, update
from starlette.testclient import TestClient

from app.accounts.models import Organization
from app.core.priority import Priority
from app.db.session import Database
from app.db.session import now as database_now
from app.sla.models import Clock, Happening, Target
from app.sla.rules import Metric, Outcome, State
from app.tickets.models import Channel, Ticket
from app.tickets.reports import queries
from app.tickets.rules import Status
from app.web.shapes import seeing as shapes
from tests.web.conftest import Web

URL = "/api/v1/reports"
REPORTS: dict[str, type[BaseModel]] = {
    "volume": shapes.Volume,
    "backlog": shapes.Backlog,
    "first-response": shapes.Times,
    "resolution": shapes.Times,
    "sla": shapes.Sla,
}
DAYS = {"from": "2026-03-01", "to": "2026-03-31"}
HOUR = timedelta(hours=1)


def day(number: int, hour: int = 12) -> datetime:
    return datetime(2026, 3, number, hour, tzinfo=UTC)


def ticket(web: Web, created: datetime, **values: Any) -> int:
    """A ticket as it lies in the table. One that is resolved is so after its creation."""
    with web.desk.db.transaction() as s:
        ended = values.get("resolved_at")
        row: dict[str, Any] = {
            "subject": "Printer", "status": Status.RESOLVED if ended else Status.IN_PROGRESS, "priority": Priority.MEDIUM,
            "channel": Channel.MAIL, "requester_id": web.cast.carol.id, "created_at": created, "updated_at": created,
            "tags": [], "fields": {},
        }  # fmt: skip
        return int(s.execute(insert(Ticket).values(row | values).returning(Ticket.number)).scalar_one())


def clock(
    web: Web, number: int, metric: Metric, *, due: datetime, fulfilled: datetime | None = None, breached: bool = False
) -> None:
    """A clock that was decided."""
    with web.desk.db.transaction() as s:
        target = s.scalars(select(Target).where(Target.metric == metric).limit(1)).one()
        outcome = (Outcome.LATE if breached else Outcome.MET) if fulfilled else None
        row = {
            "ticket": number, "metric": metric, "cycle": 1, "state": State.STOPPED if fulfilled else State.RUNNING,
            "policy_id": target.policy_id, "policy_version": target.version, "priority": target.priority,
            "calendar_version_id": s.scalar(text("SELECT min(id) FROM calendar_version")), "target_seconds": target.seconds,
            "started_at": due - HOUR, "anchor_at": due - HOUR, "consumed": HOUR, "due_at": due, "fulfilled_at": fulfilled,
            "breached_at": due if breached else None, "outcome": outcome, "epoch": 0,
        }  # fmt: skip
        s.execute(insert(Clock).values(row))


def ask(program: TestClient, report: str, **params: Any) -> list[dict[str, Any]]:
    answer = program.get(f"{URL}/{report}", params={**DAYS, **params})
    assert answer.status_code == 200, answer.text
    REPORTS[report].model_validate(answer.json())
    rows: list[dict[str, Any]] = answer.json()["rows"]
    return rows


def by_key(rows: list[dict[str, Any]], figure: str) -> dict[Any, Any]:
    """The rows that have something."""
    return {row["key"]: row[figure] for row in rows if row[figure]}


def test_volume_counts_what_was_opened_and_resolved_in_each_period(web: Web) -> None:
    ticket(web, day(1), resolved_at=day(3))
    ticket(web, day(1))
    ticket(web, day(9), status=Status.CANCELLED, closed_at=day(9, 15))
    ticket(web, day(31, 23))
    ticket(web, day(1) - 24 * HOUR, resolved_at=day(4))
    ticket(web, day(31, 23) + HOUR)
    program = web.program(web.cast.bob)
    days = ask(program, "volume")
    assert len(days) == 31
    assert by_key(days, "opened") == {"2026-03-01": 2, "2026-03-09": 1, "2026-03-31": 1}
    assert by_key(days, "resolved") == {"2026-03-03": 1, "2026-03-04": 1}
    assert by_key(days, "closed") == {"2026-03-09": 1}
    weeks = ask(program, "volume", period="week")
    assert [row["key"] for row in weeks] == ["2026-03-01", "2026-03-02", "2026-03-09", "2026-03-16", "2026-03-23", "2026-03-30"]
    assert [row["opened"] for row in weeks] == [2, 0, 1, 0, 0, 1]
    assert [row["opened"] for row in ask(program, "volume", period="month")] == [4]


def test_days_begin_where_the_reader_lives(web: Web) -> None:
    ticket(web, day(10, 23))
    program = web.program(web.cast.bob)
    assert by_key(ask(program, "volume"), "opened") == {"2026-03-10": 1}
    assert by_key(ask(program, "volume", zone="Europe/Berlin"), "opened") == {"2026-03-11": 1}
    assert by_key(ask(program, "volume", zone="America/New_York"), "opened") == {"2026-03-10": 1}


def test_backlog_is_what_was_open_at_the_end(web: Web) -> None:
    ticket(web, day(1) - 100 * HOUR)
    ticket(web, day(2), resolved_at=day(5))
    ticket(web, day(4), status=Status.CLOSED, resolved_at=day(5), closed_at=day(20))
    ticket(web, day(6))
    program = web.program(web.cast.bob)
    days = {row["key"]: row["open"] for row in ask(program, "backlog")}
    assert [days[f"2026-03-0{n}"] for n in (1, 2, 3, 4, 5, 6)] == [1, 2, 2, 3, 1, 2]
    assert ask(program, "backlog", by="team") == [{"key": None, "name": None, "open": 2}]
    assert ask(program, "backlog", by="team", to="2026-03-04") == [{"key": None, "name": None, "open": 3}]


def test_times_are_percentiles_of_what_was_answered_or_resolved_then(web: Web) -> None:
    for hours in range(1, 101):
        ticket(web, day(1), first_replied_at=day(1) + hours * HOUR, resolved_at=day(1) + 2 * hours * HOUR)
    ticket(web, day(1))
    program = web.program(web.cast.bob)
    (first,) = ask(program, "first-response", by="priority")
    assert (first["key"], first["tickets"]) == ("medium", 100)
    assert [first[f"p{p}_seconds"] / 3600 for p in (50, 90, 95)] == [50.5, 90.1, 95.05]
    (resolved,) = ask(program, "resolution", by="priority")
    assert resolved["p50_seconds"] == 101 * 3600
    (soon,) = ask(program, "resolution", to="2026-03-01")
    assert (soon["tickets"], soon["p50_seconds"]) == (5, 6 * 3600)


def test_sla_counts_what_was_kept_and_what_was_not(web: Web) -> None:
    numbers = [ticket(web, day(1)) for _ in range(4)]
    clock(web, numbers[0], Metric.FIRST_RESPONSE, due=day(2), fulfilled=day(1, 14))
    clock(web, numbers[1], Metric.FIRST_RESPONSE, due=day(2), fulfilled=day(3), breached=True)
    clock(web, numbers[2], Metric.FIRST_RESPONSE, due=day(2), breached=True)
    clock(web, numbers[3], Metric.FIRST_RESPONSE, due=day(2))
    clock(web, numbers[0], Metric.RESOLUTION, due=day(9), fulfilled=day(8))
    found = {row["metric"]: row for row in ask(web.program(web.cast.bob), "sla", by="team")}
    figures = ("met", "late", "missed", "open_breached", "attainment")
    assert [found["first_response"][name] for name in figures] == [1, 1, 0, 1, 0.3333]
    assert [found["resolution"][name] for name in figures] == [1, 0, 0, 0, 1.0]
    days = [(row["key"], row["metric"], row["met"]) for row in ask(web.program(web.cast.bob), "sla") if row["met"]]
    assert days == [("2026-03-01", "first_response", 1), ("2026-03-08", "resolution", 1)]


def test_sla_counts_what_ended_without_either_and_breaches_that_were_taken_back(web: Web) -> None:
    numbers = [ticket(web, day(1)) for _ in range(5)]
    for number in numbers:
        clock(web, number, Metric.FIRST_RESPONSE, due=day(9))
    clock(web, numbers[0], Metric.RESOLUTION, due=day(9), fulfilled=day(8))
    outcomes = (Outcome.CLOSED_UNANSWERED, Outcome.NO_POLICY, Outcome.ENDED, Outcome.MERGED, None)
    with web.desk.db.transaction() as s:
        for number, outcome in zip(numbers, outcomes, strict=True):
            s.execute(update(Clock).where(Clock.ticket == number, Clock.metric == "first_response").values(outcome=outcome))
        resolved = s.scalars(select(Clock).where(Clock.metric == "resolution", Clock.ticket == numbers[0])).one()
        told = {"clock_id": resolved.id, "cycle": 1, "kind": "breach", "threshold": "100%", "rearm": 0, "detail": {}}
        s.add(Happening(**told, at=day(5), detected_at=day(5)))
    found = {row["metric"]: row for row in ask(web.program(web.cast.bob), "sla", by="team")}
    figures = ("met", "unanswered", "cancelled", "taken_back", "attainment")
    assert [found["first_response"][name] for name in figures] == [0, 1, 2, 0, None]
    assert [found["resolution"][name] for name in figures] == [1, 0, 0, 1, 1.0]


def test_rows_are_for_teams_agents_organizations_tags_and_priorities(web: Web) -> None:
    people = web.cast
    with web.desk.db.transaction() as s:
        acme = s.scalars(select(Organization).where(Organization.name == "Acme")).one().id
    ticket(web, day(1), team_id=people.billing.id, assignee_id=people.erin.id, organization_id=acme, tags=["vpn", "mac"])
    ticket(web, day(1), team_id=people.billing.id, tags=["vpn"], priority=Priority.HIGH)
    ticket(web, day(1))
    program = web.program(people.bob)

    def found(by: str) -> list[tuple[object, object, int]]:
        return [(row["key"], row["name"], row["opened"]) for row in ask(program, "volume", by=by)]

    assert found("team") == [(people.billing.id, "Billing", 2), (None, None, 1)]
    assert found("agent") == [(None, None, 2), (people.erin.id, "Erin", 1)]
    assert found("organization") == [(None, None, 2), (acme, "Acme", 1)]
    assert found("tag") == [("vpn", "vpn", 2), (None, None, 1), ("mac", "mac", 1)]
    assert found("priority") == [("medium", "medium", 2), ("high", "high", 1)]


def test_they_are_of_the_tickets_that_are_asked_for(web: Web) -> None:
    people = web.cast
    with web.desk.db.transaction() as s:
        acme = s.scalars(select(Organization).where(Organization.name == "Acme")).one().id
    ticket(web, day(1), team_id=people.billing.id, assignee_id=people.erin.id, organization_id=acme, tags=["vpn"])
    ticket(web, day(1), priority=Priority.URGENT)
    program = web.program(people.bob)
    for given in ({"team_id": people.billing.id}, {"assignee_id": people.erin.id}, {"organization_id": acme}, {"tag": "vpn"}):
        assert sum(row["opened"] for row in ask(program, "volume", **given)) == 1
    assert sum(row["opened"] for row in ask(program, "volume", priority="urgent")) == 1
    assert sum(row["opened"] for row in ask(program, "volume", tag="vpn", priority="urgent")) == 0


@pytest.mark.parametrize("by", ["period", "team", "agent", "organization", "tag", "priority"])
@pytest.mark.parametrize("report", REPORTS)
def test_agents_are_told_of_their_teams_alone_and_nobody_of_trash_and_merged_ones(web: Web, report: str, by: str) -> None:
    people, when = web.cast, {"first_replied_at": day(3), "resolved_at": day(3)}
    into = ticket(web, day(1), **when)
    for values in ({"team_id": people.billing.id}, {"trashed_at": day(4)}, {"merged_into": into}):
        number = ticket(web, day(1), **when, **values)
        clock(web, number, Metric.RESOLUTION, due=day(5), fulfilled=day(3))
    clock(web, into, Metric.RESOLUTION, due=day(5), fulfilled=day(3))
    figure = {"volume": "opened", "backlog": "open", "sla": "met"}.get(report, "tickets")

    def count(person: Any) -> int:
        params = {"by": by, "to": "2026-03-02"} if report == "backlog" else {"by": by}
        rows = ask(web.program(person), report, **params)
        if report == "backlog":
            return int(rows[-1]["open"]) if by == "period" else sum(row["open"] for row in rows)
        return sum(row[figure] for row in rows)

    assert (count(people.alice), count(people.erin), count(people.bob), count(people.root)) == (1, 2, 2, 2)


@pytest.mark.parametrize("report", REPORTS)
def test_customers_get_none(web: Web, report: str) -> None:
    for person in (web.cast.carol, web.cast.dave, web.cast.mallory):
        assert web.program(person).get(f"{URL}/{report}").status_code == 403
    assert web.program().get(f"{URL}/{report}").status_code == 401


PROBES = ["' OR 1=1 --", "1; SELECT pg_sleep(5)", "{scope}", ":start", "%(limit)s", "tag'||pg_sleep(5)||'", "\\"]


@pytest.mark.parametrize("probe", PROBES)
def test_a_value_is_never_taken_for_sql(web: Web, probe: str) -> None:
    ticket(web, day(1), tags=[probe])
    program, began = web.program(web.cast.bob), time.monotonic()
    assert [row["key"] for row in ask(program, "volume", by="tag", tag=probe)] == [probe]
    for name in ("by", "period", "zone", "team_id", "assignee_id", "organization_id", "priority", "from", "to", "format"):
        assert program.get(f"{URL}/volume", params={name: probe}).status_code == 422
    assert program.get(f"{URL}/volume", params={probe: "1"}).status_code in {200, 422}
    assert time.monotonic() - began < 8


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"from": "2026-04-01", "to": "2026-03-01"}, "is after"),
        ({"from": "0001-01-01", "to": "0001-01-02"}, "from 1970"),
        ({"to": "0001-01-01"}, "from 1970"),
        ({"to": "9999-12-31"}, "2999"),
        ({"from": "2000-01-01", "to": "2026-01-01", "period": "month"}, "at most 3660 days"),
        ({"from": "2024-01-01", "to": "2026-01-01"}, "732 periods"),
        ({"zone": "Mars/Olympus"}, "no time zone"),
        ({"zone": "../../etc/passwd"}, "no time zone"),
        ({"zone": "Europe"}, "no time zone"),
        ({"zone": "a\0b"}, "no time zone"),
    ],
)
def test_what_can_not_be_reported_is_refused_in_words(web: Web, params: dict[str, str], words: str) -> None:
    answer = web.program(web.cast.bob).get(f"{URL}/volume", params=params)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


@pytest.mark.parametrize("report", REPORTS)
def test_a_report_is_one_statement_however_much_there_is(web: Web, reads: list[str], report: str) -> None:
    program = web.program(web.cast.bob)
    program.get(f"{URL}/{report}", params={**DAYS, "by": "tag"})
    before = len(reads)
    reads.clear()
    for number in range(12):
        ticket(web, day(1), tags=[f"tag{number}"], first_replied_at=day(2), resolved_at=day(2))
    program.get(f"{URL}/{report}", params={**DAYS, "by": "tag"})
    assert len(reads) == before <= 2


def test_a_report_that_takes_too_long_is_ended_and_says_so(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "_VOLUME", "SELECT NULL AS key, count(*) AS opened FROM pg_sleep(20)")
    hasty = Database(web.desk.db.dsn, patience=1)
    monkeypatch.setattr(web.desk.db, "reading", hasty.reading)
    answer = web.program(web.cast.bob).get(f"{URL}/volume")
    hasty.close()
    assert answer.status_code == 503
    assert "shorter time" in answer.json()["detail"]


def table(answer: Any) -> list[list[str]]:
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


def exports(web: Web) -> list[dict[str, Any]]:
    with web.desk.db.reading() as c:
        return [
            dict(row) for row in c.execute(text("SELECT actor_id, data FROM audit_event WHERE kind = 'export.made'")).mappings()
        ]


def test_a_table_is_given_to_who_wants_one_runs_nothing_and_is_recorded(web: Web) -> None:
    ticket(web, day(1), tags=["=HYPERLINK(1)"])
    program = web.program(web.cast.bob)
    asked = {**DAYS, "by": "tag"}
    ask(program, "volume")
    assert exports(web) == []
    rows = table(program.get(f"{URL}/volume", params={**asked, "format": "csv"}))
    assert rows == [["key", "name", "opened", "resolved", "closed"], ["'=HYPERLINK(1)", "'=HYPERLINK(1)", "1", "0", "0"]]
    assert table(program.get(f"{URL}/volume", params=asked, headers={"Accept": "text/csv"})) == rows
    assert [export["actor_id"] for export in exports(web)] == [web.cast.bob.id] * 2
    assert program.get(f"{URL}/volume", params={**asked, "format": "json"}, headers={"Accept": "text/csv"}).json()["rows"]


def test_tickets_are_exported_as_a_search_finds_them_and_that_is_recorded(web: Web) -> None:
    with web.desk.db.transaction() as s:
        now = database_now(s)
    numbers = [ticket(web, now - n * HOUR, subject=f"=cmd|' /C calc'!A{n}", tags=["@x", "vpn"]) for n in range(3)]
    ticket(web, now, team_id=web.cast.billing.id, subject="Not Alice's")
    rows = table(web.program(web.cast.alice).get("/api/v1/tickets.csv", params={"q": "tag:vpn", "sort": "-created"}))
    assert [int(row[0]) for row in rows[1:]] == numbers
    assert all(row[1].startswith("'=cmd") and row[10].startswith("'@x") for row in rows[1:])
    assert len(table(web.program(web.cast.bob).get("/api/v1/tickets.csv"))) == 5
    assert len(table(web.program(web.cast.alice).get("/api/v1/tickets.csv"))) == 4
    assert exports(web)[0] == {
        "actor_id": web.cast.alice.id, "data": {"what": "tickets", "form": "csv", "query": "tag:vpn"}
    }  # fmt: skip


def test_an_export_of_tickets_is_of_all_pages(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.web.api.exports.PAGE", 4)
    numbers = {ticket(web, day(1) + n * HOUR) for n in range(11)}
    rows = table(web.program(web.cast.bob).get("/api/v1/tickets.csv"))
    assert len(rows) == 12
    assert {int(row[0]) for row in rows[1:]} == numbers


def test_an_export_of_a_query_that_is_none_is_refused_and_not_recorded(web: Web) -> None:
    program = web.program(web.cast.alice)
    assert program.get("/api/v1/tickets.csv", params={"q": "status:nonsense"}).status_code == 422
    assert program.get("/api/v1/tickets.csv", params={"sort": "password_hash"}).status_code == 422
    assert web.program(web.cast.carol).get("/api/v1/tickets.csv").status_code == 403
    assert exports(web) == []

"""Each report is one statement. It counts the tickets that its reader may see; not those in the trash or merged into others."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from psycopg.errors import QueryCanceled
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from app.accounts.rules import Actor
from app.core.errors import Unavailable
from app.core.priority import Priority
from app.tickets.reports import rules
from app.tickets.reports.rules import By, Span

MOST_ROWS = 1000
TIMES = ("tickets", "p50_seconds", "p90_seconds", "p95_seconds")
KEPT = ("metric", "met", "late", "missed", "open_breached", "unanswered", "cancelled", "taken_back", "attainment")

# Which rows there are: the key's expression and the table that has its name.
_KEYS: Mapping[By, tuple[str, str | None]] = {
    By.PERIOD: ("width_bucket({moment}, CAST(:edges AS timestamptz[]))", None),
    By.TEAM: ("t.team_id", "SELECT name FROM team WHERE id = key"),
    By.AGENT: ("t.assignee_id", "SELECT name FROM person WHERE id = key"),
    By.ORGANIZATION: ("t.organization_id", "SELECT name FROM organization WHERE id = key"),
    By.TAG: ("each.tag", None),
    By.PRIORITY: ("t.priority", None),
}
_EACH_TAG = " CROSS JOIN LATERAL unnest(CASE t.tags WHEN '{}' THEN ARRAY[NULL::text] ELSE t.tags END) AS each(tag)"
_ENDED = "CASE WHEN t.status IN ('resolved', 'closed', 'cancelled') THEN coalesce(t.resolved_at, t.closed_at) END"
_NAMED = "SELECT found.*, ({names}) AS name FROM ({query}) AS found"

_VOLUME = """
    SELECT {key} AS key, count(*) FILTER (WHERE m.what = 1) AS opened, count(*) FILTER (WHERE m.what = 2) AS resolved,
           count(*) FILTER (WHERE m.what = 3) AS closed
    FROM ticket t CROSS JOIN LATERAL (VALUES (1, t.created_at), (2, t.resolved_at), (3, t.closed_at)) AS m(what, at){each}
    WHERE (t.created_at >= :start AND t.created_at < :end OR t.resolved_at >= :start AND t.resolved_at < :end
           OR t.closed_at >= :start AND t.closed_at < :end) AND m.at >= :start AND m.at < :end AND {scope}
    GROUP BY 1
"""
_BACKLOG = """
    SELECT {key} AS key, count(*) AS open FROM ticket t{each}
    WHERE t.created_at < :end AND coalesce({ended} >= :end, true) AND {scope}
    GROUP BY 1
"""
_BACKLOG_STEPS = """
    SELECT width_bucket(m.at, CAST(:edges AS timestamptz[])) AS key, sum(m.step) AS step
    FROM ticket t CROSS JOIN LATERAL (VALUES (t.created_at, 1), ({ended}, -1)) AS m(at, step)
    WHERE t.created_at < :end AND m.at < :end AND {scope}
    GROUP BY 1
"""
_TIME = """
    SELECT key, count(*) AS tickets, percentile_cont(ARRAY[0.5, 0.9, 0.95]) WITHIN GROUP (ORDER BY taken) AS taken
    FROM (
        SELECT {key} AS key, extract(epoch FROM {moment} - t.created_at)::float8 AS taken
        FROM ticket t{each} WHERE {moment} >= :start AND {moment} < :end AND {scope}
    ) AS each_ticket
    GROUP BY key
"""
# A clock counts for the moment at which it was decided: it was kept, it was breached, or it ended without either. A breach that
# another promise took back is counted beside what became of that clock in the end.
_SLA = """
    SELECT {key} AS key, c.metric, count(*) FILTER (WHERE c.outcome = 'met') AS met,
           count(*) FILTER (WHERE c.outcome = 'late') AS late,
           count(*) FILTER (WHERE c.breached_at IS NOT NULL AND c.outcome NOT IN ('met', 'late')) AS missed,
           count(*) FILTER (WHERE c.outcome IS NULL) AS open_breached,
           count(*) FILTER (WHERE c.breached_at IS NULL AND c.outcome = 'closed_unanswered') AS unanswered,
           count(*) FILTER (WHERE c.breached_at IS NULL AND c.outcome NOT IN ('met', 'late', 'closed_unanswered')) AS cancelled,
           count(*) FILTER (WHERE c.breached_at IS NULL AND EXISTS (
               SELECT FROM sla_event e WHERE e.clock_id = c.id AND e.kind = 'breach'
           )) AS taken_back
    FROM sla_clock c JOIN ticket t ON t.number = c.ticket{each}
    WHERE {moment} >= :start AND {moment} < :end AND (c.breached_at IS NOT NULL OR c.outcome NOT IN ('merged', 'trashed'))
          AND {scope}
    GROUP BY 1, 2
"""


@dataclass(frozen=True)
class Wanted:
    """What to report on: the days, the rows, and which tickets."""

    span: Span
    by: By
    team_id: int | None = None
    assignee_id: int | None = None
    organization_id: int | None = None
    tag: str | None = None
    priority: Priority | None = None


@dataclass(frozen=True)
class Report:
    """The rows, and whether there were more than a report has. Each has its key, its name and its figures."""

    wanted: Wanted
    figures: tuple[str, ...]
    rows: list[dict[str, Any]] = field(default_factory=list)
    more: bool = False


def volume(c: Connection, actor: Actor, wanted: Wanted) -> Report:
    """How many tickets were opened, resolved and closed in each period or group."""
    figures = ("opened", "resolved", "closed")
    found = _ask(c, actor, wanted, _VOLUME, moment="m.at")
    return _report(wanted, figures, found, sorted_by=sum)


def backlog(c: Connection, actor: Actor, wanted: Wanted) -> Report:
    """How many were open at the end of each period, or of each group at the end of the last day.

    By what tickets say today: one that was reopened counts as open all the time.
    """
    if wanted.by is not By.PERIOD:
        return _report(wanted, ("open",), _ask(c, actor, wanted, _BACKLOG, moment=""), sorted_by=sum)
    steps = [(row["key"], int(row["step"])) for row in _ask(c, actor, wanted, _BACKLOG_STEPS, moment="")]
    open_ = rules.running(steps, len(wanted.span.starts))
    rows = [_row(day.isoformat(), None, {"open": count}) for day, count in zip(wanted.span.starts, open_, strict=True)]
    return Report(wanted, ("open",), rows)


def first_response(c: Connection, actor: Actor, wanted: Wanted) -> Report:
    """How long people waited for a first answer, of the tickets that got one in this time."""
    return _times(c, actor, wanted, "t.first_replied_at")


def resolution(c: Connection, actor: Actor, wanted: Wanted) -> Report:
    """How long it took to resolve tickets, of those that were resolved in this time."""
    return _times(c, actor, wanted, "t.resolved_at")


def sla(c: Connection, actor: Actor, wanted: Wanted) -> Report:
    """What became of the promises that were kept or broken in this time, by metric."""
    found = _ask(c, actor, wanted, _SLA, moment="coalesce(c.breached_at, c.fulfilled_at, c.anchor_at)")
    for row in found:
        decided = row["met"] + row["late"] + row["missed"] + row["open_breached"]
        row["attainment"] = round(row["met"] / decided, 4) if decided else None
    return _report(wanted, KEPT, found, sorted_by=sum)


def _times(c: Connection, actor: Actor, wanted: Wanted, moment: str) -> Report:
    found = _ask(c, actor, wanted, _TIME, moment=moment)
    for row in found:
        row |= dict(zip(TIMES[1:], map(round, row.pop("taken")), strict=True))
    return _report(wanted, TIMES, found, sorted_by=lambda figures: next(iter(figures)))


def _ask(c: Connection, actor: Actor, wanted: Wanted, query: str, *, moment: str) -> list[dict[str, Any]]:
    """`query` with our own words filled in; every value is bound."""
    key, names = _KEYS[wanted.by]
    scope, values = _scope(actor, wanted)
    parts = {"key": key, "each": _EACH_TAG if wanted.by is By.TAG else "", "ended": _ENDED, "scope": scope, "moment": moment}
    for name, words in parts.items():
        query = query.replace(f"{{{name}}}", words)
    if names:
        query = _NAMED.replace("{names}", names).replace("{query}", query)
    edges = wanted.span.edges
    values |= {"start": edges[0], "end": edges[-1]} | ({"edges": list(edges)} if ":edges" in query else {})
    try:
        return [dict(row) for row in c.execute(text(query), values).mappings()]
    except OperationalError as wrong:
        if isinstance(wrong.orig, QueryCanceled):
            raise Unavailable("This report took too long. Ask for a shorter time, or about fewer tickets.") from None
        raise


def _scope(actor: Actor, wanted: Wanted) -> tuple[str, dict[str, Any]]:
    """The condition on a ticket. The first part of it is `queries.visible_to` for the staff; nobody else gets here."""
    conditions = ["t.trashed_at IS NULL", "t.merged_into IS NULL"]
    values: dict[str, Any] = {}

    def put(condition: str, name: str, value: Any) -> None:
        if value is not None:
            conditions.append(condition)
            values[name] = value

    if not actor.role.manages:
        put("(t.team_id IS NULL OR t.team_id = ANY(CAST(:teams AS bigint[])))", "teams", sorted(actor.teams))
    put("t.team_id = :team_id", "team_id", wanted.team_id)
    put("t.assignee_id = :assignee_id", "assignee_id", wanted.assignee_id)
    put("t.organization_id = :organization_id", "organization_id", wanted.organization_id)
    put("t.tags @> ARRAY[CAST(:tag AS text)]", "tag", wanted.tag)
    put("t.priority = :priority", "priority", wanted.priority and wanted.priority.value)
    return " AND ".join(conditions), values


def _report(wanted: Wanted, figures: tuple[str, ...], found: list[dict[str, Any]], *, sorted_by: Any) -> Report:
    if wanted.by is By.PERIOD:
        return Report(wanted, figures, list(_each_period(wanted.span, figures, found)))

    def size(row: dict[str, Any]) -> Any:
        return -sorted_by(value for name, value in row.items() if name in figures and isinstance(value, int)), str(row["key"])

    rows = [_row(row["key"], _name(row), _figures(row, figures)) for row in sorted(found, key=size)]
    return Report(wanted, figures, rows[:MOST_ROWS], len(rows) > MOST_ROWS)


def _each_period(span: Span, figures: tuple[str, ...], found: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """One row for each period, also where nothing happened; of a report by metric as many as there are metrics."""
    by_period: dict[int, list[dict[str, Any]]] = {}
    for row in found:
        by_period.setdefault(row["key"], []).append(row)
    for number, day in enumerate(span.starts, 1):
        for row in by_period.get(number, [{}] if "metric" not in figures else []):
            yield _row(day.isoformat(), None, _figures(row, figures))


def _figures(row: Mapping[str, Any], figures: tuple[str, ...]) -> dict[str, Any]:
    return {name: row.get(name, None if name.endswith("_seconds") else 0) for name in figures}


def _name(row: Mapping[str, Any]) -> str | None:
    found: str | None = row["name"] if "name" in row else row["key"]
    return found


def _row(key: Any, name: str | None, figures: Mapping[str, Any]) -> dict[str, Any]:
    return {"key": key, "name": name, **figures}

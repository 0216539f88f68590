"""`scripts/bench sla`: how late deadlines are noticed among a million open clocks, and what it costs while nothing is due.

PostgreSQL runs in a container beside two real workers. Lateness is counted to the instant of the commit that noticed, as
PostgreSQL keeps it (track_commit_timestamp), not to what the worker says of itself.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import event, update

from app import config
from app.core.priority import Priority
from app.db.session import Database, now
from app.ops import migrate
from app.outbox.house import House, house
from app.sla import actions as sla
from app.sla import ladder, policies, queries, rebuild
from app.sla.models import Rebuild
from app.sla.rules import Metric
from app.tickets import deadlines, escalating, facts, planned, snooze
from scripts.load.__main__ import DATABASE, ROOT, lived_in, postgres

BENCH = (1, "bench")
DAYS = 30  # of every target: nothing falls due by itself while we measure
# What is promised, at most.
PROMISED = {
    "idle_ms": 1.0,
    "sequential_scans": 0.0,
    "late_p50_ms": 20.0,
    "late_p99_ms": 250.0,
    "late_max_ms": 1200.0,
    "burst_s": 5.0,
    "depth": 1.5,
    "policy_edit_s": 60.0,
    "false_breaches": 0.0,
    "worker_mb": 80.0,
}
# A tenth of the tickets hurries, and has a policy of its own.
FILL = """
INSERT INTO person (email, name, role, created_at) VALUES ('manager@desk.example', 'Bob', 'manager', now());
INSERT INTO person (email, name, role, created_at)
SELECT 'customer' || n || '@example.org', 'Customer ' || n, 'customer', now() FROM generate_series(1, 1000) n;
INSERT INTO ticket (number, subject, status, priority, channel, requester_id, created_at, updated_at, accepted_at)
SELECT n, 'Question ' || n, 'accepted', CASE WHEN n % 10 = 0 THEN 'high' ELSE 'medium' END, 'mail', 2 + n % 1000,
    now(), now(), now()
FROM generate_series(1, {tickets}) n;
INSERT INTO sla_clock (ticket, metric, cycle, state, policy_id, policy_version, priority, calendar_version_id, target_seconds,
    started_at, anchor_at, consumed, due_at, next_at, next_threshold, epoch)
SELECT number, metric, 1, 'running', policy_id, g.version, t.priority, (SELECT max(id) FROM calendar_version), seconds, at, at,
    '0 s', at + seconds * interval '1 s', at + seconds * interval '0.75 s', '75%', 1
FROM (SELECT number, priority, now() - number % 100000 * interval '1 s' AS at FROM ticket) t
JOIN sla_policy p ON p.name = CASE t.priority WHEN 'high' THEN 'Gold' ELSE 'Standard' END
JOIN sla_target g ON g.policy_id = p.id AND g.version = p.version AND g.priority = t.priority
    AND metric IN ('first_response', 'resolution');
SELECT setval(pg_get_serial_sequence('ticket', 'number'), {tickets});
"""
# From then on as if the warning had been told long ago: the breach is what comes next, at its instant.
DUE = """
WITH due AS (
    SELECT id, %(first)s::timestamptz + (row_number() OVER (ORDER BY id) - 1) * %(apart)s::interval AS at
    FROM (SELECT id FROM sla_clock WHERE id > %(after)s ORDER BY id LIMIT %(many)s) few
), moved AS (
    UPDATE sla_clock c SET started_at = d.at - c.target_seconds * interval '1 s', due_at = d.at, next_at = d.at,
        anchor_at = d.at - c.target_seconds * interval '1 s', next_threshold = '100%%', dealt = '{75%%}'
    FROM due d WHERE c.id = d.id RETURNING c.id
) SELECT max(id) FROM moved
"""
LATE = """
SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin) - at)::float8 FROM sla_event WHERE kind = 'breach' AND at >= %(first)s
"""


@dataclass
class Desk:
    """A database with so many open clocks; those with an id of up to `used` have fallen due already."""

    dsn: str
    environ: dict[str, str]
    used: int = 0

    def ask(self, query: str, **values: Any) -> list[Any]:
        with psycopg.connect(self.dsn, autocommit=True) as c:
            return [row[0] for row in c.execute(query, values)]

    def due(self, many: int, *, after: float, apart: float) -> datetime:
        """Let so many more clocks fall due `apart` seconds from each other, and answer the first one's instant."""
        [first] = self.ask("SELECT now() + %(after)s * interval '1 s'", after=after)
        step = {"first": first, "apart": timedelta(seconds=apart), "after": self.used, "many": many}
        [self.used] = self.ask(DUE, **step)
        return first  # type: ignore[no-any-return]

    def lateness(self, first: datetime, many: int, *, most: float) -> list[float]:
        """Seconds from each instant since `first` to the commit that noticed it, once there are so many."""
        until = time.monotonic() + most
        while len(found := self.ask(LATE, first=first)) < many:
            if time.monotonic() > until:
                sys.exit(f"only {len(found)} of {many} deadlines were noticed within {most:.0f} s")
            time.sleep(0.2)
        return found

    @contextmanager
    def working(self, many: int = 2) -> Iterator[list[int]]:
        """So many workers, warm: their processes' ids."""
        command = [sys.executable, "-m", "app.entry.sla_worker"]
        started = [subprocess.Popen(command, env={**os.environ, **self.environ}, cwd=ROOT) for _ in range(many)]
        try:
            self.lateness(self.due(many * 20, after=0.5, apart=0.01), many * 20, most=60)
            yield [one.pid for one in started]
        finally:
            for one in started:
                one.send_signal(signal.SIGTERM)
            for one in started:
                one.wait(20)


@contextmanager
def made(clocks: int, folder: Path) -> Iterator[Desk]:
    """A database of its own, with so many clocks that run round the clock under one policy."""
    name = f"sla_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(f"{DATABASE}/postgres", autocommit=True) as c:
        c.execute(f"CREATE DATABASE {name}")
    dsn = f"{DATABASE}/{name}"
    desk = Desk(dsn, lived_in(folder, dsn) | {"SLA_CHECK_INTERVAL": "3600"})
    migrate.up(desk.dsn)
    db = Database(desk.dsn, pool=1)
    with db.transaction() as s:
        sla.ensure_defaults(s, now=now(s))
        standard, terms = queries.policies(s)[0].id, promised(DAYS)
        policies.change(s, policies.held(s, standard), {"targets": terms}, by=BENCH, now=now(s))
        policies.add(s, {"name": "Gold", "match": {"priority": ["high"]}, "targets": terms}, by=BENCH, now=now(s))
        s.execute(update(Rebuild).values(ended_at=now(s)))
    db.close()
    with psycopg.connect(desk.dsn, autocommit=True) as c:
        c.execute("SET session_replication_role = replica")
        for statement in filter(str.strip, FILL.format(tickets=clocks // 2).split(";\n")):
            c.execute(statement)
        c.execute("VACUUM ANALYZE")
        c.execute("CHECKPOINT")
    yield desk
    with psycopg.connect(f"{DATABASE}/postgres", autocommit=True) as c:
        c.execute(f"DROP DATABASE {name} WITH (FORCE)")


def promised(days: int) -> dict[str, dict[str, int]]:
    """Targets of so many days for everything."""
    return {metric: dict.fromkeys(Priority, days * 86400) for metric in (Metric.FIRST_RESPONSE, Metric.RESOLUTION)}


def sweep(desk: Desk) -> tuple[float, int]:
    """Milliseconds of the database that a sweep takes while nothing is due (planning and execution of each of its statements,
    medians of some), and how many sequential scans of large tables are in it.
    """
    said: list[tuple[str, Any]] = []
    db = Database(desk.dsn, pool=1)

    def listen(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        said.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", listen)
    for _ in range(2):  # what is asked once for a whole process is no part of a sweep
        said.clear()
        nothing_due(db, house(config.load(desk.environ)))
    db.close()
    total, scans = 0.0, 0
    with psycopg.connect(desk.dsn, autocommit=True) as c:
        large = {row[0] for row in c.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > 1000")}
        for statement, parameters in said:
            explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"
            plans = [row[0][0] for _ in range(9) for row in c.execute(explain, parameters)]
            total += statistics.median(plan["Planning Time"] + plan["Execution Time"] for plan in plans)
            scans += sum(table in large for table in scanned(plans[0]["Plan"]))
    return total, scans


def scanned(plan: dict[str, Any]) -> Iterator[str]:
    """The tables that a plan reads from end to end."""
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for part in plan.get("Plans", ()):
        yield from scanned(part)


def nothing_due(db: Database, here: House) -> None:
    """What a worker asks each time it looks."""
    with db.transaction() as s:
        if deadlines.process_due(s) or escalating.tell_due(s, here, UTC):
            sys.exit("something is due that should not be")
    with db.transaction() as s:
        snooze.wake_due(s)
    with db.transaction() as s:
        for each in (sla, ladder, snooze, planned):
            each.seconds_until_next(s)
    with db.transaction() as s:
        rebuild.step(s, facts.of_many)


def spread(desk: Desk) -> tuple[float, float, float]:
    """Lateness in ms, median, 99th percentile and worst, of 200 deadlines a second for a minute."""
    many = 200 * 60
    late = desk.lateness(desk.due(many, after=5, apart=1 / 200), many, most=180)
    return statistics.median(late) * 1000, statistics.quantiles(late, n=100)[-1] * 1000, max(late) * 1000


def burst(desk: Desk) -> float:
    """Seconds from one instant at which 10,000 are due until all are noticed."""
    return max(desk.lateness(desk.due(10_000, after=5, apart=0), 10_000, most=180))


def full_sweep(desk: Desk) -> float:
    """Seconds that one pass over 200 due clocks takes (median of some)."""
    db, times = Database(desk.dsn, pool=1), []
    for _ in range(9):
        desk.due(200, after=-1, apart=0)
        began = time.perf_counter()
        with db.transaction() as s:
            if len(deadlines.process_due(s)) != 200:
                sys.exit("a pass did not take the 200 that were due")
        times.append(time.perf_counter() - began)
    db.close()
    return statistics.median(times)


def edit(desk: Desk) -> tuple[float, float]:
    """Seconds until a shorter promise has reached the tenth of all clocks that it is for, and breaches it raised: all false."""
    db = Database(desk.dsn, pool=1)
    with db.transaction() as s:
        began = now(s)
        gold = next(policy.id for policy in queries.policies(s) if policy.name == "Gold")
        policies.change(s, policies.held(s, gold), {"targets": promised(DAYS - 1)}, by=BENCH, now=began)
    db.close()
    until = time.monotonic() + 600
    while desk.ask("SELECT id FROM sla_rebuild WHERE ended_at IS NULL"):
        if time.monotonic() > until:
            sys.exit("the clocks were not reckoned again within ten minutes")
        time.sleep(0.1)
    [seconds] = desk.ask("SELECT extract(epoch FROM max(ended_at) - %(began)s)::float8 FROM sla_rebuild", began=began)
    [left] = desk.ask("SELECT count(*) FROM sla_clock c JOIN sla_policy p ON p.id = c.policy_id AND p.version > c.policy_version")
    if left:
        sys.exit(f"{left} clocks still go by what was promised before")
    [false] = desk.ask("SELECT count(*) FROM sla_event WHERE kind = 'breach' AND detected_at >= %(began)s", began=began)
    return seconds, false


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench sla", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--clocks", type=int, default=1_000_000)
    given = parser.parse_args()
    found: dict[str, float] = {}

    def tell(**figures: float) -> None:
        for name, value in figures.items():
            found[name] = round(value, 2)
            print(f"{name:<20} {value:10.2f}   {PROMISED[name]:g} promised at most", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as name, postgres(track_commit_timestamp="on"):
        folder = Path(name)
        with made(10_000, folder) as small:
            little = full_sweep(small)
        with made(given.clocks, folder) as desk:
            idle, scans = sweep(desk)
            tell(idle_ms=idle, sequential_scans=scans, depth=full_sweep(desk) / little)
            with desk.working() as workers:
                seconds, false = edit(desk)
                tell(policy_edit_s=seconds, false_breaches=false)
                p50, p99, worst = spread(desk)
                tell(late_p50_ms=p50, late_p99_ms=p99, late_max_ms=worst)
                tell(burst_s=burst(desk))
                tell(worker_mb=max(held(one) for one in workers))
    if given.json:
        print(json.dumps(found, indent=2))
    short = [name for name, value in found.items() if value > PROMISED[name]]
    print(f"short of what is promised: {', '.join(short)}" if short else "every figure is as promised", file=sys.stderr)
    return 1 if short else 0


def held(process: int) -> float:
    """MB that a process holds, as proportional set size: what several share is counted once."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


if __name__ == "__main__":
    sys.exit(main())

"""What waits in the tables, how PostgreSQL and Redis are, and how often programs were started anew, for Prometheus.

Asked when it is scraped, and never by health. Whatever does not answer is left out: that it is down is health's to say.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psycopg
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from psycopg.rows import namedtuple_row

from app.config import Settings
from app.core import clock
from app.db.redis import Counters
from app.db.session import Database, DatabaseGone
from app.ops import queues

CONNECTION_STATES = ("active", "idle", "idle in transaction", "other")
_OPTIONS = "-c statement_timeout=5s -c default_transaction_read_only=on"
_SERVER = """
    SELECT pg_database_size(current_database()) AS size, deadlocks, xact_commit, xact_rollback,
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS most,
        coalesce((SELECT extract(epoch FROM max(clock_timestamp() - xact_start)) FROM pg_stat_activity
            WHERE backend_type = 'client backend' AND datname = current_database() AND pid <> pg_backend_pid()), 0) AS longest
    FROM pg_stat_database WHERE datname = current_database()
    """
_CONNECTIONS = "SELECT coalesce(state, 'other'), count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' GROUP BY 1"


class Stores(Collector):
    """What the desk keeps its things in."""

    def __init__(self, settings: Settings, db: Database, counters: Counters) -> None:
        self._settings, self._db, self._counters = settings, db, counters

    def collect(self) -> Iterator[Metric]:
        with suppress(DatabaseGone):
            yield from self._queues()
        with suppress(psycopg.Error):
            yield from self._database()
        yield from self._redis()
        yield from self._starts()

    def _queues(self) -> Iterator[Metric]:
        with self._db.reading() as c:
            found = queues.all_of(c)
        now = clock.now()
        waiting = GaugeMetricFamily("atum_queue_waiting", "What waits to be done, its time come or not.", labels=["queue"])
        due = GaugeMetricFamily("atum_queue_due", "What could be done by now.", labels=["queue"])
        late = GaugeMetricFamily("atum_queue_late_seconds", "How long the first that is due has been so.", labels=["queue"])
        held = GaugeMetricFamily("atum_queue_held", "What waits for a person.", labels=["queue"])
        for queue in found:
            name = [queue.name.replace(" ", "_")]
            waiting.add_metric(name, queue.waiting)
            due.add_metric(name, queue.due)
            late.add_metric(name, queue.late_by(now))
            held.add_metric(name, queue.held)
        yield from (waiting, due, late, held)

    def _database(self) -> Iterator[Metric]:
        """As the owner of the tables: the desk's own role is not told what others do."""
        with psycopg.connect(self._settings.database_dsn, connect_timeout=2, options=_OPTIONS) as c:
            server: Any = psycopg.Cursor(c, row_factory=namedtuple_row).execute(_SERVER).fetchone()
            states = dict.fromkeys(CONNECTION_STATES, 0)
            for state, count in c.execute(_CONNECTIONS).fetchall():
                states[state if state in states else "other"] += count
        connections = GaugeMetricFamily("atum_database_connections", "Connections to PostgreSQL.", labels=["state"])
        for state, count in states.items():
            connections.add_metric([state.replace(" ", "_")], count)
        yield connections
        yield GaugeMetricFamily("atum_database_connections_limit", "How many there may be.", value=server.most)
        yield GaugeMetricFamily("atum_database_size_bytes", "How large the database is.", value=server.size)
        yield GaugeMetricFamily(
            "atum_database_longest_transaction_seconds", "How long the oldest one is open.", value=float(server.longest)
        )
        yield CounterMetricFamily("atum_database_deadlocks", "Deadlocks that PostgreSQL ended.", value=server.deadlocks)
        ends = CounterMetricFamily("atum_database_transactions", "Transactions that ended.", labels=["end"])
        ends.add_metric(["commit"], server.xact_commit)
        ends.add_metric(["rollback"], server.xact_rollback)
        yield ends

    def _redis(self) -> Iterator[Metric]:
        told = self._counters.told()
        if told is None:
            return
        used, most = float(told["used_memory"]), float(told.get("maxmemory", 0))
        yield GaugeMetricFamily("atum_redis_memory_bytes", "Memory that Redis uses for what it keeps.", value=used)
        yield GaugeMetricFamily("atum_redis_memory_limit_bytes", "How much it may use; 0 for no limit.", value=most)
        yield GaugeMetricFamily("atum_redis_clients", "Connections to Redis.", value=float(told["connected_clients"]))
        evicted = float(told["evicted_keys"])
        yield CounterMetricFamily("atum_redis_evicted_keys", "What Redis threw away because it was full.", value=evicted)

    def _starts(self) -> Iterator[Metric]:
        """What the listener counts; nothing where there is none, as in `atum dev`."""
        try:
            starts = json.loads((self._settings.run_dir / "starts.json").read_text())
            ready_at = (self._settings.app_run / "ready").stat().st_mtime
        except (OSError, ValueError):
            return
        family = CounterMetricFamily("atum_program_restarts", "How often a program was started anew.", labels=["program"])
        for program, count in starts.items():
            family.add_metric([program], max(count - 1, 0))
        yield family
        yield GaugeMetricFamily("atum_ready_timestamp_seconds", "When the desk became ready.", value=ready_at)

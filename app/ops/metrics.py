"""The desk's figures for Prometheus: what its processes count as they go, and how its parts are when somebody asks."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from app import __version__
from app.config import Settings
from app.intake.rules.states import MailboxState
from app.ops.health import DEGRADED, DOWN, OK, Report
from app.ops.lateness import LATENESS
from app.ops.requests import REQUESTS
from app.ops.stores import Stores

PART_STATES = (OK, DEGRADED, DOWN)
MAILBOX_STATES = (*(state.value for state in MailboxState), "paused")
_FIGURES = {  # what a part knows of itself: what it is called here, and in words
    ("disk", "free_bytes"): ("atum_disk_free_bytes", "Free room on the disk of /data."),
    ("backup", "age"): ("atum_backup_age_seconds", "How long ago the last backup that can be relied on was begun."),
    ("outbox", "waiting"): ("atum_outbox_waiting", "Letters that wait to be sent."),
    ("outbox", "unknown"): ("atum_outbox_unknown", "Letters of which nobody knows whether they left."),
    ("api", "workers"): ("atum_api_workers", "Processes of the API that are alive."),
}


def folder(settings: Settings) -> Path:
    """Where the processes of an image keep their counts."""
    return settings.app_run / "metrics"


def exposed(settings: Settings, report: Report, stores: Stores) -> bytes:
    """All figures, in Prometheus' text format 0.0.4."""
    registry = CollectorRegistry()
    registry.register(_Desk(report))
    registry.register(stores)
    if folder(settings).is_dir():
        MultiProcessCollector(registry, path=str(folder(settings)))  # type: ignore[no-untyped-call]
    else:  # one process, as in `atum dev`
        registry.register(LATENESS)
        registry.register(REQUESTS)
    return generate_latest(registry)


class _Desk(Collector):
    """How the parts are."""

    def __init__(self, report: Report) -> None:
        self._at = report.at
        self._figures: dict[str, dict[str, Any]] = {name: part.figures or {} for name, part in report.parts.items()}
        self._states = {name: part.status for name, part in report.parts.items()}

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("atum_build", "Which version this is.", {"version": __version__})
        yield _states(
            "atum_component_state", "1 for the state that a part of the desk is in.", "component", self._states, PART_STATES
        )
        beats = {name: known["heartbeat_age"] for name, known in self._figures.items() if "heartbeat_age" in known}
        yield _gauges("atum_heartbeat_age_seconds", "How long ago a program gave its last sign of life.", "component", beats)
        for (part, figure), (name, words) in _FIGURES.items():
            value = self._figures.get(part, {}).get(figure)
            yield GaugeMetricFamily(name, words, value=None if value is None else float(value))
        days = self._figures.get("tls", {}).get("days_left")
        left = None if days is None else days * 86400.0
        yield GaugeMetricFamily("atum_certificate_left_seconds", "Until the certificate ends, in whole days.", value=left)
        oldest = self._age(self._figures.get("outbox", {}).get("oldest_since"))
        yield GaugeMetricFamily(
            "atum_outbox_oldest_seconds", "How long the oldest letter has waited; 0 for none.", value=oldest or 0.0
        )
        yield from self._mailboxes({row["name"]: row for row in self._figures.get("mailboxes", {}).get("each", ())})

    def _mailboxes(self, rows: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
        states = {name: row["state"] for name, row in rows.items()}
        read = {name: age for name, row in rows.items() if (age := self._age(row["last_ok_at"])) is not None}
        held = {name: row["quarantined"] for name, row in rows.items()}
        yield _states("atum_mailbox_state", "1 for the state that a mailbox is in.", "mailbox", states, MAILBOX_STATES)
        yield _gauges("atum_mailbox_age_seconds", "How long ago a mailbox was read without trouble.", "mailbox", read)
        yield _gauges("atum_mailbox_held", "Mails of a mailbox that wait for a person.", "mailbox", held)

    def _age(self, since: datetime | None) -> float | None:
        return max((self._at - since).total_seconds(), 0.0) if since else None


def _states(name: str, words: str, label: str, states: Mapping[str, str], known: Iterable[str]) -> Metric:
    """A row for each state that there is, so that an alert can name the one it means."""
    family = GaugeMetricFamily(name, words, labels=[label, "state"])
    for each, present in states.items():
        for state in known:
            family.add_metric([each, state], float(state == present))
    return family


def _gauges(name: str, words: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, words, labels=[label])
    for each, value in values.items():
        family.add_metric([each], float(value))
    return family

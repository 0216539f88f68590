"""The audit and the reports."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import Field

from app.audit.models import Event
from app.sla.rules import Metric
from app.tickets.reports.rules import By, Unit
from app.web.shapes import Answer, example


class AuditEntry(Answer):
    """One event. `hash` covers all of it and the hash of the event before."""

    seq: int
    at: datetime
    kind: Event
    actor_id: int | None
    actor: str
    ticket: int | None
    data: dict[str, Any]
    hash: str


class AuditEntries(Answer):
    """Events, the last one first; `next` leads to older ones."""

    model_config = Answer.model_config | example(
        items=[
            {
                "seq": 4711,
                "at": "2026-11-23T10:15:00.123456+00:00",
                "kind": "ticket.accepted",
                "actor_id": 3,
                "actor": "Alice <alice@desk.example>",
                "ticket": 123,
                "data": {"revision": 2},
                "hash": "5d41402abc4b2a76b9719d911017c5925d41402abc4b2a76b9719d911017c592",
            }
        ],
        next="4711",
    )
    items: list[AuditEntry]
    next: str | None


class Checkpoint(Answer):
    """Where the audit ended on a day, signed (Ed25519)."""

    day: date
    seq: int
    hash: str
    signature: str
    made_at: datetime


class Checkpoints(Answer):
    """The signed checkpoints, the last one first, and the public key that their signatures are checked with."""

    items: list[Checkpoint]
    next: str | None
    public_key: str | None


class Asked(Answer):
    """What a report was asked for. `more` where it has more rows than the 1,000 largest, which are shown."""

    model_config = Answer.model_config | {"populate_by_name": True}
    first: date = Field(alias="from")
    to: date
    zone: str
    by: By
    period: Unit
    more: bool


class Row(Answer):
    """A group: its key (an id, a tag, a priority, or a period's first day) and its name. Both are null for tickets of none."""

    key: int | str | None
    name: str | None


class VolumeRow(Row):
    """How many tickets were opened, resolved and closed."""

    opened: int
    resolved: int
    closed: int


class BacklogRow(Row):
    """How many tickets were open at the end."""

    open: int


class TimesRow(Row):
    """How long it took: half of the tickets at most `p50_seconds`, nine of ten at most `p90_seconds`, and so on."""

    tickets: int
    p50_seconds: int | None
    p90_seconds: int | None
    p95_seconds: int | None


class SlaRow(Row):
    """Promises kept in time (`met`), kept late, broken and never kept (`missed`), and broken and still open.

    Without a breach ended: `unanswered`, resolved without an answer, and `cancelled`, all others. `taken_back` are those of all
    these that were told as broken before a longer promise took that back.
    """

    metric: Metric
    met: int
    late: int
    missed: int
    open_breached: int
    unanswered: int
    cancelled: int
    taken_back: int
    attainment: float | None


class Volume(Asked):
    """How much came and went."""

    rows: list[VolumeRow]


class Backlog(Asked):
    """How much was left."""

    rows: list[BacklogRow]


class Times(Asked):
    """How long it took, of the tickets that were answered or resolved in this time."""

    rows: list[TimesRow]


class Sla(Asked):
    """What was kept of what was promised."""

    rows: list[SlaRow]


Format = Literal["json", "csv"]
ExportFormat = Literal["jsonl", "csv"]

"""What was promised, the clocks that hold the promises, and what became of them.

A clock's row carries its next moment under a partial index, so that a sweep costs nothing while nothing is due. Segments are
the raw truth it can be recomputed from; they are only ever added.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ARRAY, ForeignKey, ForeignKeyConstraint, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.priority import Priority
from app.db.types import Table, words
from app.hours.models import Calendar, CalendarVersion
from app.sla.rules import REOPEN_WINDOW, Ending, Kind, Merging, Metric, Outcome, Reopening, Start, State, Stretch

__all__ = [
    "Calendar",
    "CalendarVersion",
    "Clock",
    "Escalation",
    "Happened",
    "Happening",
    "HighWater",
    "Notice",
    "Policy",
    "Rebuild",
    "Recheck",
    "Segment",
    "Step",
    "Target",
]


class Policy(Table):
    """A set of promises. Policies are tried by `position`; the first whose `match` fits the ticket is its policy.

    `match` maps a fact's name to the words that fit (rules/policies); an empty one fits every ticket. An edit raises `version`.
    A deleted one stays for the clocks that were promised something by it.
    """

    __tablename__ = "sla_policy"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    position: Mapped[int]
    match: Mapped[dict[str, Any]]
    starts: Mapped[Start] = mapped_column(words(Start, "starts"))
    version: Mapped[int]
    active: Mapped[bool]
    reopening: Mapped[Reopening] = mapped_column(
        words(Reopening, "reopening"), server_default=Reopening.RESUME, default=Reopening.RESUME
    )
    reopen_window: Mapped[timedelta] = mapped_column(server_default=text("'14 days'"), default=REOPEN_WINDOW)
    merging: Mapped[Merging] = mapped_column(
        words(Merging, "merging"), server_default=Merging.UNCHANGED, default=Merging.UNCHANGED
    )
    changed_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]

    __table_args__ = (Index("sla_policy_name_key", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),)


class Target(Table):
    """What one version of a policy promises for one metric and priority; never updated.

    `seconds` are business seconds of the calendar, `thresholds` the names of what is told besides the breach (rules/thresholds);
    `pauses` names the ticket's statuses in which the clock stands still.
    """

    __tablename__ = "sla_target"
    policy_id: Mapped[int] = mapped_column(ForeignKey("sla_policy.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    metric: Mapped[Metric] = mapped_column(words(Metric, "metric"), primary_key=True)
    priority: Mapped[Priority] = mapped_column(words(Priority, "priority"), primary_key=True)
    seconds: Mapped[int]
    calendar_id: Mapped[int] = mapped_column(ForeignKey("calendar.id"))
    pauses: Mapped[list[Any]]
    thresholds: Mapped[list[Any]]


class Clock(Table):
    """One promise on one ticket: its `cycle`-th of this metric. Open as long as `outcome` is null. While the ticket is merged or
    in the trash (`merged`, `trashed`) nothing runs, and `state` is what it goes on with; so where no policy fits (`no_policy`),
    unless it ended meanwhile and is `cancelled` for good.

    `consumed` is the business time used up to `anchor_at`, where the present stretch began. `next_at` is the instant of
    `next_threshold`, the next one not dealt with; `dealt` are those that were. `promised_at` is when the
    promise became this one, if it was another before, or ceased; `epoch` counts the changes of the row.
    """

    __tablename__ = "sla_clock"
    id: Mapped[int] = mapped_column(primary_key=True)
    ticket: Mapped[int]
    metric: Mapped[Metric] = mapped_column(words(Metric, "metric"))
    cycle: Mapped[int]
    state: Mapped[State] = mapped_column(words(State, "state"))
    policy_id: Mapped[int]
    policy_version: Mapped[int]
    priority: Mapped[Priority] = mapped_column(words(Priority, "priority"))
    calendar_version_id: Mapped[int] = mapped_column(ForeignKey("calendar_version.id"))
    target_seconds: Mapped[int]
    started_at: Mapped[datetime]
    anchor_at: Mapped[datetime]
    consumed: Mapped[timedelta]
    due_at: Mapped[datetime | None]
    next_at: Mapped[datetime | None]
    next_threshold: Mapped[str | None]
    dealt: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}", default=list)
    fulfilled_at: Mapped[datetime | None]
    breached_at: Mapped[datetime | None]
    promised_at: Mapped[datetime | None]
    outcome: Mapped[Outcome | None] = mapped_column(words(Outcome, "outcome"))
    epoch: Mapped[int] = mapped_column(default=0)

    __table_args__ = (
        UniqueConstraint("ticket", "metric", "cycle"),
        ForeignKeyConstraint(
            ["policy_id", "policy_version", "metric", "priority"],
            ["sla_target.policy_id", "sla_target.version", "sla_target.metric", "sla_target.priority"],
        ),
        Index("sla_clock_due", "next_at", postgresql_where=text("next_at IS NOT NULL")),
        Index(
            "sla_clock_open", "id", postgresql_where=text("outcome IS NULL OR (outcome = 'no_policy' AND state <> 'cancelled')")
        ),
        Index("sla_clock_soonest_idx", "due_at", "ticket", postgresql_where=text("outcome IS NULL AND due_at IS NOT NULL")),
        {"postgresql_with": {"fillfactor": 80, "autovacuum_vacuum_scale_factor": 0.02}},
    )


class Segment(Table):
    """A finished stretch [from_at, to_at) of a clock's life, in wall-clock time. The present one is the clock's anchor."""

    __tablename__ = "sla_segment"
    clock_id: Mapped[int] = mapped_column(ForeignKey("sla_clock.id"), primary_key=True)
    from_at: Mapped[datetime] = mapped_column(primary_key=True)
    to_at: Mapped[datetime]
    kind: Mapped[Stretch] = mapped_column(words(Stretch, "kind"))


class Happening(Table):
    """A threshold dealt with, once and for all: at which instant it fell (`at`) and when that was noticed."""

    __tablename__ = "sla_event"
    id: Mapped[int] = mapped_column(primary_key=True)
    clock_id: Mapped[int] = mapped_column(ForeignKey("sla_clock.id"))
    cycle: Mapped[int]
    kind: Mapped[Kind] = mapped_column(words(Kind, "kind"))
    threshold: Mapped[str]
    rearm: Mapped[int] = mapped_column(default=0)
    at: Mapped[datetime]
    detected_at: Mapped[datetime]
    detail: Mapped[dict[str, Any]]

    __table_args__ = (
        UniqueConstraint("clock_id", "cycle", "kind", "threshold", "rearm"),
        Index("sla_event_detected_idx", "detected_at"),
    )


class Happened(Table):
    """What happened to a ticket at one instant and matters to its clocks, in the order in which they heard of it.

    From these a life is reckoned again under other promises. `at` is what they were told, and may lie before the one before.
    Where a ticket was joined or parted, `older` is the life of its resolution: from when to when it did what (rows.packed).
    """

    __tablename__ = "sla_moment"
    id: Mapped[int] = mapped_column(primary_key=True)
    ticket: Mapped[int]
    moments: Mapped[list[str]] = mapped_column(ARRAY(Text))
    at: Mapped[datetime]
    older: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))

    __table_args__ = (Index("sla_moment_ticket_idx", "ticket", "id"),)


class HighWater(Table):
    """The latest time the database has had, to the minute: one row.

    Between `away_from` and `away_until` nobody looked at the clocks, the last time that this was so for long. `stepped_at` is
    when the database's clock was put last, `stepped_by` by how much.
    """

    __tablename__ = "sla_hwm"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    away_from: Mapped[datetime | None]
    away_until: Mapped[datetime | None]
    stepped_at: Mapped[datetime | None]
    stepped_by: Mapped[timedelta | None]


class Recheck(Table):
    """What the last full replay of all open clocks found: one row. `differing` is some of them, in words."""

    __tablename__ = "sla_recheck"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    finished_at: Mapped[datetime]
    differences: Mapped[int]
    differing: Mapped[list[Any]]


class Step(Table):
    """A rung of one version of a policy's ladder, in order of `position`; never updated. What its columns mean: rules/ladder."""

    __tablename__ = "sla_step"
    id: Mapped[int] = mapped_column(primary_key=True)
    policy_id: Mapped[int] = mapped_column(ForeignKey("sla_policy.id"))
    version: Mapped[int]
    position: Mapped[int]
    metric: Mapped[Metric] = mapped_column(words(Metric, "metric"))
    threshold: Mapped[str]
    recipients: Mapped[list[Any]]
    calendar_id: Mapped[int | None] = mapped_column(ForeignKey("calendar.id"))
    repeat: Mapped[timedelta | None]
    most: Mapped[int]

    __table_args__ = (UniqueConstraint("policy_id", "version", "position"),)


class Escalation(Table):
    """A step that is taken because a threshold fell. `next_at` is when it is told next, if it is; `times` how often it was."""

    __tablename__ = "sla_escalation"
    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("sla_event.id"))
    step_id: Mapped[int] = mapped_column(ForeignKey("sla_step.id"))
    clock_id: Mapped[int] = mapped_column(ForeignKey("sla_clock.id"))
    ticket: Mapped[int] = mapped_column(index=True)
    next_at: Mapped[datetime | None]
    times: Mapped[int]
    ended: Mapped[Ending | None] = mapped_column(words(Ending, "ended"))
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("event_id", "step_id"),
        Index("sla_escalation_due", "next_at", postgresql_where=text("next_at IS NOT NULL")),
        {"postgresql_with": {"autovacuum_vacuum_scale_factor": 0.02}},
    )


class Notice(Table):
    """That somebody was told: the `round`-th time, by the letter with `dedupe_key`. `because` says why it is them, where the step
    names others. The token of the link by which they acknowledge it is stored as its SHA-256. A webhook ("webhook:3") is told by
    the delivery numbered `delivery_id`, and gets no such link.
    """

    __tablename__ = "sla_notice"
    id: Mapped[int] = mapped_column(primary_key=True)
    escalation_id: Mapped[int] = mapped_column(ForeignKey("sla_escalation.id"))
    round: Mapped[int]
    address: Mapped[str]
    person_id: Mapped[int | None]
    dedupe_key: Mapped[str]
    token_hash: Mapped[bytes | None] = mapped_column(unique=True)
    delivery_id: Mapped[int | None]
    made_at: Mapped[datetime]
    because: Mapped[str | None]

    __table_args__ = (UniqueConstraint("escalation_id", "round", "address"),)


class Rebuild(Table):
    """Open clocks that are to be reckoned again: those under a promise that isn't the newest, or `everything`.

    All up to the one numbered `cursor` are done, but for those in `passed`, which somebody held. At the end those after
    `again_from` are looked at once more, when no transaction is left that is older than `fence`.
    """

    __tablename__ = "sla_rebuild"
    id: Mapped[int] = mapped_column(primary_key=True)
    everything: Mapped[bool]
    cursor: Mapped[int]
    passed: Mapped[list[Any]]
    fence: Mapped[int | None]
    again_from: Mapped[int | None]
    seen: Mapped[int]
    changed: Mapped[int]
    begun_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    __table_args__ = (Index("sla_rebuild_open_idx", "id", postgresql_where=text("ended_at IS NULL")),)

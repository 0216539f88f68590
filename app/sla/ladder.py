"""The ladder: who is told when a threshold falls, again and again until somebody acknowledges it.

A threshold that falls leaves an escalation for each step, in the transaction that noticed. Workers claim those that are due, and
write the letters and whom they go to in one transaction: whoever is killed has told nobody, and nobody is told twice.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Interval, func, select, text, type_coerce

from app.audit import actions as audit
from app.audit.models import Event
from app.core.errors import Invalid
from app.db.session import Session
from app.db.session import now as database_now
from app.hours import queries as hours
from app.hours.models import Calendar
from app.hours.rules import Always, Hours
from app.sla import queries, rules
from app.sla.models import Clock, Escalation, Happening, Notice, Step
from app.sla.rules import BREACH, Ending, Kind, Metric
from app.sla.rules.ladder import MOST_STEPS, BadStep, Rung, following, opening

PUT_OFF = timedelta(hours=1)  # for one that can't be told, or not now
ANYTIME = Always()


@dataclass(frozen=True)
class Call:
    """An escalation that is due, and all it takes to tell of it."""

    escalation: Escalation
    step: Step
    event: Happening
    clock: rules.Clock

    @property
    def round(self) -> int:
        return self.escalation.times + 1


@dataclass(frozen=True)
class Told:
    """Somebody a letter goes to, the key of that letter, and the fingerprint of the link in it; or a webhook and its delivery."""

    address: str
    dedupe_key: str
    person_id: int | None = None
    token_hash: bytes | None = None
    delivery_id: int | None = None


def checked(s: Session, rungs: Sequence[Rung], thresholds: Mapping[Metric, Collection[str]]) -> Sequence[Rung]:
    """Steps that can be taken, where these `thresholds` are told of each metric. Raises Invalid."""
    if len(rungs) > MOST_STEPS:
        raise Invalid(f"A ladder has at most {MOST_STEPS} steps.")
    for number, rung in enumerate(rungs, 1):
        try:
            rung.check()
        except BadStep as wrong:
            raise Invalid(f"Step {number}: {wrong}.") from None
        if rung.threshold != BREACH and rung.threshold not in thresholds.get(rung.metric, ()):
            raise Invalid(f"Step {number}: nothing is told of {rung.metric} at {rung.threshold}. Add it to its thresholds first.")
        if rung.calendar is not None and ((calendar := s.get(Calendar, rung.calendar)) is None or calendar.removed_at):
            raise Invalid(f"Step {number}: there is no calendar {rung.calendar}.")
    return rungs


def set_steps(s: Session, policy: int, version: int, rungs: Iterable[Rung]) -> None:
    """The ladder of a new version of a policy."""
    for position, rung in enumerate(rungs, 1):
        columns: dict[str, Any] = {"metric": rung.metric, "threshold": rung.threshold, "recipients": list(rung.recipients)}
        columns |= {"calendar_id": rung.calendar, "repeat": rung.repeat, "most": rung.most}
        s.add(Step(policy_id=policy, version=version, position=position, **columns))
    s.flush()


def copy_steps(s: Session, policy: int, *, before: int, after: int) -> None:
    """A new version that has the ladder of an older one."""
    set_steps(s, policy, after, rungs_of(s, policy, before))


def rungs_of(s: Session, policy: int, version: int) -> list[Rung]:
    """The ladder of one version of a policy."""
    query = select(Step).where(Step.policy_id == policy, Step.version == version).order_by(Step.position)
    return [
        Rung(step.metric, step.threshold, tuple(step.recipients), step.calendar_id, step.repeat, step.most)
        for step in s.scalars(query)
    ]


_BEGUN = text(
    """
    INSERT INTO sla_escalation (event_id, step_id, clock_id, ticket, next_at, times)
    SELECT e.id, st.id, c.id, c.ticket, now(), 0
    FROM sla_event e JOIN sla_clock c ON c.id = e.clock_id
    JOIN sla_step st ON st.policy_id = c.policy_id AND st.version = c.policy_version
                    AND st.metric = c.metric AND st.threshold = e.threshold
    WHERE e.id = ANY(:events) ORDER BY e.id, st.position
    ON CONFLICT (event_id, step_id) DO NOTHING
    """
)


def begin(s: Session, events: Collection[int]) -> None:
    """Take the steps for thresholds that fell, in the transaction that noticed them."""
    if events:
        s.execute(_BEGUN, {"events": list(events)})


def claim(s: Session, *, limit: int) -> list[Call]:
    """Escalations that are due by the database's time, the oldest first; those that somebody else has in hand are left out."""
    query = select(Escalation, Step, Happening, Clock).where(Escalation.next_at <= func.now())
    query = query.join(Step, Step.id == Escalation.step_id).join(Happening, Happening.id == Escalation.event_id)
    query = query.join(Clock, Clock.id == Escalation.clock_id).order_by(Escalation.next_at).limit(limit)
    held = query.with_for_update(of=Escalation, skip_locked=True).execution_options(populate_existing=True)
    rows = s.execute(held).all()
    clocks = queries.values(s, [row.Clock for row in rows])
    return [Call(row.Escalation, row.Step, row.Happening, c) for row, c in zip(rows, clocks, strict=True)]


def ready(s: Session, call: Call) -> bool:
    """Whether this is the time to tell of it; where it isn't, the time that is, or its end, is written down."""
    now, one = database_now(s), call.escalation
    if _over(call):
        end(one, Ending.OVER)
        return False
    if call.event.kind is Kind.WARNING and not call.clock.running:
        one.next_at = now + (call.step.repeat or PUT_OFF)
        return False
    opens = opening(_hours(s, call.step), now)
    if opens > now:
        one.next_at = opens
        return False
    return True


def told(s: Session, call: Call, to: Sequence[Told], because: str | None) -> None:
    """Write down whom the letters go to, and when it is told again."""
    now, one = database_now(s), call.escalation
    one.times += 1
    for each in to:
        s.add(Notice(escalation_id=one.id, round=one.times, made_at=now, because=because, **vars(each)))
    one.next_at = following(one.times, call.step.most, call.step.repeat, _hours(s, call.step), now)
    if one.next_at is None:
        one.ended = Ending.TOLD
    facts: dict[str, Any] = {"metric": call.clock.metric.value, "threshold": call.event.threshold, "round": one.times}
    audit.record(s, Event.SLA_ESCALATED, now=now, ticket=one.ticket, to=[each.address for each in to], because=because, **facts)


def put_off(s: Session, call: Call) -> None:
    """One that can't be told holds up nobody."""
    call.escalation.next_at = database_now(s) + PUT_OFF


def end(one: Escalation, ending: Ending) -> None:
    one.next_at, one.ended = None, ending


def acknowledge(s: Session, ticket: int, *, by: tuple[int, str] | str, now: datetime, of: Escalation | None = None) -> int:
    """Nobody is told again of what stands open on a ticket: by the link in a letter only of what that clock had told up to then.

    `by` is a person, or the address that the letter went to. Answers how many steps that ended; 0 where there was nothing open.
    """
    query = select(Escalation).where(Escalation.ticket == ticket, Escalation.acknowledged_at.is_(None))
    query = query.where(Escalation.ended.is_distinct_from(Ending.OVER))
    if of is not None:
        mine = select(Happening.at).where(Happening.id == of.event_id).scalar_subquery()
        query = query.join(Happening, Happening.id == Escalation.event_id)
        query = query.where(Escalation.clock_id == of.clock_id, Happening.at <= mine)
    held = query.order_by(Escalation.id).with_for_update(of=Escalation).execution_options(populate_existing=True)
    found = s.scalars(held).all()
    who, person = (by, None) if isinstance(by, str) else (by[1], by)
    for one in found:
        one.acknowledged_at, one.acknowledged_by = now, who
        end(one, Ending.ACKNOWLEDGED)
    if found:
        audit.record(s, Event.SLA_ACKNOWLEDGED, now=now, by=person, ticket=ticket, who=who, steps=len(found))
    return len(found)


def seconds_until_next(s: Session) -> float | None:
    """How long until somebody has to be told next; negative when that has passed, None when nobody has."""
    nearest = type_coerce(func.min(Escalation.next_at) - func.now(), Interval)
    wait = s.scalar(select(nearest).where(Escalation.next_at.is_not(None)))
    return None if wait is None else wait.total_seconds()


def _over(call: Call) -> bool:
    """Whether there is nothing to tell any more: the clock ended, the breach was taken back, or the warning's breach has come."""
    if not call.clock.open:
        return True
    return (call.event.kind is Kind.WARNING) == (call.clock.breached_at is not None)


def _hours(s: Session, step: Step) -> Hours:
    return hours.hours(s, step.calendar_id) if step.calendar_id is not None else ANYTIME

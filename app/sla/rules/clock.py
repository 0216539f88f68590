"""One clock: a promise that runs, pauses, is fulfilled or isn't. A value; every change makes a new one.

Stretches are half-open, [a, b): what is fulfilled at the very instant it is due was met. A clock that passed its due time keeps
that as `due_at` for good; one that stands still has none.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from app.core.priority import Priority
from app.hours.rules import NOTHING, Hours
from app.sla.rules.thresholds import BREACH, after_breach, point
from app.sla.rules.words import Kind, Metric, Outcome, State, Stretch

COLLAPSE = timedelta(seconds=1)  # a warning so close to the breach would only double it
REOPEN_WINDOW = timedelta(days=14)

_RUNNING = frozenset({State.RUNNING, State.BREACHED_OPEN})
_AWAY = frozenset({Outcome.MERGED, Outcome.TRASHED})


@dataclass(frozen=True)
class Goal:
    """What is promised: `target` of working time in these `hours`, and the `thresholds` that are told, in the order in which they
    fall; the breach is among them.

    `policy`, `version`, `priority` and `calendar` (a version's id) say where it stands written.
    """

    policy: int
    version: int
    priority: Priority
    calendar: int
    target: timedelta
    thresholds: tuple[str, ...]
    pauses: frozenset[str]
    hours: Hours = field(compare=False, repr=False)


@dataclass(frozen=True)
class Segment:
    """A finished stretch [from_at, to_at)."""

    from_at: datetime
    to_at: datetime
    kind: Stretch


@dataclass(frozen=True)
class Clock:
    """`consumed` is the working time used up to `anchor_at`, where the present stretch began.

    `next_threshold` is the next one not yet dealt with and `next_at` its instant, where there is one to wait for; `dealt` are
    those that were, under whichever promise. `promised_at` is when the promise became this one, if it was another before, or when
    there was none any more. While its ticket is away, or no policy fits, it keeps its `state`, to go on with. `previous` is the
    cycle before, where this one began with its end.
    """

    metric: Metric
    cycle: int
    goal: Goal
    started_at: datetime
    anchor_at: datetime
    state: State = State.RUNNING
    consumed: timedelta = NOTHING
    due_at: datetime | None = None
    next_at: datetime | None = None
    next_threshold: str | None = None
    dealt: tuple[str, ...] = ()
    fulfilled_at: datetime | None = None
    breached_at: datetime | None = None
    promised_at: datetime | None = field(default=None, compare=False)
    outcome: Outcome | None = None
    segments: tuple[Segment, ...] = ()
    previous: "Clock | None" = field(default=None, compare=False, repr=False)

    @property
    def open(self) -> bool:
        return self.outcome is None

    @property
    def away(self) -> bool:
        """Whether its ticket was merged or put in the trash while it was open."""
        return self.outcome in _AWAY

    @property
    def suspended(self) -> bool:
        """Whether nothing is promised because no policy fits, and it would go on if one did."""
        return self.outcome is Outcome.NO_POLICY and self.state is not State.CANCELLED

    @property
    def over(self) -> bool:
        return not self.open and not self.away

    @property
    def running(self) -> bool:
        return self.open and self.state in _RUNNING

    @property
    def stretch(self) -> Stretch:
        """What the span since the anchor counts as."""
        if self.away:
            return Stretch.AWAY
        if self.open or self.suspended:
            return Stretch.RUN if self.state in _RUNNING else Stretch.PAUSE
        return Stretch.RESOLVED

    @property
    def remaining(self) -> timedelta:
        """Working time left at the anchor."""
        return max(self.goal.target - self.consumed, NOTHING)


@dataclass(frozen=True)
class Dealt:
    """A threshold that was dealt with, and the instant it fell on."""

    kind: Kind
    threshold: str
    at: datetime


def start(metric: Metric, cycle: int, goal: Goal, at: datetime) -> Clock:
    """A clock that begins to run at `at`."""
    return _timed(Clock(metric, cycle, goal, at, at))


def pause(clock: Clock, at: datetime) -> Clock:
    """What was used is frozen; until it goes on there is no due time."""
    return _timed(replace(_closed(clock, at), state=State.PAUSED)) if clock.stretch is Stretch.RUN else clock


def resume(clock: Clock, at: datetime) -> Clock:
    """The rest is due from here."""
    return _go_on(_closed(clock, at)) if clock.stretch is Stretch.PAUSE else clock


def fulfil(clock: Clock, at: datetime) -> Clock:
    """What was promised was done."""
    if not clock.open:
        return _given_up(clock, at)
    done = _closed(clock, at)
    state, outcome = (State.STOPPED, Outcome.LATE) if done.breached_at else (State.MET, Outcome.MET)
    return _timed(replace(done, state=state, outcome=outcome, fulfilled_at=done.anchor_at))


def end(clock: Clock, at: datetime, outcome: Outcome) -> Clock:
    """It stops without having been fulfilled, and can't be missed any more."""
    return _timed(replace(_closed(clock, at), state=State.STOPPED, outcome=outcome)) if clock.open else _given_up(clock, at)


def set_aside(clock: Clock, at: datetime, outcome: Outcome) -> Clock:
    """Its ticket goes away and may come back: until then nothing of it runs, is missed or is told."""
    return _timed(replace(_closed(clock, at), outcome=outcome)) if clock.open else _given_up(clock, at)


def take_back(clock: Clock, at: datetime, goal: Goal | None) -> Clock:
    """It goes on where it stood when its ticket went away, under the promise of now."""
    if not clock.away:
        return clock
    back = replace(_closed(clock, at), outcome=None)
    return retarget(_timed(back) if back.state is State.PAUSED else _go_on(back), goal, at)


def revive(clock: Clock, at: datetime, goal: Goal | None) -> Clock:
    """It isn't over after all: it goes on with what was left, however long ago that was."""
    return retarget(_go_on(replace(_closed(clock, at), outcome=None, fulfilled_at=None)), goal, at)


def begin_at(clock: Clock, at: datetime, before: tuple[Segment, ...] = ()) -> Clock:
    """It counts from another instant: an earlier one, from which on it ran if no stretches `before` its start say otherwise, or a
    later one.
    """
    if not clock.open or at == clock.started_at:
        return clock
    led = before or (Segment(at, clock.started_at, Stretch.RUN),) if at < clock.started_at else ()
    kept = (Segment(max(s.from_at, at), s.to_at, s.kind) for s in clock.segments if s.to_at > at)
    return replay(replace(clock, started_at=at, segments=(*led, *kept)))


def until(clock: Clock, at: datetime) -> tuple[Segment, ...]:
    """Its stretches before `at`, the present one too."""
    present = Segment(clock.anchor_at, max(at, clock.anchor_at), clock.stretch)
    return tuple(Segment(s.from_at, min(s.to_at, at), s.kind) for s in (*clock.segments, present) if s.from_at < at)


def retarget(clock: Clock, goal: Goal | None, at: datetime) -> Clock:
    """Another promise, applied to an open clock from its start; without any promise it is cancelled, until there is one again.

    A breach that no longer is one is taken back; what was told is never told again.
    """
    if (goal == clock.goal or not clock.open) and not (goal and clock.suspended):
        return clock
    if goal is None:
        return _timed(replace(_closed(clock, at), outcome=Outcome.NO_POLICY, promised_at=at))
    fresh = replay(replace(clock, goal=goal, outcome=None, breached_at=None, promised_at=at))
    still_missed = clock.breached_at is not None and BREACH in clock.dealt and fresh.due_at is not None and fresh.due_at <= at
    return replay(replace(fresh, breached_at=fresh.due_at)) if still_missed else fresh


def fire(clock: Clock, now: datetime) -> tuple[Clock, list[Dealt]]:
    """The clock after everything up to `now` was dealt with, and what that was.

    Of several thresholds the highest is told, and the breach in any case.
    """
    if clock.next_at is None:
        return clock, []
    passed = [(name, at) for name in _untold(clock) if (at := _instant(clock, name)) <= now]
    if not passed:
        return _timed(clock), []
    dealt = [Dealt(_kind(clock, name, now, highest=name == passed[-1][0]), name, at) for name, at in passed]
    told = (*clock.dealt, *(name for name, _ in passed if name not in clock.dealt))
    missed_at = dict(passed).get(BREACH, clock.breached_at)
    state = State.BREACHED_OPEN if clock.running and missed_at else clock.state
    return _timed(replace(clock, state=state, breached_at=missed_at, dealt=told)), dealt


def replay(clock: Clock) -> Clock:
    """The clock worked out afresh from its start, its segments and what was told: the same, if nothing went wrong.

    Of what is promised nothing, what was missed stays what it was.
    """
    used, missed_at, anchor = NOTHING, None, clock.started_at
    hours, target = clock.goal.hours, clock.goal.target
    for segment in clock.segments:
        if segment.kind is Stretch.RUN:
            due = hours.deadline(segment.from_at, max(target - used, NOTHING))
            if missed_at is None and due < segment.to_at:
                missed_at = due
            used += hours.elapsed(segment.from_at, segment.to_at)
        anchor = segment.to_at
    if missed_at is None and clock.running and clock.breached_at is not None and BREACH in clock.dealt:
        missed_at = hours.deadline(anchor, target - used)
    if clock.outcome is Outcome.NO_POLICY:
        missed_at = clock.breached_at
    state = clock.state
    if clock.running:
        state = State.BREACHED_OPEN if missed_at else State.RUNNING
    return _timed(replace(clock, state=state, anchor_at=anchor, consumed=used, breached_at=missed_at))


def _closed(clock: Clock, at: datetime) -> Clock:
    """The clock with its present stretch ended: what it used is consumed, and it was missed if it was due before.

    `at` is not before the anchor.
    """
    consumed, missed_at, segments = clock.consumed, clock.breached_at, clock.segments
    if at > clock.anchor_at:
        segments = (*segments, Segment(clock.anchor_at, at, clock.stretch))
    if clock.stretch is Stretch.RUN:
        consumed += clock.goal.hours.elapsed(clock.anchor_at, at)
    if clock.running:
        missed_at = clock.due_at if clock.due_at and clock.due_at < at else None
    return replace(clock, anchor_at=at, consumed=consumed, segments=segments, breached_at=missed_at)


def _given_up(clock: Clock, at: datetime) -> Clock:
    """What ends a clock while nothing is promised ends it for good: how it would have ended was promised by nobody."""
    return _timed(replace(_closed(clock, at), state=State.CANCELLED)) if clock.suspended else clock


def _go_on(clock: Clock) -> Clock:
    return _timed(replace(clock, state=State.BREACHED_OPEN if clock.breached_at else State.RUNNING))


def _timed(clock: Clock) -> Clock:
    """The clock with the instants that follow from the rest of it."""
    due_at = clock.breached_at
    if due_at is None and clock.state is not State.PAUSED:
        due_at = clock.goal.hours.deadline(clock.anchor_at, clock.remaining)
    timed = replace(clock, due_at=due_at)
    timed = replace(timed, next_threshold=next(_untold(timed), None))
    return replace(timed, next_at=_next_at(timed))


def _next_at(clock: Clock) -> datetime | None:
    if clock.next_threshold is None or clock.away or clock.suspended:
        return None
    if clock.running:
        return _instant(clock, clock.next_threshold)
    return clock.breached_at  # standing still or ended after it was missed, which nobody has been told yet


def _untold(clock: Clock) -> Iterator[str]:
    """What is still to be dealt with, in order. A breach that was taken back has to be looked for again; after one nothing is
    told of what lies before it, and nothing that lies after it where the clock doesn't run.
    """
    target, missed = clock.goal.target, clock.breached_at is not None
    for name in clock.goal.thresholds if clock.state is not State.CANCELLED else ():
        later = after_breach(name, target)
        if name in clock.dealt and (missed or name != BREACH):
            continue
        if later and not clock.running:
            continue
        if later or not (missed and BREACH in clock.dealt):
            yield name


def _kind(clock: Clock, name: str, now: datetime, *, highest: bool) -> Kind:
    if name == BREACH:
        return Kind.BREACH
    if not highest:
        return Kind.SKIPPED
    if after_breach(name, clock.goal.target):
        return Kind.REMINDER
    return Kind.SKIPPED if _instant(clock, BREACH) - now < COLLAPSE else Kind.WARNING


def _instant(clock: Clock, name: str) -> datetime:
    if name == BREACH and clock.due_at:
        return clock.due_at
    return clock.goal.hours.deadline(clock.anchor_at, point(name, clock.goal.target) - clock.consumed)

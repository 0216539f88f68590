"""What each moment in a ticket's life does to its clocks.

`clocks` holds the latest cycle of each metric; no other can be open. What comes back replaces it: changed, untouched and new.
A new cycle that begins as the last one ends carries that as its `previous`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.sla.rules import clock as rules
from app.sla.rules.clock import Clock, Goal, Segment
from app.sla.rules.words import Merging, Metric, Moment, Outcome, Reopening, Start, State

WAITING = "waiting_customer"  # the ticket's status in which a clock may stand still

Clocks = Mapping[Metric, Clock]
Stretches = Sequence[Segment]


@dataclass(frozen=True)
class Plan:
    """What the ticket's policy promises now, where its first clocks start, and what reopening and merging do to a resolution."""

    starts: Start
    goals: Mapping[Metric, Goal]
    reopening: Reopening = Reopening.RESUME
    reopen_window: timedelta = rules.REOPEN_WINDOW
    merging: Merging = Merging.UNCHANGED


NO_PLAN = Plan(Start.ACCEPTED, {})


def after(clocks: Clocks, moment: Moment, at: datetime, plan: Plan, older: Stretches = ()) -> dict[Metric, Clock]:
    """The clocks after `moment`, under the promises of now. Nothing happens before what has already happened.

    `older` is the life of the resolution of another ticket that is joined or parts.
    """
    told, at = at, max([at, *(clock.anchor_at for clock in clocks.values())])
    present = {metric: rules.retarget(clock, plan.goals.get(metric), at) for metric, clock in clocks.items()}
    if moment in _OF_TWO:
        return {**present, **_OF_TWO[moment](present, told, plan, older)}
    if moment in _SINCE:
        return {**present, **_SINCE[moment](present, told, at, plan)}
    return {**present, **_STEPS[moment](present, at, plan)}


def together(clocks: Clocks, moments: Iterable[Moment], at: datetime, plan: Plan, older: Stretches = ()) -> dict[Metric, Clock]:
    """The clocks after several moments of one instant, in whichever order they are named: what stops a clock comes after what
    pauses it, and that after what starts it.
    """
    for moment in sorted(moments, key=_ORDER.index):
        clocks = after(clocks, moment, at, plan, older)
    return dict(clocks)


def _created(clocks: Clocks, at: datetime, plan: Plan) -> Clocks:
    return _accepted(clocks, at, plan) if plan.starts is Start.CREATED else {}


def _arisen(clocks: Clocks, at: datetime, plan: Plan) -> Clocks:
    return _taken_on(clocks, at, plan) if plan.starts is Start.CREATED else {}


def _accepted(clocks: Clocks, at: datetime, plan: Plan) -> Clocks:
    first = (Metric.FIRST_RESPONSE, Metric.RESOLUTION)
    return {m: rules.start(m, 1, plan.goals[m], at) for m in first if m in plan.goals and m not in clocks}


def _taken_on(clocks: Clocks, at: datetime, plan: Plan) -> Clocks:
    """Nobody waits for a first answer to what the staff wrote; that starts when the customer asks something."""
    return {m: c for m, c in _accepted(clocks, at, plan).items() if m is not Metric.FIRST_RESPONSE}


def _customer_spoke(clocks: Clocks, at: datetime, plan: Plan) -> Clocks:
    """Before it is accepted nobody owes an answer, unless clocks run already, or may."""
    return _customer_asked(clocks, at, plan) if clocks or plan.starts is Start.CREATED else {}


def _customer_asked(clocks: Clocks, at: datetime, plan: Plan) -> Clocks:
    """The earliest unanswered message starts the clock; the ones after it move nothing."""
    first, last = clocks.get(Metric.FIRST_RESPONSE), clocks.get(Metric.NEXT_RESPONSE)
    waits = first is None and last is None and Metric.FIRST_RESPONSE in plan.goals
    metric = Metric.FIRST_RESPONSE if waits else Metric.NEXT_RESPONSE
    goal = plan.goals.get(metric)
    if goal is None or (first and not first.over) or (last and not last.over):
        return {}
    return {metric: _next_cycle(clocks, metric, goal, at)}


def _asked_before(clocks: Clocks, since: datetime, at: datetime, plan: Plan) -> Clocks:
    """What was asked on another ticket is to be answered here, by somebody who has waited since then.

    A first answer that was owed here anyway is owed as before.
    """
    found = {**clocks, **_customer_asked(clocks, at, plan)}
    asked = {m: c for m, c in found.items() if m is Metric.NEXT_RESPONSE or (m is Metric.FIRST_RESPONSE and m not in clocks)}
    return {m: rules.begin_at(c, min(since, c.started_at)) for m, c in asked.items()}


def _waits_since(clocks: Clocks, since: datetime, _: datetime, __: Plan) -> Clocks:
    """Some of what was to be answered is elsewhere now; whoever still waits does since then."""
    return {m: rules.begin_at(c, max(since, c.started_at)) for m, c in clocks.items() if m is Metric.NEXT_RESPONSE}


def _joined(clocks: Clocks, _: datetime, plan: Plan, older: Stretches) -> Clocks:
    """Where the policy says so, the resolution counts from the older ticket, with what ran and stood still there until then."""
    own = clocks.get(Metric.RESOLUTION)
    if own is None or not older or plan.merging is not Merging.EARLIEST:
        return {}
    begun = own.started_at
    led = tuple(replace(each, to_at=min(each.to_at, begun)) for each in older if each.from_at < begun)
    return {Metric.RESOLUTION: rules.begin_at(own, led[0].from_at, led)} if led else {}


def _parted(clocks: Clocks, since: datetime, _: Plan, older: Stretches) -> Clocks:
    """What counted from that ticket doesn't any more."""
    own = clocks.get(Metric.RESOLUTION)
    if own is None or not older or own.started_at != older[0].from_at:
        return {}
    return {Metric.RESOLUTION: rules.begin_at(own, max(since, own.started_at))}


def _agent_answered(clocks: Clocks, at: datetime, plan: Plan) -> Clocks:
    """Whoever was answered may expect to hear again within the time of a periodic update."""
    done: dict[Metric, Clock] = {m: rules.fulfil(c, at) for m, c in clocks.items() if m is not Metric.RESOLUTION}
    goal, last = plan.goals.get(Metric.PERIODIC_UPDATE), clocks.get(Metric.PERIODIC_UPDATE)
    if goal is None or (last and last.away):
        return done
    fresh = replace(_next_cycle(clocks, Metric.PERIODIC_UPDATE, goal, at), previous=done.get(Metric.PERIODIC_UPDATE))
    waits = any(clock.open and clock.state is State.PAUSED for clock in clocks.values())
    return {**done, Metric.PERIODIC_UPDATE: rules.pause(fresh, at) if waits and WAITING in goal.pauses else fresh}


def _next_cycle(clocks: Clocks, metric: Metric, goal: Goal, at: datetime) -> Clock:
    last = clocks.get(metric)
    return rules.start(metric, last.cycle + 1 if last else 1, goal, at)


def _paused(clocks: Clocks, at: datetime, _: Plan) -> Clocks:
    return {m: rules.pause(c, at) for m, c in clocks.items() if WAITING in c.goal.pauses}


def _resumed(clocks: Clocks, at: datetime, _: Plan) -> Clocks:
    return {m: rules.resume(c, at) for m, c in clocks.items()}


def _resolved(clocks: Clocks, at: datetime, _: Plan) -> Clocks:
    return {m: rules.end(c, at, _UNANSWERED[m]) if m in _UNANSWERED else rules.fulfil(c, at) for m, c in clocks.items()}


def _reopened(clocks: Clocks, at: datetime, plan: Plan) -> Clocks:
    """The customer has answered what was done: the resolution goes on, and somebody owes an answer."""
    resolution, goal = clocks.get(Metric.RESOLUTION), plan.goals.get(Metric.RESOLUTION)
    fulfilled = resolution is not None and resolution.fulfilled_at is not None
    if resolution is None or goal is None or not fulfilled:
        return _customer_spoke(clocks, at, plan)
    resume = plan.reopening is Reopening.RESUME and at - resolution.anchor_at <= plan.reopen_window
    again = rules.revive(resolution, at, goal) if resume else _next_cycle(clocks, Metric.RESOLUTION, goal, at)
    return {Metric.RESOLUTION: again, **_customer_spoke(clocks, at, plan)}


def _ended(clocks: Clocks, at: datetime, _: Plan) -> Clocks:
    return {m: rules.end(c, at, Outcome.ENDED) for m, c in clocks.items()}


def _moved_away(clocks: Clocks, at: datetime, _: Plan) -> Clocks:
    """The customer's question was moved elsewhere: nobody owes an answer here."""
    return {m: rules.end(c, at, Outcome.MOVED) for m, c in clocks.items() if m is Metric.NEXT_RESPONSE}


def _undone(clocks: Clocks, at: datetime, plan: Plan) -> Clocks:
    """The ticket's end was a mistake: what it stopped or fulfilled, and nothing that was over before, goes on."""
    last = max((c.anchor_at for c in clocks.values() if not c.open), default=None)
    stopped = {m: c for m, c in clocks.items() if c.anchor_at == last and c.outcome in _BY_THE_END[m]}
    return {m: rules.revive(c, at, plan.goals.get(m)) for m, c in stopped.items()}


def _merged(clocks: Clocks, at: datetime, _: Plan) -> Clocks:
    return {m: rules.set_aside(c, at, Outcome.MERGED) for m, c in clocks.items()}


def _set_aside(clocks: Clocks, at: datetime, _: Plan) -> Clocks:
    return {m: rules.set_aside(c, at, Outcome.TRASHED) for m, c in clocks.items()}


def _taken_back(clocks: Clocks, at: datetime, plan: Plan) -> Clocks:
    return {m: rules.take_back(c, at, plan.goals.get(m)) for m, c in clocks.items()}


def _facts_changed(clocks: Clocks, at: datetime, plan: Plan) -> Clocks:  # noqa: ARG001 (the promises of now are all it takes)
    return {}


_UNANSWERED = {
    Metric.FIRST_RESPONSE: Outcome.CLOSED_UNANSWERED,
    Metric.NEXT_RESPONSE: Outcome.RESOLVED,
    Metric.PERIODIC_UPDATE: Outcome.RESOLVED,
}
_NOT_DONE = frozenset({Outcome.CLOSED_UNANSWERED, Outcome.RESOLVED, Outcome.ENDED})
_BY_THE_END = {
    Metric.FIRST_RESPONSE: _NOT_DONE,
    Metric.NEXT_RESPONSE: _NOT_DONE,
    Metric.PERIODIC_UPDATE: _NOT_DONE,
    Metric.RESOLUTION: _NOT_DONE | {Outcome.MET, Outcome.LATE},
}
_STEPS: dict[Moment, Callable[[Clocks, datetime, Plan], Clocks]] = {
    Moment.CREATED: _created,
    Moment.ARISEN: _arisen,
    Moment.ACCEPTED: _accepted,
    Moment.TAKEN_ON: _taken_on,
    Moment.CUSTOMER_SPOKE: _customer_spoke,
    Moment.CUSTOMER_ASKED: _customer_asked,
    Moment.AGENT_ANSWERED: _agent_answered,
    Moment.PAUSED: _paused,
    Moment.RESUMED: _resumed,
    Moment.RESOLVED: _resolved,
    Moment.REOPENED: _reopened,
    Moment.ENDED: _ended,
    Moment.FACTS_CHANGED: _facts_changed,
    Moment.MOVED_AWAY: _moved_away,
    Moment.UNDONE: _undone,
    Moment.MERGED: _merged,
    Moment.SET_ASIDE: _set_aside,
    Moment.TAKEN_BACK: _taken_back,
}
# Moments that lie where they lie, however much has happened after them.
_SINCE: dict[Moment, Callable[[Clocks, datetime, datetime, Plan], Clocks]] = {
    Moment.ASKED_BEFORE: _asked_before,
    Moment.WAITS_SINCE: _waits_since,
}
# Moments that are about another ticket as well.
_OF_TWO: dict[Moment, Callable[[Clocks, datetime, Plan, Stretches], Clocks]] = {
    Moment.JOINED: _joined,
    Moment.PARTED: _parted,
}
_ORDER = (
    Moment.FACTS_CHANGED,
    Moment.TAKEN_BACK,
    Moment.UNDONE,
    Moment.CREATED,
    Moment.ARISEN,
    Moment.ACCEPTED,
    Moment.TAKEN_ON,
    Moment.REOPENED,
    Moment.CUSTOMER_SPOKE,
    Moment.CUSTOMER_ASKED,
    Moment.ASKED_BEFORE,
    Moment.WAITS_SINCE,
    Moment.JOINED,
    Moment.PARTED,
    Moment.AGENT_ANSWERED,
    Moment.RESUMED,
    Moment.PAUSED,
    Moment.MOVED_AWAY,
    Moment.RESOLVED,
    Moment.ENDED,
    Moment.MERGED,
    Moment.SET_ASIDE,
)

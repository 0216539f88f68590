"""What each moment in a ticket's life does to its clocks.

`clocks` holds the latest cycle of each metric; no other can be open. What comes back replaces it: changed, untouched and new.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from app.sla.rules import clock as rules
from app.sla.rules.clock import Clock, Goal
from app.sla.rules.words import Metric, Moment, Outcome, Start

WAITING = "waiting_customer"  # the ticket's status in which a clock may stand still

Clocks = Mapping[Metric, Clock]


@dataclass(frozen=True)
class Plan:
    """What the ticket's policy promises now, and where its first clocks start."""

    starts: Start
    goals: Mapping[Metric, Goal]


NO_PLAN = Plan(Start.ACCEPTED, {})


def after(clocks: Clocks, moment: Moment, at: datetime, plan: Plan) -> dict[Metric, Clock]:
    """The clocks after `moment`, under the promises of now. Nothing happens before what has already happened."""
    at = max([at, *(clock.anchor_at for clock in clocks.values())])
    present = {metric: rules.retarget(clock, plan.goals.get(metric), at) for metric, clock in clocks.items()}
    return {**present, **_STEPS[moment](present, at, plan)}


def _created(clocks: Clocks, at: datetime, plan: Plan) -> Clocks:
    return _accepted(clocks, at, plan) if plan.starts is Start.CREATED else {}


def _accepted(clocks: Clocks, at: datetime, plan: Plan) -> Clocks:
    first = (Metric.FIRST_RESPONSE, Metric.RESOLUTION)
    return {m: rules.start(m, 1, plan.goals[m], at) for m in first if m in plan.goals and m not in clocks}


def _customer_spoke(clocks: Clocks, at: datetime, plan: Plan) -> Clocks:
    """The earliest unanswered message starts the clock; the ones after it move nothing."""
    first, last = clocks.get(Metric.FIRST_RESPONSE), clocks.get(Metric.NEXT_RESPONSE)
    goal = plan.goals.get(Metric.NEXT_RESPONSE)
    if goal is None or first is None or not first.over or (last and not last.over):
        return {}
    return {Metric.NEXT_RESPONSE: rules.start(Metric.NEXT_RESPONSE, last.cycle + 1 if last else 1, goal, at)}


def _agent_answered(clocks: Clocks, at: datetime, _: Plan) -> Clocks:
    return {m: rules.fulfil(c, at) for m, c in clocks.items() if m is not Metric.RESOLUTION}


def _paused(clocks: Clocks, at: datetime, _: Plan) -> Clocks:
    return {m: rules.pause(c, at) for m, c in clocks.items() if WAITING in c.goal.pauses}


def _resumed(clocks: Clocks, at: datetime, _: Plan) -> Clocks:
    return {m: rules.resume(c, at) for m, c in clocks.items()}


def _resolved(clocks: Clocks, at: datetime, _: Plan) -> Clocks:
    unanswered = {Metric.FIRST_RESPONSE: Outcome.CLOSED_UNANSWERED, Metric.NEXT_RESPONSE: Outcome.RESOLVED}
    return {m: rules.end(c, at, unanswered[m]) if m in unanswered else rules.fulfil(c, at) for m, c in clocks.items()}


def _reopened(clocks: Clocks, at: datetime, plan: Plan) -> Clocks:
    """The customer has answered what was done: the resolution goes on, and somebody owes an answer."""
    resolution, goal = clocks.get(Metric.RESOLUTION), plan.goals.get(Metric.RESOLUTION)
    fulfilled = resolution is not None and resolution.fulfilled_at is not None
    again = {Metric.RESOLUTION: rules.reopen(resolution, at, goal)} if resolution and goal and fulfilled else {}
    return {**again, **_customer_spoke(clocks, at, plan)}


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


_NOT_DONE = frozenset({Outcome.CLOSED_UNANSWERED, Outcome.RESOLVED, Outcome.ENDED})
_BY_THE_END = {
    Metric.FIRST_RESPONSE: _NOT_DONE,
    Metric.NEXT_RESPONSE: _NOT_DONE,
    Metric.RESOLUTION: _NOT_DONE | {Outcome.MET, Outcome.LATE},
}
_STEPS: dict[Moment, Callable[[Clocks, datetime, Plan], Clocks]] = {
    Moment.CREATED: _created,
    Moment.ACCEPTED: _accepted,
    Moment.CUSTOMER_SPOKE: _customer_spoke,
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

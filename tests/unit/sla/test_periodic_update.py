"""Who was answered hears again within the time of a periodic update."""

from dataclasses import replace
from datetime import timedelta

from app.sla.rules import Clock, Metric, Moment, Outcome, Plan, State, after, fire
from app.sla.rules.preview import Instant, Verdict, standings
from tests.unit.sla.promises import HOUR, MONDAY, goal, plan

UPDATE = Metric.PERIODIC_UPDATE
PLAN = replace(plan(), goals={**plan().goals, UPDATE: goal(2 * HOUR, pauses=True)})


def live(*steps: tuple[Moment, timedelta], under: Plan = PLAN) -> dict[Metric, Clock]:
    clocks: dict[Metric, Clock] = {}
    for moment, since in steps:
        clocks = after(clocks, moment, MONDAY + since, under)
    return clocks


def test_it_starts_with_an_answer_and_not_before() -> None:
    assert UPDATE not in live((Moment.ACCEPTED, 0 * HOUR), (Moment.CUSTOMER_SPOKE, HOUR))
    clock = live((Moment.ACCEPTED, 0 * HOUR), (Moment.AGENT_ANSWERED, HOUR))[UPDATE]
    assert (clock.cycle, clock.state, clock.due_at, clock.previous) == (1, State.RUNNING, MONDAY + 3 * HOUR, None)


def test_the_next_answer_fulfils_it_and_starts_the_next_one() -> None:
    clock = live((Moment.ACCEPTED, 0 * HOUR), (Moment.AGENT_ANSWERED, HOUR), (Moment.AGENT_ANSWERED, 2 * HOUR))[UPDATE]
    assert (clock.cycle, clock.started_at, clock.due_at) == (2, MONDAY + 2 * HOUR, MONDAY + 4 * HOUR)
    assert clock.previous is not None
    assert (clock.previous.cycle, clock.previous.outcome, clock.previous.next_at) == (1, Outcome.MET, None)


def test_one_that_came_too_late_was_missed_when_it_was_due() -> None:
    clock = live((Moment.ACCEPTED, 0 * HOUR), (Moment.AGENT_ANSWERED, HOUR), (Moment.AGENT_ANSWERED, 9 * HOUR))[UPDATE]
    assert clock.previous is not None
    assert (clock.previous.outcome, clock.previous.breached_at) == (Outcome.LATE, MONDAY + 3 * HOUR)


def test_it_stands_still_while_the_customer_is_asked_and_so_does_one_that_starts_then() -> None:
    steps = ((Moment.ACCEPTED, 0 * HOUR), (Moment.AGENT_ANSWERED, HOUR), (Moment.PAUSED, HOUR))
    assert live(*steps)[UPDATE].state is State.PAUSED
    again = live(*steps, (Moment.AGENT_ANSWERED, 5 * HOUR))[UPDATE]
    assert (again.cycle, again.state, again.due_at) == (2, State.PAUSED, None)
    resumed = live(*steps, (Moment.AGENT_ANSWERED, 5 * HOUR), (Moment.RESUMED, 8 * HOUR))[UPDATE]
    assert resumed.due_at == MONDAY + 10 * HOUR


def test_a_resolved_ticket_promises_no_update() -> None:
    clock = live((Moment.ACCEPTED, 0 * HOUR), (Moment.AGENT_ANSWERED, HOUR), (Moment.RESOLVED, 2 * HOUR))[UPDATE]
    assert (clock.outcome, clock.next_at, fire(clock, MONDAY + 99 * HOUR)[1]) == (Outcome.RESOLVED, None, [])


def test_the_end_stops_it_without_a_breach() -> None:
    clock = live((Moment.ACCEPTED, 0 * HOUR), (Moment.AGENT_ANSWERED, HOUR), (Moment.ENDED, 2 * HOUR))[UPDATE]
    assert (clock.outcome, clock.next_at, fire(clock, MONDAY + 99 * HOUR)[1]) == (Outcome.ENDED, None, [])


def test_each_of_them_is_told_by_a_preview() -> None:
    moments = [(Moment.ACCEPTED, 0), (Moment.AGENT_ANSWERED, 1), (Moment.AGENT_ANSWERED, 2), (Moment.AGENT_ANSWERED, 9)]
    life = [Instant(MONDAY + hours * HOUR, (moment,)) for moment, hours in moments]
    found = standings(life, PLAN, MONDAY + 10 * HOUR)
    assert {cycle: found[UPDATE, cycle].verdict for cycle in (1, 2, 3)} == {
        1: Verdict.MET,
        2: Verdict.MISSED,
        3: Verdict.RUNNING,
    }

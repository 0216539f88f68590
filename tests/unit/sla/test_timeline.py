"""What happens to a ticket, and what its clocks make of it."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from app.sla.rules import NO_PLAN, Clock, Metric, Moment, Outcome, Plan, Reopening, Start, State, after, fire, fits, together
from tests.unit.sla.promises import HOUR, MINUTE, MONDAY, plan

FIRST, NEXT, RESOLUTION = Metric.FIRST_RESPONSE, Metric.NEXT_RESPONSE, Metric.RESOLUTION
PLAN = plan()


def live(*steps: tuple[Moment, timedelta], under: Plan = PLAN) -> dict[Metric, Clock]:
    """The clocks after these moments, each so long after Monday afternoon."""
    clocks: dict[Metric, Clock] = {}
    for moment, since in steps:
        clocks = after(clocks, moment, MONDAY + since, under)
    return clocks


def at(hours: float) -> datetime:
    return MONDAY + hours * HOUR


def test_nothing_runs_before_the_ticket_is_accepted() -> None:
    assert live((Moment.CREATED, 0 * HOUR), (Moment.CUSTOMER_SPOKE, HOUR)) == {}


def test_the_clocks_start_when_it_is_accepted() -> None:
    clocks = live((Moment.CREATED, 0 * HOUR), (Moment.ACCEPTED, 2 * HOUR))
    assert set(clocks) == {FIRST, RESOLUTION}
    assert (clocks[FIRST].started_at, clocks[FIRST].due_at) == (at(2), at(6))
    assert clocks[RESOLUTION].due_at == at(10)


def test_a_policy_may_start_them_when_it_is_created() -> None:
    clocks = live((Moment.CREATED, 0 * HOUR), (Moment.ACCEPTED, 2 * HOUR), under=plan(starts=Start.CREATED))
    assert (clocks[FIRST].started_at, clocks[FIRST].due_at) == (at(0), at(4))


def test_the_next_moment_is_the_warning_and_then_the_due_time() -> None:
    first = live((Moment.ACCEPTED, 0 * HOUR))[FIRST]
    assert (first.next_at, first.next_threshold) == (at(3), "75%")
    warned, _ = fire(first, at(3))
    assert (warned.next_at, warned.next_threshold) == (at(4), "100%")


def test_an_answer_fulfils_the_first_response_and_leaves_the_resolution_running() -> None:
    clocks = live((Moment.ACCEPTED, 0 * HOUR), (Moment.AGENT_ANSWERED, HOUR))
    assert (clocks[FIRST].state, clocks[FIRST].fulfilled_at, clocks[FIRST].next_at) == (State.MET, at(1), None)
    assert clocks[RESOLUTION].state is State.RUNNING


def test_an_answer_at_the_very_instant_it_is_due_is_in_time_and_a_microsecond_later_is_not() -> None:
    in_time = live((Moment.ACCEPTED, 0 * HOUR), (Moment.AGENT_ANSWERED, 4 * HOUR))[FIRST]
    late = live((Moment.ACCEPTED, 0 * HOUR), (Moment.AGENT_ANSWERED, 4 * HOUR + timedelta(microseconds=1)))[FIRST]
    assert (in_time.outcome, in_time.breached_at, in_time.next_at) == (Outcome.MET, None, None)
    assert (late.outcome, late.breached_at, late.state) == (Outcome.LATE, at(4), State.STOPPED)


def test_what_was_late_is_told_even_if_the_answer_came_before_anybody_looked() -> None:
    late = live((Moment.ACCEPTED, 0 * HOUR), (Moment.AGENT_ANSWERED, 5 * HOUR))[FIRST]
    assert late.next_at == at(4)
    told, dealt = fire(late, at(6))
    assert [(d.kind, d.threshold) for d in dealt] == [("skipped", "75%"), ("breach", "100%")]
    assert (told.next_at, told.breached_at, told.outcome) == (None, at(4), Outcome.LATE)


def test_a_customer_waits_from_the_earliest_unanswered_message() -> None:
    start = ((Moment.ACCEPTED, 0 * HOUR), (Moment.AGENT_ANSWERED, HOUR))
    clocks = live(*start, (Moment.CUSTOMER_SPOKE, 2 * HOUR), (Moment.CUSTOMER_SPOKE, 3 * HOUR))
    assert (clocks[NEXT].cycle, clocks[NEXT].started_at, clocks[NEXT].due_at) == (1, at(2), at(6))


def test_each_exchange_is_a_cycle_of_its_own() -> None:
    clocks = live(
        (Moment.ACCEPTED, 0 * HOUR),
        (Moment.AGENT_ANSWERED, HOUR),
        (Moment.CUSTOMER_SPOKE, 2 * HOUR),
        (Moment.AGENT_ANSWERED, 3 * HOUR),
        (Moment.CUSTOMER_SPOKE, 5 * HOUR),
    )
    assert (clocks[NEXT].cycle, clocks[NEXT].state, clocks[NEXT].due_at) == (2, State.RUNNING, at(9))


def test_a_customer_who_writes_again_before_the_first_answer_starts_nothing() -> None:
    assert NEXT not in live((Moment.ACCEPTED, 0 * HOUR), (Moment.CUSTOMER_SPOKE, HOUR))


def test_waiting_for_the_customer_moves_the_resolution_by_exactly_the_pause() -> None:
    pause = timedelta(hours=2, minutes=3, seconds=4, microseconds=5)
    paused = live((Moment.ACCEPTED, 0 * HOUR), (Moment.PAUSED, HOUR))
    assert (paused[RESOLUTION].state, paused[RESOLUTION].due_at, paused[RESOLUTION].next_at) == (State.PAUSED, None, None)
    resumed = after(paused, Moment.RESUMED, at(1) + pause, PLAN)
    assert resumed[RESOLUTION].due_at == at(8) + pause


def test_waiting_for_the_customer_does_not_pause_the_first_response() -> None:
    first = live((Moment.ACCEPTED, 0 * HOUR), (Moment.PAUSED, HOUR))[FIRST]
    assert (first.state, first.due_at) == (State.RUNNING, at(4))


def test_a_resolution_reached_while_waiting_is_in_time() -> None:
    done = live((Moment.ACCEPTED, 0 * HOUR), (Moment.PAUSED, HOUR), (Moment.RESOLVED, 90 * HOUR))[RESOLUTION]
    assert (done.outcome, done.due_at) == (Outcome.MET, at(97))


def test_resolving_without_an_answer_closes_the_first_response_unanswered() -> None:
    clocks = live((Moment.ACCEPTED, 0 * HOUR), (Moment.RESOLVED, HOUR))
    assert (clocks[FIRST].state, clocks[FIRST].outcome) == (State.STOPPED, Outcome.CLOSED_UNANSWERED)
    assert (clocks[FIRST].breached_at, clocks[FIRST].next_at) == (None, None)
    assert clocks[RESOLUTION].outcome is Outcome.MET


def test_resolving_stops_the_next_response() -> None:
    start = ((Moment.ACCEPTED, 0 * HOUR), (Moment.AGENT_ANSWERED, HOUR), (Moment.CUSTOMER_SPOKE, 2 * HOUR))
    last = live(*start, (Moment.RESOLVED, 3 * HOUR))[NEXT]
    assert (last.outcome, last.next_at) == (Outcome.RESOLVED, None)


def test_reopening_goes_on_with_what_was_left_and_leaves_the_first_response_alone() -> None:
    steps = ((Moment.ACCEPTED, 0 * HOUR), (Moment.AGENT_ANSWERED, HOUR), (Moment.RESOLVED, 2 * HOUR))
    clocks = live(*steps, (Moment.REOPENED, 26 * HOUR), (Moment.CUSTOMER_SPOKE, 26 * HOUR))
    resolution = clocks[RESOLUTION]
    assert (resolution.cycle, resolution.state, resolution.outcome) == (1, State.RUNNING, None)
    assert (resolution.fulfilled_at, resolution.due_at) == (None, at(32))
    assert clocks[FIRST].fulfilled_at == at(1)
    assert (clocks[NEXT].cycle, clocks[NEXT].started_at) == (1, at(26))


def test_reopening_after_the_window_is_a_new_cycle() -> None:
    steps = ((Moment.ACCEPTED, 0 * HOUR), (Moment.RESOLVED, 2 * HOUR), (Moment.REOPENED, timedelta(days=15)))
    resolution = live(*steps)[RESOLUTION]
    assert (resolution.cycle, resolution.due_at) == (2, MONDAY + timedelta(days=15, hours=8))


@pytest.mark.parametrize(("after_resolution", "cycle"), [(3 * HOUR, 1), (3 * HOUR + timedelta(microseconds=1), 2)])
def test_the_window_is_the_policys_and_counts_from_the_resolution(after_resolution: timedelta, cycle: int) -> None:
    under = replace(PLAN, reopen_window=3 * HOUR)
    steps = ((Moment.ACCEPTED, 0 * HOUR), (Moment.RESOLVED, 2 * HOUR), (Moment.REOPENED, 2 * HOUR + after_resolution))
    assert live(*steps, under=under)[RESOLUTION].cycle == cycle


def test_where_the_policy_says_so_reopening_starts_the_resolution_anew_and_not_the_first_response() -> None:
    steps = ((Moment.ACCEPTED, 0 * HOUR), (Moment.RESOLVED, 2 * HOUR), (Moment.REOPENED, 3 * HOUR))
    clocks = live(*steps, under=replace(PLAN, reopening=Reopening.RESTART))
    assert (clocks[RESOLUTION].cycle, clocks[RESOLUTION].started_at, clocks[RESOLUTION].due_at) == (2, at(3), at(11))
    assert (clocks[FIRST].cycle, clocks[FIRST].outcome) == (1, Outcome.CLOSED_UNANSWERED)


def test_reopening_goes_on_under_the_promise_of_now() -> None:
    done = live((Moment.ACCEPTED, 0 * HOUR), (Moment.RESOLVED, 2 * HOUR))
    again = after(done, Moment.REOPENED, at(10), plan(resolution=5 * HOUR, version=2))[RESOLUTION]
    assert (again.goal.version, again.due_at) == (2, at(13))


def test_the_end_stops_every_clock_without_a_breach() -> None:
    clocks = live((Moment.ACCEPTED, 0 * HOUR), (Moment.ENDED, HOUR))
    assert {clock.outcome for clock in clocks.values()} == {Outcome.ENDED}
    assert all(clock.next_at is None and clock.breached_at is None for clock in clocks.values())


def promising(*metrics: Metric, starts: Start = Start.ACCEPTED) -> Plan:
    """The same promises of these metrics alone."""
    return replace(PLAN, starts=starts, goals={metric: PLAN.goals[metric] for metric in metrics})


def test_what_the_staff_opened_owes_a_first_answer_to_its_customer_also_where_no_resolution_is_promised() -> None:
    under = promising(FIRST, NEXT)
    steps = ((Moment.CREATED, 0 * HOUR), (Moment.TAKEN_ON, 0 * HOUR), (Moment.CUSTOMER_ASKED, HOUR))
    assert live(*steps[:2], under=under) == {}
    clocks = live(*steps, (Moment.CUSTOMER_ASKED, 2 * HOUR), under=under)
    assert {metric: clock.started_at for metric, clock in clocks.items()} == {FIRST: at(1)}


def test_where_next_answers_alone_are_promised_each_question_is_owed_one() -> None:
    steps = (
        (Moment.CREATED, 0 * HOUR),
        (Moment.ACCEPTED, 0 * HOUR),
        (Moment.AGENT_ANSWERED, HOUR),
        (Moment.CUSTOMER_ASKED, 2 * HOUR),
    )
    clocks = live(*steps, under=promising(NEXT))
    assert (set(clocks), clocks[NEXT].started_at) == ({NEXT}, at(2))


def test_a_question_to_what_a_machine_opened_is_owed_an_answer_before_it_is_accepted_only_where_clocks_start_so() -> None:
    steps = ((Moment.ARISEN, 0 * HOUR), (Moment.CUSTOMER_SPOKE, HOUR))
    assert live(*steps, under=promising(FIRST)) == {}
    assert live(*steps, under=promising(FIRST, starts=Start.CREATED))[FIRST].started_at == at(1)


def test_another_priority_counts_from_the_original_start() -> None:
    running = live((Moment.ACCEPTED, 0 * HOUR))
    urgent = after(running, Moment.FACTS_CHANGED, at(0.5), plan(response=HOUR, version=2))
    assert (urgent[FIRST].started_at, urgent[FIRST].due_at) == (at(0), at(1))


def test_another_priority_counts_what_ran_before_a_pause() -> None:
    resumed = live((Moment.ACCEPTED, 0 * HOUR), (Moment.PAUSED, HOUR), (Moment.RESUMED, 3 * HOUR))
    shorter = after(resumed, Moment.FACTS_CHANGED, at(3.5), plan(resolution=2 * HOUR, version=2))
    assert shorter[RESOLUTION].due_at == at(4)


def test_without_a_policy_the_clocks_are_cancelled_and_stay_in_the_history() -> None:
    clocks = after(live((Moment.ACCEPTED, 0 * HOUR)), Moment.FACTS_CHANGED, at(9), NO_PLAN)
    assert {(c.open, c.suspended, c.outcome, c.next_at) for c in clocks.values()} == {(False, True, Outcome.NO_POLICY, None)}


def gap(*steps: tuple[Moment, float]) -> dict[Metric, Clock]:
    """Promised, promised nothing from the first hour on, and promised the same again in the third; with what happened between."""
    clocks = after(live((Moment.ACCEPTED, 0 * HOUR)), Moment.FACTS_CHANGED, at(1), NO_PLAN)
    for moment, hour in steps:
        clocks = after(clocks, moment, at(hour), NO_PLAN)
    return after(clocks, Moment.FACTS_CHANGED, at(3), PLAN)


def test_a_policy_that_fits_again_finds_the_clocks_as_if_it_had_always_fitted() -> None:
    for metric, clock in live((Moment.ACCEPTED, 0 * HOUR)).items():
        again = gap()[metric]
        assert (again.open, again.due_at, again.next_at, again.next_threshold) == (True, clock.due_at, clock.next_at, "75%")


def test_what_stood_still_meanwhile_did() -> None:
    assert gap((Moment.PAUSED, 1.5), (Moment.RESUMED, 2.5))[RESOLUTION].due_at == at(9)
    paused = gap((Moment.PAUSED, 2))[RESOLUTION]
    assert (paused.state, paused.due_at, paused.consumed) == (State.PAUSED, None, 2 * HOUR)


@pytest.mark.parametrize(
    ("moment", "ended"),
    [
        (Moment.AGENT_ANSWERED, {FIRST}),
        (Moment.RESOLVED, {FIRST, RESOLUTION}),
        (Moment.ENDED, {FIRST, RESOLUTION}),
        (Moment.MERGED, {FIRST, RESOLUTION}),
    ],
)
def test_what_ended_while_nothing_was_promised_is_over_for_good(moment: Moment, ended: set[Metric]) -> None:
    clocks = gap((moment, 2))
    assert {metric for metric, clock in clocks.items() if clock.over} == ended
    assert {(clocks[m].state, clocks[m].outcome, clocks[m].breached_at) for m in ended} == {
        (State.CANCELLED, Outcome.NO_POLICY, None)
    }


def test_nothing_is_missed_while_nothing_is_promised_and_what_comes_back_late_is_late() -> None:
    off = after(live((Moment.ACCEPTED, 0 * HOUR)), Moment.FACTS_CHANGED, at(1), NO_PLAN)
    assert fire(off[FIRST], at(99)) == (off[FIRST], [])
    answered = after(off, Moment.AGENT_ANSWERED, at(99), NO_PLAN)[FIRST]
    assert answered.breached_at is None
    late, dealt = fire(after(off, Moment.FACTS_CHANGED, at(9), PLAN)[FIRST], at(9))
    assert (late.breached_at, [one.threshold for one in dealt]) == (at(4), ["75%", "100%"])
    assert late.promised_at == at(9)


def test_a_mail_that_was_received_before_the_last_event_counts_from_the_event() -> None:
    answered = live((Moment.ACCEPTED, 0 * HOUR), (Moment.AGENT_ANSWERED, 2 * HOUR))
    assert after(answered, Moment.CUSTOMER_SPOKE, at(1), PLAN)[NEXT].started_at == at(2)


def test_a_pause_that_ends_at_the_instant_it_began_leaves_no_trace() -> None:
    clocks = live((Moment.ACCEPTED, 0 * HOUR), (Moment.PAUSED, HOUR), (Moment.RESUMED, HOUR))
    assert clocks[RESOLUTION].due_at == at(8)
    assert [segment.kind for segment in clocks[RESOLUTION].segments] == ["run"]


@pytest.mark.parametrize(
    ("before", "at_once", "metric", "state"),
    [
        ((), (Moment.PAUSED, Moment.ACCEPTED), RESOLUTION, State.PAUSED),
        ((), (Moment.RESOLVED, Moment.ACCEPTED), RESOLUTION, State.MET),
        ((), (Moment.AGENT_ANSWERED, Moment.ACCEPTED), FIRST, State.MET),
        ((Moment.ACCEPTED, Moment.PAUSED), (Moment.PAUSED, Moment.RESUMED), RESOLUTION, State.PAUSED),
        ((Moment.ACCEPTED, Moment.PAUSED), (Moment.RESOLVED, Moment.RESUMED), RESOLUTION, State.MET),
        ((Moment.ACCEPTED, Moment.RESOLVED), (Moment.RESOLVED, Moment.REOPENED), RESOLUTION, State.MET),
        ((Moment.ACCEPTED, Moment.RESOLVED), (Moment.PAUSED, Moment.REOPENED), RESOLUTION, State.PAUSED),
        ((Moment.ACCEPTED, Moment.AGENT_ANSWERED), (Moment.AGENT_ANSWERED, Moment.CUSTOMER_SPOKE), NEXT, State.MET),
        ((Moment.ACCEPTED, Moment.AGENT_ANSWERED), (Moment.RESOLVED, Moment.CUSTOMER_SPOKE), NEXT, State.STOPPED),
    ],
)
def test_of_what_happens_at_one_instant_stopping_comes_after_pausing_and_that_after_starting(
    before: tuple[Moment, ...], at_once: tuple[Moment, ...], metric: Metric, state: State
) -> None:
    clocks = live(*((moment, n * MINUTE) for n, moment in enumerate(before)))
    for order in (at_once, at_once[::-1]):
        assert together(clocks, order, at(1), PLAN)[metric].state is state


def test_a_machines_mail_owes_no_first_answer() -> None:
    assert set(live((Moment.ARISEN, 0 * HOUR), under=plan(starts=Start.CREATED))) == {RESOLUTION}


def test_an_end_that_was_a_mistake_leaves_what_was_answered_and_what_was_over_before() -> None:
    asked = live((Moment.ACCEPTED, 0 * HOUR), (Moment.AGENT_ANSWERED, HOUR), (Moment.CUSTOMER_SPOKE, 2 * HOUR))
    back = after(together(asked, (Moment.AGENT_ANSWERED, Moment.RESOLVED), at(3), PLAN), Moment.UNDONE, at(4), PLAN)
    assert (back[NEXT].outcome, back[RESOLUTION].state) == (Outcome.MET, State.RUNNING)
    steps = ((Moment.ACCEPTED, 0 * HOUR), (Moment.RESOLVED, HOUR), (Moment.REOPENED, 2 * HOUR), (Moment.ENDED, 3 * HOUR))
    assert live(*steps, (Moment.UNDONE, 4 * HOUR))[FIRST].outcome is Outcome.CLOSED_UNANSWERED


def test_a_question_that_was_moved_elsewhere_is_answered_there_and_the_rest_goes_on_here() -> None:
    clocks = live((Moment.ACCEPTED, 0 * HOUR), (Moment.MOVED_AWAY, HOUR))
    assert [clocks[metric].state for metric in (FIRST, RESOLUTION)] == [State.RUNNING, State.RUNNING]


def test_what_came_from_elsewhere_lengthens_the_wait_and_what_went_there_shortens_it() -> None:
    asked = live((Moment.ACCEPTED, 0 * HOUR), (Moment.AGENT_ANSWERED, HOUR), (Moment.CUSTOMER_SPOKE, 2 * HOUR))
    since = [after(asked, Moment.ASKED_BEFORE, at(hours), PLAN)[NEXT].started_at for hours in (1.5, 2.5)]
    assert since == [at(1.5), at(2)]
    since = [after(asked, Moment.WAITS_SINCE, at(hours), PLAN)[NEXT].started_at for hours in (1.5, 2.5)]
    assert since == [at(2), at(2.5)]


def test_what_is_late_stays_late_through_a_pause() -> None:
    clocks = live((Moment.ACCEPTED, 0 * HOUR), (Moment.PAUSED, 9 * HOUR))
    assert (clocks[RESOLUTION].state, clocks[RESOLUTION].due_at) == (State.PAUSED, at(8))
    resumed = after(clocks, Moment.RESUMED, at(10), PLAN)[RESOLUTION]
    assert (resumed.state, resumed.breached_at, resumed.due_at) == (State.BREACHED_OPEN, at(8), at(8))


def test_a_policy_fits_when_all_it_names_does() -> None:
    facts = {"priority": ("high",), "tag": ("vip", "paid")}
    assert fits({}, facts)
    assert fits({"priority": ["high", "urgent"]}, facts)
    assert not fits({"priority": ["low"]}, facts)
    assert not fits({"priority": ["high"], "team": ["1"]}, facts)
    assert fits({"tag": ["paid", "new"]}, facts)


def test_the_minutes_before_a_pause_and_after_it_are_one_run() -> None:
    clocks = live((Moment.ACCEPTED, 0 * HOUR), (Moment.PAUSED, 10 * MINUTE), (Moment.RESUMED, HOUR), (Moment.RESOLVED, 2 * HOUR))
    assert clocks[RESOLUTION].consumed == 70 * MINUTE


AWAY = [(Moment.MERGED, Outcome.MERGED), (Moment.SET_ASIDE, Outcome.TRASHED)]


@pytest.mark.parametrize(("moment", "outcome"), AWAY)
def test_while_its_ticket_is_away_nothing_runs_and_nothing_is_told(moment: Moment, outcome: Outcome) -> None:
    clocks = live((Moment.ACCEPTED, 0 * HOUR), (moment, HOUR))
    assert {(c.outcome, c.running, c.next_at) for c in clocks.values()} == {(outcome, False, None)}
    assert [fire(c, at(1000)) for c in clocks.values()] == [(c, []) for c in clocks.values()]


@pytest.mark.parametrize(("moment", "outcome"), AWAY)
def test_taken_back_the_same_clocks_go_on_and_the_time_away_does_not_count(moment: Moment, outcome: Outcome) -> None:
    back = live((Moment.ACCEPTED, 0 * HOUR), (moment, HOUR), (Moment.TAKEN_BACK, 101 * HOUR))
    assert outcome not in {c.outcome for c in back.values()}
    assert {m: (c.cycle, c.state, c.due_at) for m, c in back.items()} == {
        FIRST: (1, State.RUNNING, at(104)),
        RESOLUTION: (1, State.RUNNING, at(108)),
    }
    assert [segment.kind for segment in back[FIRST].segments] == ["run", "away"]


def test_what_was_paused_is_taken_back_paused() -> None:
    steps = ((Moment.ACCEPTED, 0 * HOUR), (Moment.PAUSED, HOUR), (Moment.SET_ASIDE, HOUR), (Moment.TAKEN_BACK, 9 * HOUR))
    assert (live(*steps)[RESOLUTION].state, live(*steps)[RESOLUTION].due_at) == (State.PAUSED, None)
    assert live(*steps, (Moment.RESUMED, 10 * HOUR))[RESOLUTION].due_at == at(17)


def test_what_was_late_before_is_late_after_and_is_told_only_then() -> None:
    away = live((Moment.ACCEPTED, 0 * HOUR), (Moment.MERGED, 5 * HOUR))
    assert (away[FIRST].breached_at, away[FIRST].next_at) == (at(4), None)
    back = after(away, Moment.TAKEN_BACK, at(50), PLAN)[FIRST]
    assert (back.state, back.breached_at) == (State.BREACHED_OPEN, at(4))
    assert [one.kind for one in fire(back, at(50))[1]] == ["skipped", "breach"]


def test_what_was_told_before_is_not_told_again_after() -> None:
    told = {m: fire(c, at(5))[0] for m, c in live((Moment.ACCEPTED, 0 * HOUR)).items()}
    back = after(after(told, Moment.SET_ASIDE, at(5), PLAN), Moment.TAKEN_BACK, at(50), PLAN)[FIRST]
    assert (back.state, back.due_at, back.next_at) == (State.BREACHED_OPEN, at(4), None)


def test_what_was_over_before_its_ticket_went_away_stays_as_it_was() -> None:
    answered = live((Moment.ACCEPTED, 0 * HOUR), (Moment.AGENT_ANSWERED, HOUR))
    back = after(after(answered, Moment.MERGED, at(2), PLAN), Moment.TAKEN_BACK, at(3), PLAN)
    assert back[FIRST] == answered[FIRST]


def test_nothing_new_starts_and_nothing_goes_on_while_its_ticket_is_away() -> None:
    away = live((Moment.ACCEPTED, 0 * HOUR), (Moment.PAUSED, HOUR), (Moment.MERGED, 2 * HOUR))
    for moment in set(Moment) - {Moment.TAKEN_BACK}:
        assert after(away, moment, at(3), PLAN) == away


def test_a_promise_that_changed_meanwhile_holds_from_the_day_it_is_taken_back() -> None:
    away = live((Moment.ACCEPTED, 0 * HOUR), (Moment.SET_ASIDE, HOUR))
    back = after(away, Moment.TAKEN_BACK, at(11), plan(response=2 * HOUR, version=2))
    assert (back[FIRST].goal.version, back[FIRST].due_at) == (2, at(12))
    assert after(away, Moment.TAKEN_BACK, at(11), NO_PLAN)[FIRST].suspended

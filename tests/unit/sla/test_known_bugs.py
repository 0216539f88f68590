"""What went wrong in other desks, by the number under which it was reported there; none of it goes wrong here."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.hours.rules import BadHours, hours
from app.sla.rules import Clock, Kind, Metric, Moment, Outcome, Plan, State, Stretch, after, explain, fire, retarget
from app.sla.rules.clock import pause, resume, start
from tests.unit.sla.promises import HOUR, MONDAY, SECOND, goal, plan

FIRST, NEXT, RESOLUTION = Metric.FIRST_RESPONSE, Metric.NEXT_RESPONSE, Metric.RESOLUTION
WEEK = [[["09:00", "17:00"]]] * 5 + [[], []]
PLAN = plan()


def life(*steps: tuple[Moment, float], under: Plan = PLAN) -> dict[Metric, Clock]:
    """The clocks after these moments, each so many hours after Monday afternoon."""
    clocks: dict[Metric, Clock] = {}
    for moment, hour in steps:
        clocks = after(clocks, moment, MONDAY + hour * HOUR, under)
    return clocks


def at(hour: float) -> datetime:
    return MONDAY + hour * HOUR


def test_zammad_188_a_reopened_ticket_is_due_again() -> None:
    found = life((Moment.ACCEPTED, 0), (Moment.AGENT_ANSWERED, 1), (Moment.RESOLVED, 2), (Moment.REOPENED, 10))
    assert (found[RESOLUTION].state, found[RESOLUTION].due_at) == (State.RUNNING, at(16))
    assert found[RESOLUTION].next_at is not None


def test_zammad_390_every_day_that_puts_a_deadline_off_stands_in_the_explanation_by_its_name() -> None:
    """Whoever wonders why 24 hours take a week reads why."""
    feasts = [{"date": "2026-11-24", "name": "Feast"}, {"date": "2026-11-25", "name": "Second feast"}]
    office = hours(ZoneInfo("UTC"), WEEK, closed=feasts)
    clock = start(RESOLUTION, 1, goal(24 * HOUR, hours=office), MONDAY)
    lines = explain(clock, UTC)
    assert clock.due_at == MONDAY + 7 * 24 * HOUR
    assert lines[3:5] == ["Tue 24 Nov closed: Feast", "Wed 25 Nov closed: Second feast"]


def test_zammad_904_and_znuny_200_a_merged_ticket_escalates_no_more() -> None:
    found = life((Moment.ACCEPTED, 0), (Moment.MERGED, 1))
    assert [(clock.next_at, fire(clock, at(1000))[1]) for clock in found.values()] == [(None, [])] * 2


def test_zammad_1322_a_customers_further_message_starts_the_next_response() -> None:
    found = life((Moment.ACCEPTED, 0), (Moment.AGENT_ANSWERED, 1), (Moment.CUSTOMER_SPOKE, 2))
    assert found[NEXT].due_at == at(6)


def test_zammad_2082_nothing_is_due_of_a_first_response_after_it_was_given() -> None:
    found = life((Moment.ACCEPTED, 0), (Moment.AGENT_ANSWERED, 1))
    assert (found[FIRST].next_at, found[FIRST].outcome) == (None, Outcome.MET)


def test_zammad_2157_and_4432_what_was_told_is_not_told_again_at_midnight() -> None:
    missed, dealt = fire(start(RESOLUTION, 1, goal(), MONDAY), at(5))
    assert [one.kind for one in dealt] == [Kind.SKIPPED, Kind.BREACH]
    assert [fire(missed, MONDAY + timedelta(days=day)) for day in range(1, 5)] == [(missed, [])] * 4


@pytest.mark.parametrize("span", [["09:00", "09:00"], ["24:00", "24:00"]])
def test_zammad_2497_hours_without_length_are_refused_instead_of_looped_over(span: list[str]) -> None:
    with pytest.raises(BadHours):
        hours(ZoneInfo("UTC"), [[span]] + [[]] * 6)


def test_zammad_2497_a_calendar_that_never_opens_is_refused() -> None:
    with pytest.raises(BadHours):
        hours(ZoneInfo("UTC"), [[]] * 7)


def test_zammad_3140_the_next_response_stands_still_after_the_agents_answer() -> None:
    found = life((Moment.ACCEPTED, 0), (Moment.AGENT_ANSWERED, 1), (Moment.CUSTOMER_SPOKE, 2), (Moment.AGENT_ANSWERED, 3))
    assert (found[NEXT].next_at, found[NEXT].outcome) == (None, Outcome.MET)


def test_zammad_5177_a_second_message_does_not_put_another_clock_before_the_first_response() -> None:
    found = life((Moment.ACCEPTED, 0), (Moment.CUSTOMER_SPOKE, 1), (Moment.CUSTOMER_SPOKE, 3))
    assert NEXT not in found
    assert (found[FIRST].started_at, found[FIRST].due_at) == (at(0), at(4))


def test_znuny_514_a_ticket_that_no_mail_opened_has_a_response_clock_when_its_customer_asks() -> None:
    found = life((Moment.CREATED, 0), (Moment.TAKEN_ON, 0), (Moment.CUSTOMER_SPOKE, 2))
    assert found[FIRST].due_at == at(6)


def test_glpi_6902_the_time_paused_survives_another_promise() -> None:
    clock = resume(pause(start(RESOLUTION, 1, goal(), MONDAY), at(1)), at(3))
    assert retarget(clock, goal(2 * HOUR, version=2), at(3)).due_at == at(4)
    stopped = pause(clock, at(3.5))
    longer = retarget(stopped, goal(8 * HOUR, version=2), at(4))
    assert (longer.state, resume(longer, at(5)).due_at) == (State.PAUSED, at(11.5))


def test_glpi_687_the_calendar_counts_and_not_the_clock_on_the_wall() -> None:
    office = hours(ZoneInfo("UTC"), WEEK)
    friday = datetime(2026, 11, 27, 16, tzinfo=UTC)
    assert start(RESOLUTION, 1, goal(2 * HOUR, hours=office), friday).due_at == datetime(2026, 11, 30, 10, tzinfo=UTC)


def test_glpi_14937_waiting_counts_to_the_microsecond_whatever_the_target() -> None:
    office = hours(ZoneInfo("UTC"), WEEK)
    monday = datetime(2026, 11, 23, 9, tzinfo=UTC)
    odd = timedelta(hours=1, microseconds=7)
    clock = start(RESOLUTION, 1, goal(5 * 8 * HOUR, hours=office), monday)
    resumed = resume(pause(clock, monday + HOUR), monday + HOUR + odd)
    assert resumed.due_at == datetime(2026, 11, 30, 10, 0, 0, 7, tzinfo=UTC)


def test_glpi_15357_each_threshold_falls_at_its_share_of_working_time() -> None:
    office = hours(ZoneInfo("UTC"), WEEK)
    friday = datetime(2026, 11, 27, 15, tzinfo=UTC)
    clock = start(RESOLUTION, 1, goal(4 * HOUR, hours=office, thresholds=("50%", "-30m", "+1h")), friday)
    fell = []
    while clock.next_at:
        clock, [one] = fire(clock, clock.next_at)
        fell.append((one.threshold, one.at))
    assert fell == [
        ("50%", datetime(2026, 11, 27, 17, tzinfo=UTC)),
        ("-30m", datetime(2026, 11, 30, 10, 30, tzinfo=UTC)),
        ("100%", datetime(2026, 11, 30, 11, tzinfo=UTC)),
        ("+1h", datetime(2026, 11, 30, 12, tzinfo=UTC)),
    ]


def test_osticket_6739_days_that_do_not_follow_each_other_are_one_calendar() -> None:
    monday_and_thursday = hours(ZoneInfo("UTC"), [WEEK[0], [], [], WEEK[0], [], [], []])
    clock = start(RESOLUTION, 1, goal(10 * HOUR, hours=monday_and_thursday), datetime(2026, 11, 23, 9, tzinfo=UTC))
    assert clock.due_at == datetime(2026, 11, 26, 11, tzinfo=UTC)


def test_osticket_2131_and_6438_waiting_for_the_customer_stands_still() -> None:
    found = life((Moment.ACCEPTED, 0), (Moment.PAUSED, 1), (Moment.RESUMED, 100))
    assert found[RESOLUTION].due_at == at(107)


def test_frappe_1554_a_paused_clock_does_not_tick_on() -> None:
    paused = life((Moment.ACCEPTED, 0), (Moment.PAUSED, 1))[RESOLUTION]
    assert (paused.due_at, paused.next_at, fire(paused, at(1000))[1]) == (None, None, [])


def test_frappe_1675_and_1643_what_was_used_before_the_pause_stays_used() -> None:
    twice = life((Moment.ACCEPTED, 0), (Moment.PAUSED, 2), (Moment.RESUMED, 3), (Moment.PAUSED, 4), (Moment.RESUMED, 9))
    assert (twice[RESOLUTION].consumed, twice[RESOLUTION].due_at) == (3 * HOUR, at(14))


def test_frappe_2449_time_on_hold_is_not_added_to_the_start() -> None:
    found = life((Moment.ACCEPTED, 0), (Moment.PAUSED, 2), (Moment.RESUMED, 5))[RESOLUTION]
    assert found.started_at == at(0)
    assert [(s.kind, s.from_at, s.to_at) for s in found.segments] == [
        (Stretch.RUN, at(0), at(2)),
        (Stretch.PAUSE, at(2), at(5)),
    ]


def test_chatwoot_10178_the_next_response_ends_when_the_ticket_is_resolved() -> None:
    found = life((Moment.ACCEPTED, 0), (Moment.AGENT_ANSWERED, 1), (Moment.CUSTOMER_SPOKE, 2), (Moment.RESOLVED, 3))
    assert (found[NEXT].outcome, fire(found[NEXT], at(1000))[1]) == (Outcome.RESOLVED, [])


def test_chatwoot_12058_and_11787_reopening_neither_forgets_nor_restarts_what_was_answered() -> None:
    found = life((Moment.ACCEPTED, 0), (Moment.AGENT_ANSWERED, 1), (Moment.RESOLVED, 2), (Moment.REOPENED, 3))
    assert (found[FIRST].outcome, found[FIRST].fulfilled_at) == (Outcome.MET, at(1))
    assert (found[NEXT].cycle, found[NEXT].started_at) == (1, at(3))


def test_chatwoot_13392_a_late_first_response_is_seen_as_late_and_business_hours_count() -> None:
    office = plan(response=2 * HOUR, hours=hours(ZoneInfo("UTC"), WEEK))
    late = life((Moment.ACCEPTED, 2), (Moment.AGENT_ANSWERED, 20.5), under=office)[FIRST]
    assert (late.outcome, late.breached_at) == (Outcome.LATE, at(20))
    assert [one.kind for one in fire(late, at(21))[1]] == [Kind.SKIPPED, Kind.BREACH]


def test_chatwoot_15024_a_miss_grows_no_more_once_the_ticket_is_resolved() -> None:
    late = life((Moment.ACCEPTED, 0), (Moment.RESOLVED, 9))[RESOLUTION]
    assert (late.due_at, late.fulfilled_at, late.consumed) == (at(8), at(9), 9 * HOUR)
    assert after({RESOLUTION: late}, Moment.ENDED, at(50), PLAN)[RESOLUTION] == late


def test_biz_35_a_night_without_midnight_is_reckoned() -> None:
    always_open = hours(ZoneInfo("America/Sao_Paulo"), [[["00:00", "12:00"]]] * 7)
    before = datetime(2015, 10, 17, 3, tzinfo=UTC)
    clock = start(RESOLUTION, 1, goal(13 * HOUR, hours=always_open), before)
    assert clock.due_at == datetime(2015, 10, 18, 4, tzinfo=UTC)


def test_biz_37_hours_up_to_a_midnight_that_there_is_not_end_where_the_next_day_begins() -> None:
    """The evening's last hour ends at no time on the wall (biz: "endnight DST"); the next day begins at 01:00."""
    sao_paulo = hours(ZoneInfo("America/Sao_Paulo"), [[["22:00", "24:00"]]] * 7)
    evening = datetime(2015, 10, 18, 1, tzinfo=UTC)  # 22:00 of the 17th
    assert sao_paulo.deadline(evening, 2 * HOUR) == datetime(2015, 10, 18, 3, tzinfo=UTC)
    assert sao_paulo.deadline(evening, 2 * HOUR + SECOND) == datetime(2015, 10, 19, 0, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["America/Sao_Paulo", "America/New_York", "America/Los_Angeles", "Europe/Lisbon"])
@pytest.mark.parametrize("eve", [datetime(2015, 10, 17, 6, tzinfo=UTC), datetime(2016, 3, 12, 6, tzinfo=UTC)])
def test_biz_37_two_hours_at_a_time_around_the_clock_come_to_no_loop_and_miss_nothing(zone: str, eve: datetime) -> None:
    slots = [[f"{hour:02}:00", f"{hour + 2:02}:00"] for hour in range(0, 24, 2)]
    around = hours(ZoneInfo(zone), [slots] * 7)
    at = eve
    for number in range(1, 40):
        at = around.deadline(at, 2 * HOUR)
        assert at == eve + number * 2 * HOUR


def test_biz_160_a_change_of_clocks_in_ramadan_is_reckoned() -> None:
    casablanca = hours(ZoneInfo("Africa/Casablanca"), [[["09:00", "17:00"]]] * 7)
    eve = datetime(2026, 9, 19, 12, tzinfo=UTC)
    assert casablanca.elapsed(eve, casablanca.deadline(eve, 12 * HOUR)) == 12 * HOUR


def test_dbt_zendesk_25_a_day_is_as_long_as_it_is_on_the_night_when_clocks_change() -> None:
    berlin = hours(ZoneInfo("Europe/Berlin"), [[["00:00", "04:00"]]] * 7)
    for day, long in (((2026, 3, 29), 3), ((2026, 10, 25), 5)):
        midnight = datetime(*day, tzinfo=ZoneInfo("Europe/Berlin"))
        assert berlin.elapsed(midnight - HOUR, midnight.replace(hour=12)) == long * HOUR


def test_rapidpro_6905_a_day_that_is_lived_twice_comes_to_an_end() -> None:
    berlin = hours(ZoneInfo("Europe/Berlin"), [[["02:00", "03:00"]]] * 7)
    eve = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert berlin.deadline(eve, 2 * HOUR) == datetime(2026, 10, 25, 2, tzinfo=UTC)

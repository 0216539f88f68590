"""What managers promise: policies, their versions, and the order in which they are tried."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.audit.models import Event
from app.core.errors import Invalid, NotFound
from app.core.priority import Priority
from app.db.session import Session
from app.hours import actions as calendars
from app.sla import actions, policies, queries, rebuild
from app.sla.models import Clock, Happening, Policy, Rebuild, Target
from app.sla.policies import OtherPolicies, PolicyNameTaken
from app.sla.rules import Metric, Moment, Outcome, State
from app.sla.rules.ladder import Rung
from tests.db.sla.known import nothing_more, of

HOUR = timedelta(hours=1)
MANAGER = (7, "Bob <bob@desk.example>")
GOLD = {"name": "Gold", "match": {"tag": ["gold"]}, "targets": {"resolution": {"high": 7200}}}

pytestmark = [pytest.mark.db, pytest.mark.usefixtures("standard")]


def standard_of(s: Session) -> Policy:
    return s.scalars(select(Policy).where(Policy.name == "Standard")).one()


def made(s: Session, now: datetime, **given: Any) -> Policy:
    return policies.add(s, {**GOLD, **given}, by=MANAGER, now=now)


def changed(s: Session, policy: Policy, now: datetime, **given: Any) -> dict[str, Any]:
    policies.change(s, policies.held(s, policy.id), given, by=MANAGER, now=now)
    return queries.told(s.connection(), policy.id)


def rebuilt(s: Session, facts: Any = nothing_more) -> None:
    while rebuild.step(s, facts):
        pass
    s.expire_all()


def clock(s: Session, ticket: int = 1, metric: Metric = Metric.RESOLUTION) -> Clock:
    return s.scalars(select(Clock).where(Clock.ticket == ticket, Clock.metric == metric)).one()


def test_a_new_policy_is_tried_before_the_one_that_fits_everything(s: Session, now: datetime) -> None:
    made(s, now)
    made(s, now, name="Silver")
    assert [(p.name, p.position) for p in queries.policies(s)] == [("Gold", 1), ("Silver", 2), ("Standard", 3)]


def test_what_is_not_said_of_a_target_is_as_usual(s: Session, now: datetime) -> None:
    told = queries.told(s.connection(), made(s, now).id)
    assert told["targets"]["resolution"]["high"] == {
        "seconds": 7200,
        "calendar_id": s.scalar(select(Target.calendar_id).limit(1)),
        "pauses": ["waiting_customer"],
        "thresholds": ["75%"],
    }
    assert (told["starts"], told["reopening"], told["reopen_window"], told["merging"]) == (
        "accepted",
        "resume",
        14 * 86400,
        "unchanged",
    )


def test_an_edit_is_a_new_version_of_everything_and_the_old_one_stays(s: Session, now: datetime) -> None:
    policy = standard_of(s)
    terms = {"seconds": 600, "thresholds": ["50 %", "-5m", "+60m"]}
    told = changed(s, policy, now, targets={"first_response": {"urgent": terms, "low": None}}, starts="created")
    assert (told["version"], told["starts"]) == (2, "created")
    assert told["targets"]["first_response"]["urgent"]["thresholds"] == ["50%", "-5m", "+1h"]
    assert "low" not in told["targets"]["first_response"]
    assert told["targets"]["resolution"]["low"]["seconds"] == 432000
    old = s.get_one(Target, (policy.id, 1, Metric.FIRST_RESPONSE, Priority.URGENT))
    assert (old.seconds, old.thresholds) == (3600, ["75%"])


def test_an_edit_is_in_the_audit_with_before_and_after_and_one_that_changes_nothing_is_none(s: Session, now: datetime) -> None:
    policy = standard_of(s)
    changed(s, policy, now, targets={"resolution": {"low": 60}}, name="Everybody")
    entry = s.info["audit"][-1]
    assert (entry["kind"], entry["actor_id"], entry["data"]["did"]) == (Event.SLA_POLICY_CHANGED, 7, "changed")
    before, after = entry["data"]["changes"]["resolution.low"]
    assert (before["seconds"], after["seconds"]) == (432000, 60)
    assert entry["data"]["changes"]["name"] == ["Standard", "Everybody"]
    assert changed(s, policy, now, targets={"resolution": {"low": 60}}, name="Everybody", match={})["version"] == 2
    assert s.info["audit"][-1] is entry


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"targets": {"first_answer": {"low": 1}}}, "no metric 'first_answer'"),
        ({"targets": {"resolution": {"critical": 1}}}, "no priority 'critical'"),
        ({"targets": {"resolution": {"low": 0}}}, "not a number of seconds"),
        ({"targets": {"resolution": {"low": 10**10}}}, "not a number of seconds"),
        ({"targets": {"periodic_update": {"low": {"thresholds": ["50%"]}}}}, "None is not a number of seconds"),
        ({"targets": {"resolution": {"low": {"calendar_id": 10**9}}}}, "no calendar 1000000000"),
        ({"targets": {"resolution": {"low": {"pauses": ["in_progress"]}}}}, "stands still in waiting_customer"),
        ({"targets": {"resolution": {"low": {"thresholds": ["soon"]}}}}, "resolution for low: 'soon' is no threshold"),
        ({"targets": {"resolution": {"low": {"thresholds": [f"{n}%" for n in range(1, 12)]}}}}, "at most 10 thresholds"),
        ({"match": {"weather": ["bad"]}}, "can't depend on 'weather'"),
        ({"match": {"field:": ["x"]}}, "can't depend on 'field:'"),
        ({"match": {"tag": []}}, "1 to 100 words"),
        ({"name": " "}, "at least one character"),
        ({"reopen_window": -1}, "window"),
    ],
)
def test_what_can_not_be_promised_is_refused_with_the_reason(
    s: Session, now: datetime, given: dict[str, Any], reason: str
) -> None:
    policy = standard_of(s)
    with pytest.raises(Invalid, match=reason), s.begin_nested():
        changed(s, policy, now, **given)
    s.refresh(policy)
    assert policy.version == 1


@pytest.mark.parametrize("thresholds", [["1000%"], ["+8760h"]])
def test_a_threshold_that_would_take_a_lifetime_is_refused(s: Session, now: datetime, thresholds: list[str]) -> None:
    """Where it can't be reckoned, neither could what comes before it be told."""
    seldom = calendars.add(s, "Mondays at nine", zone="UTC", week=[[["09:00", "10:00"]], *[[]] * 6], now=now)
    terms = {"seconds": 20 * 24 * 3600, "calendar_id": seldom.id}
    policy = standard_of(s)
    with pytest.raises(Invalid, match="Open longer, or promise less"), s.begin_nested():
        changed(s, policy, now, targets={"resolution": {"medium": {**terms, "thresholds": thresholds}}})
    s.refresh(policy)
    changed(s, policy, now, targets={"resolution": {"medium": {**terms, "thresholds": ["90%", "+1h"]}}})


def test_two_policies_of_one_name_are_refused_and_a_deleted_ones_name_is_free(s: Session, now: datetime) -> None:
    gold = made(s, now)
    with pytest.raises(PolicyNameTaken), s.begin_nested():
        made(s, now)
    policies.remove(s, policies.held(s, gold.id), by=MANAGER, now=now)
    made(s, now)
    with pytest.raises(NotFound):
        policies.held(s, gold.id)


def test_a_calendar_that_was_removed_measures_nothing_new(s: Session, now: datetime) -> None:
    calendar = calendars.add(s, "Gone", zone="UTC", week=calendars.ROUND_THE_CLOCK, now=now)
    calendars.remove(s, calendar, by=MANAGER, now=now)
    target = {"resolution": {"high": {"seconds": 7200, "calendar_id": calendar.id}}}
    with pytest.raises(Invalid, match=f"There is no calendar {calendar.id}"):
        changed(s, standard_of(s), now, targets=target)


def test_there_are_a_hundred_at_most(s: Session, now: datetime) -> None:
    for number in range(policies.MOST - 1):
        s.add(Policy(name=f"{number}", position=number + 2, match={}, starts="accepted", version=1, active=True, changed_at=now))
    s.flush()
    with pytest.raises(Invalid, match="There are 100 policies already"):
        made(s, now)


def test_they_are_tried_in_the_order_that_was_said(s: Session, now: datetime) -> None:
    gold, standard = made(s, now, match={}), standard_of(s)
    assert queries.plan(s, of(Priority.LOW)).goals == {}
    policies.order(s, [standard.id, gold.id], by=MANAGER, now=now)
    assert queries.plan(s, of(Priority.LOW)).goals != {}
    assert s.info["audit"][-1]["data"]["after"] == ["Standard", "Gold"]
    for wrong in ([gold.id], [gold.id, gold.id], [gold.id, standard.id, 10**9]):
        with pytest.raises(OtherPolicies):
            policies.order(s, wrong, by=MANAGER, now=now)


def test_running_clocks_follow_an_edit_and_only_those_of_that_policy_are_looked_at(s: Session, now: datetime) -> None:
    made(s, now, match={"priority": ["high"]})
    actions.happened(s, 1, Moment.ACCEPTED, at=now, facts=of(Priority.LOW))
    actions.happened(s, 2, Moment.ACCEPTED, at=now, facts=of(Priority.HIGH))
    s.execute(update(Rebuild).values(ended_at=now))
    changed(s, standard_of(s), now, targets={"resolution": {"low": 3600}})
    rebuilt(s)
    assert (clock(s).due_at, clock(s).policy_version) == (now + HOUR, 2)
    job = s.scalars(select(Rebuild).order_by(Rebuild.id.desc())).first()
    assert job is not None
    assert (job.everything, job.seen, job.changed) == (False, 2, 2)


def test_running_clocks_go_to_the_policy_that_fits_after_a_new_order_a_pause_or_a_deletion(s: Session, now: datetime) -> None:
    actions.happened(s, 1, Moment.ACCEPTED, at=now, facts=of(Priority.HIGH))
    gold = made(s, now, match={"priority": ["high"]})
    rebuilt(s)
    assert clock(s).due_at == now + 2 * HOUR
    first = clock(s, metric=Metric.FIRST_RESPONSE)
    assert (first.outcome, first.next_at) == (Outcome.NO_POLICY, None)
    for step in ("order", "active", "again", "delete"):
        if step == "order":
            policies.order(s, [standard_of(s).id, gold.id], by=MANAGER, now=now)
        elif step == "delete":
            policies.remove(s, policies.held(s, gold.id), by=MANAGER, now=now)
        else:
            policies.order(s, [gold.id, standard_of(s).id], by=MANAGER, now=now)
            changed(s, gold, now, active=step == "again")
        rebuilt(s)
        assert clock(s).due_at == now + (2 if step == "again" else 24) * HOUR, step
        assert (clock(s, metric=Metric.FIRST_RESPONSE).outcome is None) is (step != "again"), step


def test_a_clock_without_any_policy_is_cancelled_and_its_history_stays(s: Session, now: datetime) -> None:
    actions.happened(s, 1, Moment.ACCEPTED, at=now, facts=of(Priority.LOW))
    policies.remove(s, policies.held(s, standard_of(s).id), by=MANAGER, now=now)
    rebuilt(s)
    assert (clock(s).outcome, clock(s).due_at) == (Outcome.NO_POLICY, now + 120 * HOUR)
    assert {told["state"] for told in queries.clocks(s, 1)} == {"cancelled"}
    assert s.scalars(select(Clock.id).where(Clock.next_at.is_not(None))).all() == []
    actions.ensure_defaults(s, now=now)
    assert queries.policies(s) == []


@pytest.mark.parametrize("everything", [True, False])
def test_a_policy_that_was_off_for_a_while_finds_its_clocks_again(s: Session, now: datetime, everything: bool) -> None:
    """Switched off and on; or a promise of it was taken away, and given again."""
    actions.happened(s, 1, Moment.ACCEPTED, at=now, facts=of(Priority.LOW))
    before = clock(s)
    due, next_at = before.due_at, before.next_at
    promised = queries.told(s.connection(), standard_of(s).id)["targets"]["resolution"]["low"]
    off = {"active": False} if everything else {"targets": {"resolution": {"low": None}}}
    on = {"active": True} if everything else {"targets": {"resolution": {"low": promised}}}
    changed(s, standard_of(s), now, **off)
    rebuilt(s)
    assert (clock(s).outcome, clock(s).next_at) == (Outcome.NO_POLICY, None)
    changed(s, standard_of(s), now, **on)
    rebuilt(s)
    assert (clock(s).outcome, clock(s).due_at, clock(s).next_at) == (None, due, next_at)
    assert queries.drifts(s, after=0, limit=10) == ([], None)


def test_a_breach_that_a_shorter_promise_makes_says_so_and_lower_thresholds_are_skipped(s: Session, now: datetime) -> None:
    actions.happened(s, 1, Moment.ACCEPTED, at=now - 2 * HOUR, facts=of(Priority.LOW))
    changed(s, standard_of(s), now, targets={"resolution": {"low": 3600}})
    rebuilt(s)
    [fired] = actions.fire_due(s, nothing_more)
    assert (fired.kind, fired.at) == ("breach", now - HOUR)
    row = clock(s)
    assert (row.breached_at, row.dealt) == (now - HOUR, ["75%", "100%"])
    reasons = s.execute(select(Happening.kind, Happening.detail)).all()
    assert {kind: detail.get("reason") for kind, detail in reasons} == {"skipped": "policy_change", "breach": "policy_change"}


def test_a_longer_promise_takes_a_breach_back_and_it_stays_in_the_history(s: Session, now: datetime) -> None:
    actions.happened(s, 1, Moment.ACCEPTED, at=now - 9 * HOUR, facts=of(Priority.URGENT))
    actions.fire_due(s, nothing_more)
    assert clock(s).state is State.BREACHED_OPEN
    changed(s, standard_of(s), now, targets={"resolution": {"urgent": 36000}})
    rebuilt(s)
    assert (clock(s).state, clock(s).breached_at, clock(s).due_at) == (State.RUNNING, None, now + HOUR)
    told = s.scalars(select(Happening.kind).where(Happening.clock_id == clock(s).id)).all()
    assert "breach" in told
    assert actions.fire_due(s, nothing_more) == []


def test_one_policy_and_another_and_the_first_again_restore_every_due_time(s: Session, now: datetime) -> None:
    policy = standard_of(s)
    for ticket, ago in enumerate((0, 5, 30, 200), start=1):
        actions.happened(s, ticket, Moment.ACCEPTED, at=now - ago * HOUR, facts=of(Priority.MEDIUM))
        actions.happened(s, ticket, Moment.PAUSED, at=now - ago * HOUR / 2, facts=of(Priority.MEDIUM))
        if ticket % 2:
            actions.happened(s, ticket, Moment.RESUMED, at=now - ago * HOUR / 3, facts=of(Priority.MEDIUM))
    actions.fire_due(s, nothing_more)
    columns = (Clock.id, Clock.due_at, Clock.next_at, Clock.next_threshold, Clock.state, Clock.breached_at, Clock.consumed)
    before = s.execute(select(*columns).order_by(Clock.id)).all()
    for seconds in (60, 10**6, 259200):
        changed(s, policy, now, targets={"resolution": {"medium": seconds}})
        rebuilt(s)
    assert s.execute(select(*columns).order_by(Clock.id)).all() == before
    assert queries.drifts(s, after=0, limit=100) == ([], None)


def test_an_edit_keeps_the_ladder_and_a_new_one_has_to_name_thresholds_that_are_told(s: Session, now: datetime) -> None:
    policy = standard_of(s)
    before = queries.told(s.connection(), policy.id)["steps"]
    assert changed(s, policy, now, name="Everybody")["steps"] == before
    step = Rung(Metric.RESOLUTION, "75%", ("team",), repeat=timedelta(minutes=5), most=3)
    assert changed(s, policy, now, steps=[step])["steps"] == [
        {
            "metric": "resolution",
            "threshold": "75%",
            "recipients": ["team"],
            "calendar_id": None,
            "most": 3,
            "repeat_minutes": 5,
        }
    ]
    with pytest.raises(Invalid, match=r"Step 1: nothing is told of resolution at \+1h"):
        changed(s, policy, now, steps=[Rung(Metric.RESOLUTION, "+1h", ("team",))])

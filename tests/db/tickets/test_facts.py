"""What a ticket is decides which promises it gets, at the moment when it becomes that."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.core.priority import Priority
from app.db.session import Session
from app.sla import actions as sla
from app.sla import queries
from app.sla.models import Policy, Target
from app.sla.rules import Metric, Start
from app.tickets import actions, bulk, change, deadlines, facts, fields, tags
from app.tickets.bulk import Changing
from app.tickets.change import Change
from app.tickets.models import Ticket
from app.tickets.rules import FieldKind
from tests.cast import Cast
from tests.db.tickets.scene import clocks, field, opened

pytestmark = pytest.mark.db

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def service_levels(s: Session, now: datetime) -> None:
    sla.ensure_defaults(s, now=now)


def gold(s: Session, now: datetime, **match: Any) -> Policy:
    """A policy before the standard one: two hours for a resolution."""
    named = {name.replace("__", ":"): words for name, words in match.items()}
    policy = Policy(name="Gold", position=0, match=named, starts=Start.ACCEPTED, version=1, active=True, changed_at=now)
    s.add(policy)
    s.flush()
    calendar = s.scalars(select(Target.calendar_id)).first()
    for priority in Priority:
        key = {"policy_id": policy.id, "version": 1, "metric": Metric.RESOLUTION, "priority": priority}
        s.add(Target(**key, seconds=7200, calendar_id=calendar, pauses=["waiting_customer"], thresholds=[]))
    s.flush()
    return policy


def promised(s: Session, ticket: Ticket) -> timedelta:
    clock = clocks(s, ticket)["resolution"]
    assert clock.due_at is not None
    return clock.due_at - clock.started_at


def test_a_tag_taken_away_by_mistake_and_put_back_changes_nothing(s: Session, cast: Cast, now: datetime) -> None:
    """Where no policy fits without it."""
    gold(s, now, tag=["vip"])
    s.execute(update(Policy).where(Policy.name != "Gold").values(active=False))
    ticket = opened(s, cast, now)
    tags.put(s, ticket, add=["vip"], by=cast.alice, now=now)
    actions.accept(s, ticket, by=cast.bob, now=now)
    assert promised(s, ticket) == 2 * HOUR
    tags.put(s, ticket, remove=["vip"], by=cast.alice, now=now + HOUR / 2)
    off = clocks(s, ticket)["resolution"]
    assert (off.outcome, off.next_at) == ("no_policy", None)
    epoch = off.epoch
    tags.put(s, ticket, add=["other"], by=cast.alice, now=now + HOUR / 2)
    assert clocks(s, ticket)["resolution"].epoch == epoch
    tags.put(s, ticket, add=["vip"], by=cast.alice, now=now + HOUR)
    back = clocks(s, ticket)["resolution"]
    assert (back.outcome, back.due_at, back.next_at) == (None, now + 2 * HOUR, now + 2 * HOUR)
    assert queries.drifts(s, after=0, limit=10) == ([], None)


def test_a_team_has_its_own_promises_from_the_moment_it_has_the_ticket(s: Session, cast: Cast, now: datetime) -> None:
    gold(s, now, team=[str(cast.billing.id)])
    ticket = opened(s, cast, now, accepted=True)
    assert promised(s, ticket) == 72 * HOUR
    change.apply(s, ticket, Change(team_id=cast.billing.id), by=cast.bob, now=now + HOUR)
    assert promised(s, ticket) == 2 * HOUR
    change.apply(s, ticket, Change(team_id=None), by=cast.bob, now=now + HOUR)
    assert promised(s, ticket) == 72 * HOUR


def test_an_organization_has_its_own(s: Session, cast: Cast, now: datetime) -> None:
    gold(s, now, organization=[str(cast.carol.organization_id)])
    assert promised(s, opened(s, cast, now, accepted=True)) == 2 * HOUR
    assert promised(s, opened(s, cast, now, accepted=True, by=cast.mallory)) == 72 * HOUR


def test_so_has_a_channel(s: Session, cast: Cast, now: datetime) -> None:
    gold(s, now, channel=["mail"])
    assert promised(s, opened(s, cast, now, accepted=True)) == 2 * HOUR


def test_a_tag_counts_as_long_as_it_is_on(s: Session, cast: Cast, now: datetime) -> None:
    gold(s, now, tag=["vip"])
    ticket = opened(s, cast, now, accepted=True)
    tags.put(s, ticket, add=["vip", "other"], by=cast.alice, now=now)
    assert promised(s, ticket) == 2 * HOUR
    tags.put(s, ticket, remove=["vip"], by=cast.alice, now=now)
    assert promised(s, ticket) == 72 * HOUR


def test_a_custom_field_counts_by_what_is_in_it(s: Session, cast: Cast, now: datetime) -> None:
    field(s, cast, now, "rooms", FieldKind.MULTI_CHOICE, choices=["hall", "cellar"])
    gold(s, now, field__rooms=["cellar"])
    ticket = opened(s, cast, now, accepted=True)
    fields.fill(s, ticket, {"rooms": ["hall", "cellar"]}, by=cast.alice, now=now)
    assert promised(s, ticket) == 2 * HOUR
    fields.fill(s, ticket, {"rooms": ["hall"]}, by=cast.alice, now=now)
    assert promised(s, ticket) == 72 * HOUR


def test_yes_no_and_numbers_count_as_they_are_written() -> None:
    assert [list(facts.words(value)) for value in (True, False, 3, 2.0, 2.5, ["a", 1], None)] == [
        ["true"],
        ["false"],
        ["3"],
        ["2"],
        ["2.5"],
        ["a", "1"],
        [],
    ]


def test_all_that_a_policy_names_has_to_be_true(s: Session, cast: Cast, now: datetime) -> None:
    gold(s, now, tag=["vip"], priority=["urgent", "high"])
    ticket = opened(s, cast, now, accepted=True)
    tags.put(s, ticket, add=["vip"], by=cast.alice, now=now)
    assert promised(s, ticket) == 72 * HOUR
    change.apply(s, ticket, Change(priority=Priority.HIGH), by=cast.bob, now=now)
    assert promised(s, ticket) == 2 * HOUR


def test_a_bulk_change_and_its_reverting_count_too(s: Session, cast: Cast, now: datetime) -> None:
    gold(s, now, tag=["vip"])
    two = [opened(s, cast, now, accepted=True) for _ in range(2)]
    made = bulk.do(s, [t.number for t in two], Changing(Change(add_tags=("vip",))), by=cast.bob, now=now)
    assert [promised(s, t) for t in two] == [2 * HOUR] * 2
    bulk.revert(s, made.id, by=cast.bob, now=now)
    assert [promised(s, t) for t in two] == [72 * HOUR] * 2


def test_the_worker_asks_what_is_true_of_a_ticket_before_it_calls_its_clock_late(s: Session, cast: Cast, now: datetime) -> None:
    """The policy came after the clock began, so the clock is still under another."""
    ticket = opened(s, cast, now - 3 * HOUR, accepted=True)
    tags.put(s, ticket, add=["vip"], by=cast.alice, now=now)
    policy = gold(s, now, tag=["vip"])
    resolution = clocks(s, ticket)["resolution"]
    resolution.next_at = now
    s.flush()
    assert len(deadlines.process_due(s)) == 1
    assert (resolution.policy_id, resolution.breached_at) == (policy.id, now - HOUR)


def test_many_tickets_are_read_by_one_statement(s: Session, cast: Cast, now: datetime) -> None:
    tickets = [opened(s, cast, now) for _ in range(3)]
    s.flush()
    assert facts.of_many(s, [t.number for t in tickets]) == {t.number: facts.of(t) for t in tickets}


def test_what_does_not_decide_anything_leaves_the_clocks_alone(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now, accepted=True)
    before = {clock.id: clock.epoch for clock in clocks(s, ticket).values()}
    tags.put(s, ticket, add=["vip"], by=cast.alice, now=now)
    s.flush()
    assert {clock.id: clock.epoch for clock in clocks(s, ticket).values()} == before

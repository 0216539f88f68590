"""Other promises, tried on what happened."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from app.core.priority import Priority
from app.db.session import Session
from app.sla import actions as sla
from app.sla import policies, queries, rules
from app.sla.models import Clock, Happened
from app.sla.rules import Merging, Metric, Offer, Start
from app.sla.rules.preview import Difference, Standing, Verdict, standings
from app.tickets import actions, merging, preview, trash
from app.tickets.actions import Body
from app.tickets.models import Ticket
from app.tickets.preview import Preview
from app.tickets.rules import Status
from tests.cast import Cast
from tests.db.tickets.scene import BY_API, BY_MAIL, clocks, opened

HOUR = timedelta(hours=1)
pytestmark = pytest.mark.db


@pytest.fixture(autouse=True)
def service_levels(s: Session, now: datetime) -> None:
    sla.ensure_defaults(s, now=now)


def promising(s: Session, *, starts: Start | None = None, **lengths: timedelta) -> list[Offer]:
    """What is promised today, with other lengths for these metrics and perhaps another start."""

    def other(offer: Offer) -> Offer:
        plans = {}
        for priority, plan in offer.plans.items():
            goals = {m: replace(g, target=lengths.get(m.value, g.target)) for m, g in plan.goals.items()}
            plans[priority] = replace(plan, goals=goals, starts=starts or plan.starts)
        return replace(offer, plans=plans)

    return [other(offer) for offer in preview.offers(s)]


def tried(s: Session, offers: list[Offer], now: datetime, *, days: int = 30) -> Preview:
    s.flush()
    return preview.compare(s, preview.offers(s), offers, days=days, now=now)


def counted(found: Mapping[Metric, Mapping[Verdict, int]], metric: Metric) -> dict[str, int]:
    return {verdict.value: number for verdict, number in found[metric].items()}


def test_the_promises_of_today_change_nothing(s: Session, cast: Cast, now: datetime) -> None:
    opened(s, cast, now - HOUR, accepted=True)
    found = tried(s, preview.offers(s), now)
    assert (found.tickets, found.differing, found.today) == (1, [], found.then)


def test_what_would_be_missed_and_what_would_be_due_when_is_told_ticket_by_ticket(s: Session, cast: Cast, now: datetime) -> None:
    late = opened(s, cast, now - 3 * HOUR, accepted=True)
    soon = opened(s, cast, now - HOUR, accepted=True)
    found = tried(s, promising(s, first_response=2 * HOUR), now)
    assert [ticket.number for ticket in found.differing] == [soon.number, late.number]
    of = (Metric.FIRST_RESPONSE, 1)
    assert found.differing[1].differences == [
        Difference(*of, Standing(Verdict.RUNNING, now + 5 * HOUR), Standing(Verdict.MISSED, now - HOUR))
    ]
    assert found.differing[0].differences == [
        Difference(*of, Standing(Verdict.RUNNING, now + 7 * HOUR), Standing(Verdict.RUNNING, now + HOUR))
    ]
    assert counted(found.today, Metric.FIRST_RESPONSE) == {"running": 2}
    assert counted(found.then, Metric.FIRST_RESPONSE) == {"running": 1, "missed": 1}


def merged(s: Session, cast: Cast, now: datetime) -> tuple[Ticket, Ticket]:
    """One that waited for its customer from its second hour on, became part of another that is five hours younger."""
    one = opened(s, cast, now - 9 * HOUR, accepted=True)
    actions.change_status(s, one, to=Status.WAITING_CUSTOMER, by=cast.alice, now=now - 8 * HOUR)
    other = opened(s, cast, now - 4 * HOUR, accepted=True)
    merging.merge(s, one.number, other.number, by=cast.alice, now=now - HOUR)
    return one, other


def counting(s: Session, merging: Merging) -> list[Offer]:
    """What is promised today, with resolutions that count so after a merge."""
    offers = preview.offers(s)
    return [replace(o, plans={p: replace(plan, merging=merging) for p, plan in o.plans.items()}) for o in offers]


def test_that_resolutions_count_from_the_oldest_ticket_can_be_tried(s: Session, cast: Cast, now: datetime) -> None:
    _, other = merged(s, cast, now)
    [ticket] = tried(s, counting(s, Merging.EARLIEST), now).differing
    due = (Standing(Verdict.RUNNING, now - 4 * HOUR + hours * HOUR) for hours in (72, 71))
    assert (ticket.number, ticket.differences) == (other.number, [Difference(Metric.RESOLUTION, 1, *due)])


def test_where_they_do_their_life_reckoned_again_is_the_one_they_had(s: Session, cast: Cast, now: datetime) -> None:
    policy = policies.held(s, queries.policies(s)[0].id)
    policies.change(s, policy, {"merging": "earliest"}, by=(1, "Bob"), now=now)
    one, other = merged(s, cast, now)

    def reckoned() -> Standing:
        [(_, known, life)] = preview.lives(s, [other])
        return standings(life, rules.chosen(preview.offers(s), known), now)[Metric.RESOLUTION, 1]

    assert reckoned().due_at == clocks(s, other)["resolution"].due_at == now + 67 * HOUR
    [ticket] = tried(s, counting(s, Merging.UNCHANGED), now).differing
    assert ticket.number == other.number
    merging.unmerge(s, one.number, by=cast.alice, now=now)
    assert reckoned().due_at == clocks(s, other)["resolution"].due_at == now + 68 * HOUR
    assert queries.drifts(s, after=0, limit=10) == ([], None)


def test_what_was_kept_would_have_been_missed_by_a_shorter_promise_and_the_other_way_round(
    s: Session, cast: Cast, now: datetime
) -> None:
    ticket = opened(s, cast, now - 12 * HOUR, accepted=True)
    actions.reply(s, ticket, by=cast.alice, body=Body("Water."), source=BY_API, now=now - 10 * HOUR)
    actions.change_status(s, ticket, to=Status.RESOLVED, by=cast.alice, now=now - 9 * HOUR)
    shorter = tried(s, promising(s, first_response=HOUR, resolution=2 * HOUR), now)
    assert counted(shorter.today, Metric.RESOLUTION) == counted(shorter.today, Metric.FIRST_RESPONSE) == {"met": 1}
    assert counted(shorter.then, Metric.RESOLUTION) == counted(shorter.then, Metric.FIRST_RESPONSE) == {"missed": 1}
    assert tried(s, promising(s, first_response=3 * HOUR, resolution=4 * HOUR), now).then == shorter.today


def test_time_spent_waiting_for_the_customer_does_not_count_there_either(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now - 12 * HOUR, accepted=True)
    actions.change_status(s, ticket, to=Status.WAITING_CUSTOMER, by=cast.alice, now=now - 11 * HOUR)
    actions.customer_reply(s, ticket, by=cast.carol, body=Body("Here."), source=BY_MAIL, now=now - HOUR)
    [changed] = tried(s, promising(s, resolution=3 * HOUR), now).differing
    [difference] = changed.differences
    assert difference.then == Standing(Verdict.RUNNING, now + HOUR)


def test_clocks_that_would_begin_with_the_ticket_are_tried_on_those_that_wait_to_be_accepted(
    s: Session, cast: Cast, now: datetime
) -> None:
    waiting = opened(s, cast, now - HOUR)
    [changed] = tried(s, promising(s, starts=Start.CREATED), now).differing
    assert changed.number == waiting.number
    assert {d.metric: (d.today, d.then) for d in changed.differences} == {
        Metric.FIRST_RESPONSE: (None, Standing(Verdict.RUNNING, now + 7 * HOUR)),
        Metric.RESOLUTION: (None, Standing(Verdict.RUNNING, now + 71 * HOUR)),
    }


def test_closed_tickets_of_before_are_left_out_and_open_ones_are_not(s: Session, cast: Cast, now: datetime) -> None:
    long_ago = now - timedelta(days=90)
    done, still = (opened(s, cast, long_ago, accepted=True) for _ in range(2))
    actions.change_status(s, done, to=Status.RESOLVED, by=cast.alice, now=long_ago + HOUR)
    found = tried(s, promising(s, resolution=HOUR / 2), now)
    assert [ticket.number for ticket in found.differing] == [still.number]
    assert tried(s, promising(s, resolution=HOUR / 2), now, days=100).tickets == 2


def test_a_ticket_in_the_trash_breaks_no_promise(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now - 3 * HOUR, accepted=True)
    trash.discard(s, ticket, reason="twice", by=cast.bob, now=now - 2 * HOUR)
    assert counted(tried(s, promising(s, first_response=HOUR / 2), now).then, Metric.FIRST_RESPONSE) == {"missed": 1}
    assert counted(tried(s, promising(s, first_response=2.5 * HOUR), now).then, Metric.FIRST_RESPONSE) == {"off": 1}


def test_trying_writes_nothing(s: Session, cast: Cast, now: datetime) -> None:
    opened(s, cast, now - 3 * HOUR, accepted=True)
    s.flush()

    def rows() -> list[object]:
        counts = [s.scalar(select(func.count()).select_from(table)) for table in (Clock, Happened, Ticket)]
        return [*counts, [tuple(row) for row in s.execute(select(Clock.__table__).order_by(Clock.id))]]

    before = rows()
    tried(s, promising(s, first_response=HOUR), now)
    assert not [*s.new, *s.dirty, *s.deleted]
    assert rows() == before


def test_a_life_is_known_in_the_order_in_which_it_was_lived(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now)
    actions.accept(s, ticket, by=cast.alice, now=now + HOUR)
    actions.prioritise(s, ticket, to=Priority.HIGH, by=cast.alice, now=now + HOUR)
    actions.reply(s, ticket, by=cast.alice, body=Body("Water."), source=BY_API, now=now + 2 * HOUR)
    s.flush()
    assert [(each.at, *each.moments) for each in queries.lives(s, [ticket.number])[ticket.number]] == [
        (now, "created"),
        (now + HOUR, "accepted"),
        (now + 2 * HOUR, "agent_answered"),
    ]

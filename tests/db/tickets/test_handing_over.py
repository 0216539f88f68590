"""Whose a ticket is: a person's, a team's, and never somebody's who may not work on it."""

import threading
from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import update

from app.accounts.models import Team
from app.accounts.rules import Part
from app.core.errors import Invalid
from app.db.session import Database, Session
from app.db.session import now as database_now
from app.tickets import actions, change, queries
from app.tickets.change import Change
from tests.cast import Cast, assemble
from tests.db.tickets.scene import BY_API, joins, opened, told


def test_a_team_is_given_a_ticket_and_it_is_written_down(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now)
    actions.hand_over(s, ticket, to=cast.billing, by=cast.alice, now=now)
    s.flush()
    assert ticket.team_id == cast.billing.id
    assert told(s, ticket) == [("ticket.team_changed", {"before": None, "to": "Billing"})]


def test_an_assignee_who_does_not_work_in_the_new_team_loses_it_in_the_same_action(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now)
    actions.assign(s, ticket, to=cast.alice, by=cast.bob, now=now)
    actions.hand_over(s, ticket, to=cast.billing, by=cast.alice, now=now)
    assert ticket.assignee is None
    assert [kind for kind, _ in told(s, ticket)] == ["ticket.assigned", "ticket.team_changed", "ticket.assigned"]


def test_an_assignee_who_only_reads_there_loses_it_too(s: Session, cast: Cast, now: datetime) -> None:
    joins(s, cast.alice, cast.billing, now, Part.READER)
    ticket = opened(s, cast, now)
    actions.assign(s, ticket, to=cast.alice, by=cast.bob, now=now)
    actions.hand_over(s, ticket, to=cast.billing, by=cast.bob, now=now)
    assert ticket.assignee is None


def test_whoever_works_there_or_manages_keeps_it(s: Session, cast: Cast, now: datetime) -> None:
    for person in (cast.erin, cast.bob):
        ticket = opened(s, cast, now)
        actions.assign(s, ticket, to=person, by=cast.bob, now=now)
        actions.hand_over(s, ticket, to=cast.billing, by=cast.bob, now=now)
        assert ticket.assignee is person


def test_only_those_who_may_work_on_it_can_be_given_it(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now, team=cast.billing)
    for person in (cast.alice, cast.carol, cast.mallory, cast.dave):
        with pytest.raises(Invalid, match=f"{person.name} can't be given"):
            actions.assign(s, ticket, to=person, by=cast.bob, now=now)
    cast.erin.disabled_at = now
    with pytest.raises(Invalid, match="Erin can't be given"):
        actions.assign(s, ticket, to=cast.erin, by=cast.bob, now=now)
    assert told(s, ticket) == []


def test_an_archived_team_gets_nothing(s: Session, cast: Cast, now: datetime) -> None:
    old = Team(name="Fax", created_at=now, archived_at=now)
    s.add(old)
    s.flush()
    ticket = opened(s, cast, now)
    with pytest.raises(Invalid, match="Fax is archived"):
        change.apply(s, ticket, Change(team_id=old.id), by=cast.bob, now=now)


def test_team_and_assignee_go_together_in_one_change(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now)
    actions.assign(s, ticket, to=cast.alice, by=cast.bob, now=now)
    change.apply(s, ticket, Change(team_id=cast.billing.id, assignee_id=cast.erin.id), by=cast.bob, now=now)
    assert (ticket.team, ticket.assignee) == (cast.billing, cast.erin)


@pytest.mark.parametrize("id", [0, 999_999])
def test_ids_of_nothing_are_refused(s: Session, cast: Cast, now: datetime, id: int) -> None:
    ticket = opened(s, cast, now)
    with pytest.raises(Invalid, match="no team"):
        change.apply(s, ticket, Change(team_id=id), by=cast.bob, now=now)
    with pytest.raises(Invalid, match="no person"):
        change.apply(s, ticket, Change(assignee_id=id), by=cast.bob, now=now)


def test_a_follow_up_stays_with_the_team_whose_eyes_the_first_was_for(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now, team=cast.billing, accepted=True)
    fresh = actions.follow_up(
        s, ticket, requester=cast.carol, by=cast.erin, body=actions.Body("About the refund."), source=BY_API, now=now
    )
    assert (fresh.follows, fresh.team_id, fresh.requester, fresh.status) == (ticket.number, cast.billing.id, cast.carol, "new")
    assert told(s, ticket)[-1] == ("ticket.followed_up", {"follow_up": fresh.number})


def test_a_team_that_is_archived_while_it_is_given_a_ticket_waits_and_keeps_it(database: Database) -> None:
    with database.transaction() as s:
        now = database_now(s)
        cast = assemble(s, now)
        number = opened(s, cast, now).number

    def archive() -> None:
        with database.transaction() as s:
            s.execute(update(Team).where(Team.id == cast.billing.id).values(archived_at=now))

    with database.transaction() as s:
        ticket = queries.by_number(s, number, lock=True)
        assert ticket
        change.apply(s, ticket, Change(team_id=cast.billing.id, assignee_id=cast.erin.id), by=s.merge(cast.bob), now=now)
        s.flush()
        archiving = threading.Thread(target=archive)
        archiving.start()
        archiving.join(0.3)
        assert archiving.is_alive()
    archiving.join(10)
    with database.transaction() as s:
        other = opened(s, cast_again(s, cast), now)
        with pytest.raises(Invalid, match="Billing is archived"):
            change.apply(s, other, Change(team_id=cast.billing.id), by=s.merge(cast.bob), now=now)


def cast_again(s: Session, cast: Cast) -> Cast:
    return replace(cast, carol=s.merge(cast.carol))

"""Many tickets at once."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.accounts.models import Membership, Person
from app.accounts.rules import Part
from app.audit.models import Event
from app.core.errors import Invalid, NotFound
from app.core.priority import Priority
from app.db.session import Session
from app.sla import actions as sla
from app.sla import queries as sla_queries
from app.tickets import actions, bulk, change, merging, trash
from app.tickets.bulk import AlreadyReverted, Changing, Trashing
from app.tickets.change import Change
from app.tickets.models import Bulk, BulkTicket, Ticket
from app.tickets.rules import Status
from tests.cast import Cast
from tests.db.tickets.scene import clocks, opened

pytestmark = pytest.mark.db

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def service_levels(s: Session, now: datetime) -> None:
    sla.ensure_defaults(s, now=now)


def do(s: Session, tickets: list[Ticket] | list[int], by: Person, now: datetime, **said: Any) -> Bulk:
    numbers = [each if isinstance(each, int) else each.number for each in tickets]
    deed = Trashing(said["trash"]) if "trash" in said else Changing(Change.of(said))
    made = bulk.do(s, numbers, deed, by=by, now=now)
    s.flush()
    return made


def revert(s: Session, made: Bulk, by: Person, now: datetime) -> Bulk:
    bulk.revert(s, made.id, by=by, now=now)
    s.flush()
    return made


def rows(s: Session, made: Bulk) -> dict[int, BulkTicket]:
    return {row.ticket: row for row in s.scalars(select(BulkTicket).where(BulkTicket.bulk_id == made.id))}


def test_each_is_changed_with_one_entry_in_the_audit_and_one_for_them_all(s: Session, cast: Cast, now: datetime) -> None:
    three = [opened(s, cast, now) for _ in range(3)]
    s.info["audit"].clear()
    made = do(s, three, cast.alice, now, priority="high", add_tags=["outage"])
    assert {(t.priority, tuple(t.tags)) for t in three} == {(Priority.HIGH, ("outage",))}
    told = s.info["audit"]
    assert [e["ticket"] for e in told] == [t.number for t in three for _ in range(2)] + [None]
    assert {e["data"]["bulk"] for e in told} == {made.id}
    assert (told[-1]["kind"], told[-1]["data"]["changed"]) == (Event.BULK_CHANGED, [t.number for t in three])


def test_what_is_refused_is_listed_and_changed_in_nothing_and_the_rest_is_done(s: Session, cast: Cast, now: datetime) -> None:
    new, accepted, trashed, merged = (opened(s, cast, now, accepted=n > 0) for n in range(4))
    billing = opened(s, cast, now, team=cast.billing)
    trash.discard(s, trashed, reason="x", by=cast.alice, now=now)
    merging.merge(s, merged.number, accepted.number, by=cast.alice, now=now, reveal=True)
    every = [new, accepted, trashed, merged, billing]
    s.flush()
    s.info["audit"].clear()
    made = do(s, [*(t.number for t in every), 10**9], cast.alice, now, priority="urgent", status="resolved")
    found = rows(s, made)
    assert (accepted.priority, accepted.status, found[accepted.number].refusal) == ("urgent", "resolved", None)
    assert "can't become resolved" in (found[new.number].refusal or "")
    assert "in the trash" in (found[trashed.number].refusal or "")
    assert f"part of ticket {accepted.number}" in (found[merged.number].refusal or "")
    assert billing.number not in found
    assert [t.priority for t in every] == ["medium", "urgent", "medium", "medium", "medium"]
    assert {e["ticket"] for e in s.info["audit"]} == {accepted.number, None}


def test_reverted_each_has_what_it_had(s: Session, cast: Cast, now: datetime) -> None:
    three = [opened(s, cast, now, accepted=True) for _ in range(3)]
    actions.assign(s, three[0], to=cast.alice, by=cast.alice, now=now)
    actions.prioritise(s, three[1], to=Priority.LOW, by=cast.alice, now=now)
    before = [change.values(t) for t in three]
    made = do(s, three, cast.alice, now, assignee_id=cast.bob.id, priority="urgent", status="resolved", subject="All of it")
    revert(s, made, cast.alice, now + HOUR)
    assert [change.values(t) for t in three] == before
    told = s.info["audit"][-1]
    assert (told["kind"], told["data"]["reverted"]) == (Event.BULK_REVERTED, [t.number for t in three])


def test_reverted_the_clocks_that_the_change_stopped_go_on(s: Session, cast: Cast, now: datetime) -> None:
    resolved, cancelled = opened(s, cast, now, accepted=True), opened(s, cast, now, accepted=True)
    for ticket, status in ((resolved, "resolved"), (cancelled, "cancelled")):
        made = do(s, [ticket], cast.alice, now + HOUR, status=status)
        assert all(clock.outcome for clock in clocks(s, ticket).values())
        revert(s, made, cast.alice, now + 3 * HOUR)
        found = clocks(s, ticket)
        assert {name: (c.outcome, c.due_at) for name, c in found.items()} == {
            "first_response": (None, now + 10 * HOUR),
            "resolution": (None, now + 74 * HOUR),
        }
    assert sla_queries.drifts(s, after=0, limit=100)[0] == []


def test_what_was_changed_since_is_left_alone_and_listed(s: Session, cast: Cast, now: datetime) -> None:
    touched, moved, trashed, merged, fine, into = (opened(s, cast, now, accepted=True) for _ in range(6))
    made = do(s, [touched, moved, trashed, merged, fine], cast.alice, now, priority="high")
    actions.prioritise(s, touched, to=Priority.LOW, by=cast.bob, now=now)
    actions.hand_over(s, moved, to=cast.billing, by=cast.bob, now=now)
    trash.discard(s, trashed, reason="x", by=cast.alice, now=now)
    merging.merge(s, merged.number, into.number, by=cast.alice, now=now, reveal=True)
    s.flush()
    revert(s, made, cast.alice, now)
    found = rows(s, made)
    assert [t.priority for t in (touched, moved, trashed, merged, fine)] == ["low", "high", "high", "high", "medium"]
    assert found[touched.number].kept == found[trashed.number].kept == "It was changed since."
    assert found[moved.number].kept == f"There is no ticket {moved.number} here."
    assert f"part of ticket {into.number}" in (found[merged.number].kept or "")
    assert found[fine.number].kept is None


def test_the_trash_is_reverted_too(s: Session, cast: Cast, now: datetime) -> None:
    two = [opened(s, cast, now, accepted=True) for _ in range(2)]
    made = do(s, two, cast.alice, now, trash="Advertising")
    assert [t.trash_reason for t in two] == ["Advertising"] * 2
    trash.take_back(s, two[0], by=cast.bob, now=now)
    s.flush()
    revert(s, made, cast.alice, now)
    assert [t.trashed_at for t in two] == [None, None]
    assert [rows(s, made)[t.number].kept for t in two] == ["It was changed since.", None]


def test_it_is_reverted_once_and_by_its_maker_or_a_manager(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now)
    made = do(s, [ticket], cast.alice, now, priority="high")
    for person in (cast.erin, cast.carol, cast.mallory):
        with pytest.raises(NotFound):
            revert(s, made, person, now)
        with pytest.raises(NotFound):
            bulk.told(s.connection(), person, made.id)
    revert(s, made, cast.bob, now)
    with pytest.raises(AlreadyReverted):
        revert(s, made, cast.alice, now)
    assert ticket.priority == "medium"


def test_whoever_lost_the_team_reverts_nothing_of_it(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now, team=cast.billing)
    made = do(s, [ticket], cast.erin, now, priority="high")
    part = s.get_one(Membership, (cast.billing.id, cast.erin.id))
    part.part = Part.READER
    s.flush()
    s.expire(cast.erin)
    revert(s, made, cast.erin, now)
    assert (ticket.priority, "may not" in (rows(s, made)[ticket.number].kept or "")) == ("high", True)


def test_it_takes_five_hundred_tickets_at_most(s: Session, cast: Cast, now: datetime) -> None:
    with pytest.raises(Invalid, match="1 to 500"):
        do(s, list(range(1, 502)), cast.alice, now, priority="high")
    with pytest.raises(Invalid, match="1 to 500"):
        do(s, [], cast.alice, now, priority="high")


def test_a_ticket_that_is_so_already_is_none_that_changed(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now)
    revision = ticket.revision
    made = do(s, [ticket, ticket], cast.alice, now, priority="medium")
    assert (ticket.revision, s.info["audit"][-1]["data"]["changed"]) == (revision, [])
    assert '"outcome" : "unchanged"' in bulk.told(s.connection(), cast.alice, made.id)


def test_a_refusal_takes_its_savepoint_back_and_nothing_else(s: Session, cast: Cast, now: datetime) -> None:
    """New tags are made in the refused one's savepoint, and the entries of those before it stay."""
    first, refused = opened(s, cast, now, accepted=True), opened(s, cast, now)
    do(s, [first, refused], cast.alice, now, add_tags=["fresh"], status="in_progress")
    assert (first.status, refused.status, refused.tags) == (Status.IN_PROGRESS, Status.NEW, [])
    kinds = [e["kind"] for e in s.info["audit"] if e["ticket"] == first.number]
    assert kinds[-2:] == [Event.TICKET_TAGGED, Event.TICKET_STATUS_CHANGED]

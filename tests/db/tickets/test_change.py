"""Changing a ticket in one go, and putting it back."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.core.errors import Conflict
from app.core.priority import Priority
from app.db.session import Session
from app.sla import actions as sla
from app.tickets import actions, change, field_list, fields
from app.tickets.actions import TransitionRefused
from app.tickets.change import Change
from app.tickets.rules import FieldKind, Status
from tests.cast import Cast
from tests.db.tickets.scene import clocks, field, opened, told


@pytest.fixture(autouse=True)
def service_levels(s: Session, now: datetime) -> None:
    sla.ensure_defaults(s, now=now)


def test_each_kind_of_change_has_an_entry_of_its_own_and_a_revision(s: Session, cast: Cast, now: datetime) -> None:
    field(s, cast, now, "contract")
    ticket = opened(s, cast, now)
    before = ticket.revision
    whole = Change(
        subject="Printer on fire",
        status=Status.ACCEPTED,
        priority=Priority.URGENT,
        team_id=cast.billing.id,
        assignee_id=cast.erin.id,
        add_tags=("fire",),
        fields={"contract": "A"},
        snoozed_until=now + timedelta(hours=1),
    )
    change.apply(s, ticket, whole, by=cast.bob, now=now)
    assert [kind for kind, _ in told(s, ticket)] == [
        "ticket.team_changed",
        "ticket.assigned",
        "ticket.subject_changed",
        "ticket.priority_changed",
        "ticket.tagged",
        "ticket.fields_changed",
        "ticket.accepted",
        "ticket.snoozed",
    ]
    assert ticket.revision == before + 8


def test_what_is_so_already_changes_nothing(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now)
    same = Change(
        subject="Printer", status=Status.NEW, priority=Priority.MEDIUM, team_id=None, assignee_id=None, snoozed_until=None
    )
    change.apply(s, ticket, same, by=cast.bob, now=now)
    assert told(s, ticket) == []


def test_another_subject_is_found_by_its_words(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now)
    change.apply(s, ticket, Change(subject="Toaster\r\nBcc: evil"), by=cast.alice, now=now)
    assert ticket.subject == "Toaster Bcc: evil"
    hit = text("SELECT whole @@ to_tsquery('simple', 'toaster') FROM ticket_text WHERE ticket = :n")
    assert s.scalar(hit, {"n": ticket.number}) is True


def test_a_step_that_is_not_allowed_names_what_is(s: Session, cast: Cast, now: datetime) -> None:
    with pytest.raises(TransitionRefused, match="Allowed from here: accepted, cancelled") as refused:
        change.apply(s, opened(s, cast, now), Change(status=Status.RESOLVED), by=cast.alice, now=now)
    assert refused.value.more == {"allowed": ["accepted", "cancelled"]}


def test_a_ticket_that_is_part_of_another_is_not_changed(s: Session, cast: Cast, now: datetime) -> None:
    whole, part = opened(s, cast, now), opened(s, cast, now)
    part.merged_into = part.conversation = whole.number
    for each in (Change(priority=Priority.LOW), Change(add_tags=("a",)), Change(status=Status.ACCEPTED), Change(subject="x")):
        with pytest.raises(Conflict, match=f"part of ticket {whole.number}"):
            change.apply(s, part, each, by=cast.bob, now=now)


@pytest.mark.parametrize("start", [Status.ACCEPTED, Status.WAITING_CUSTOMER])
@pytest.mark.parametrize("to", [Status.WAITING_CUSTOMER, Status.RESOLVED, Status.CANCELLED])
def test_what_was_changed_is_put_back_whole(s: Session, cast: Cast, now: datetime, start: Status, to: Status) -> None:
    field(s, cast, now, "contract")
    ticket = opened(s, cast, now, accepted=True)
    change.apply(
        s, ticket, Change(assignee_id=cast.alice.id, add_tags=("a", "b"), fields={"contract": "A"}), by=cast.bob, now=now
    )
    if start is not Status.ACCEPTED:
        actions.change_status(s, ticket, to=start, by=cast.alice, now=now)
    before = change.values(ticket)
    every: dict[str, Any] = {"subject": "Other", "status": to, "priority": "low", "team_id": cast.billing.id, "assignee_id": None}
    every |= {"add_tags": ["c"], "remove_tags": ["a"], "fields": {"contract": None}}
    later = now + timedelta(minutes=5)
    change.apply(s, ticket, Change.of(every), by=cast.bob, now=later)
    assert change.values(ticket) != before

    change.restore(s, ticket, before, by=cast.bob, now=later)

    assert change.values(ticket) == before
    running = clocks(s, ticket)["resolution"]
    assert (running.outcome, running.state) == (None, "paused" if start is Status.WAITING_CUSTOMER else "running")


def test_a_value_of_a_field_that_was_deleted_since_stays_away(s: Session, cast: Cast, now: datetime) -> None:
    made = field(s, cast, now, "rooms", FieldKind.NUMBER)
    ticket = opened(s, cast, now)
    fields.fill(s, ticket, {"rooms": 3}, by=cast.alice, now=now)
    before = change.values(ticket)
    fields.fill(s, ticket, {"rooms": None}, by=cast.alice, now=now)
    s.flush()
    field_list.drop(s, made, by=cast.bob, now=now)
    change.restore(s, ticket, before, by=cast.bob, now=now)
    assert ticket.fields == {}

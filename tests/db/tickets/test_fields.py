"""Custom fields on tickets."""

from datetime import datetime

import pytest

from app.accounts.rules import Part
from app.core.errors import Forbidden, Invalid, NotFound
from app.db.session import Session
from app.tickets import actions, change, field_list, fields
from app.tickets.actions import Body
from app.tickets.change import Change
from app.tickets.field_list import FieldInUse, KeyTaken
from app.tickets.fields import FieldMissing
from app.tickets.rules import FieldKind, Required, Status
from app.tickets.typed import WrongValue
from tests.cast import Cast
from tests.db.tickets.scene import BY_API, field, joins, opened, told


def test_values_are_kept_by_key_and_the_audit_says_what_was_before(s: Session, cast: Cast, now: datetime) -> None:
    field(s, cast, now, "contract")
    field(s, cast, now, "rooms", FieldKind.NUMBER)
    ticket = opened(s, cast, now)
    fields.fill(s, ticket, {"contract": " A-17 ", "rooms": 3}, by=cast.alice, now=now)
    fields.fill(s, ticket, {"contract": None, "rooms": 3}, by=cast.alice, now=now)
    assert ticket.fields == {"rooms": 3}
    assert told(s, ticket) == [
        ("ticket.fields_changed", {"fields": {"contract": [None, "A-17"], "rooms": [None, 3]}}),
        ("ticket.fields_changed", {"fields": {"contract": ["A-17", None]}}),
    ]


def test_a_ticket_has_the_fields_of_its_team_and_of_all_and_no_others(s: Session, cast: Cast, now: datetime) -> None:
    field(s, cast, now, "everywhere")
    field(s, cast, now, "invoice", team_id=cast.billing.id)
    free, billed = opened(s, cast, now), opened(s, cast, now, team=cast.billing)
    assert [f.key for f in fields.of_ticket(s, billed)] == ["everywhere", "invoice"]
    with pytest.raises(WrongValue, match=r"no field 'invoice' to fill in\. It has: everywhere"):
        fields.fill(s, free, {"invoice": "7"}, by=cast.alice, now=now)


def test_moving_to_a_team_and_filling_in_its_fields_is_one_change(s: Session, cast: Cast, now: datetime) -> None:
    field(s, cast, now, "invoice", team_id=cast.billing.id)
    ticket = opened(s, cast, now)
    change.apply(s, ticket, Change(team_id=cast.billing.id, fields={"invoice": "7"}), by=cast.alice, now=now)
    assert ticket.fields == {"invoice": "7"}


def test_what_a_ticket_lacks_holds_up_its_accept_and_is_named(s: Session, cast: Cast, now: datetime) -> None:
    field(s, cast, now, "contract", required=Required.TO_ACCEPT)
    ticket = opened(s, cast, now)
    with pytest.raises(FieldMissing, match=r"can be accepted, fill in: Contract \(contract\)") as refused:
        actions.change_status(s, ticket, to=Status.ACCEPTED, by=cast.alice, now=now)
    assert refused.value.more == {"fields": ["contract"]}
    assert ticket.accepted_at is None
    change.apply(s, ticket, Change(fields={"contract": "A"}, status=Status.ACCEPTED), by=cast.alice, now=now)
    assert ticket.status is Status.ACCEPTED


def test_what_a_ticket_lacks_holds_up_resolving_it_also_by_an_answer(s: Session, cast: Cast, now: datetime) -> None:
    field(s, cast, now, "cause", FieldKind.CHOICE, choices=["paper", "fire"], required=Required.TO_RESOLVE)
    field(s, cast, now, "checked", FieldKind.CHECKBOX, required=Required.TO_RESOLVE)
    ticket = opened(s, cast, now, accepted=True)
    with pytest.raises(FieldMissing, match="cause"):
        actions.reply(s, ticket, by=cast.alice, body=Body("Done."), source=BY_API, now=now, then=Status.RESOLVED)
    fields.fill(s, ticket, {"cause": "fire", "checked": False}, by=cast.alice, now=now)
    with pytest.raises(FieldMissing, match="checked"):
        actions.change_status(s, ticket, to=Status.RESOLVED, by=cast.alice, now=now)
    fields.fill(s, ticket, {"checked": True}, by=cast.alice, now=now)
    actions.change_status(s, ticket, to=Status.RESOLVED, by=cast.alice, now=now)
    assert ticket.status is Status.RESOLVED


def test_cancelling_needs_nothing_and_a_desk_without_a_gate_is_not_held_up(s: Session, cast: Cast, now: datetime) -> None:
    field(s, cast, now, "contract", required=Required.TO_ACCEPT)
    ticket = opened(s, cast, now, accepted=True)
    assert ticket.status is Status.ACCEPTED
    actions.change_status(s, ticket, to=Status.CANCELLED, by=cast.alice, now=now)


def test_another_teams_field_and_an_archived_one_hold_up_nothing(s: Session, cast: Cast, now: datetime) -> None:
    field(s, cast, now, "invoice", team_id=cast.billing.id, required=Required.TO_ACCEPT)
    old = field(s, cast, now, "old", required=Required.TO_ACCEPT)
    ticket = opened(s, cast, now)
    ticket.fields = {"old": "kept"}
    field_list.change(s, old, by=cast.bob, now=now, archived=True)
    s.flush()
    actions.change_status(s, ticket, to=Status.ACCEPTED, by=cast.alice, now=now)
    with pytest.raises(WrongValue, match="no field 'old'"):
        fields.fill(s, ticket, {"old": "new"}, by=cast.alice, now=now)
    assert ticket.fields == {"old": "kept"}


def test_a_field_is_changed_by_its_teams_leads_and_by_managers(s: Session, cast: Cast, now: datetime) -> None:
    billed, shared = field(s, cast, now, "invoice", team_id=cast.billing.id), field(s, cast, now, "everywhere")
    s.flush()
    with pytest.raises(Forbidden):
        field_list.by_id(s, cast.erin, billed.id)
    joins(s, cast.alice, cast.billing, now, Part.LEAD)
    assert field_list.by_id(s, cast.alice, billed.id) is billed
    with pytest.raises(Forbidden):
        field_list.by_id(s, cast.alice, shared.id)
    with pytest.raises(Forbidden):
        field_list.add(s, by=cast.erin, now=now, key="x", label="x", kind=FieldKind.TEXT, team_id=cast.billing.id, choices=[])


def test_another_teams_field_is_not_there(s: Session, cast: Cast, now: datetime) -> None:
    billed = field(s, cast, now, "invoice", team_id=cast.billing.id)
    s.flush()
    with pytest.raises(NotFound):
        field_list.by_id(s, cast.alice, billed.id)


def test_a_key_is_taken_once_for_all_teams(s: Session, cast: Cast, now: datetime) -> None:
    field(s, cast, now, "invoice", team_id=cast.billing.id)
    with pytest.raises(KeyTaken):
        field(s, cast, now, "invoice")


@pytest.mark.parametrize("choices", [[], ["a", "a"], ["a", " "], ["x"] * 101])
def test_choices_are_some_and_differ(s: Session, cast: Cast, now: datetime, choices: list[str]) -> None:
    with pytest.raises(Invalid, match="choices"):
        field(s, cast, now, "cause", FieldKind.CHOICE, choices=choices)


def test_a_text_has_no_choices(s: Session, cast: Cast, now: datetime) -> None:
    with pytest.raises(Invalid, match="no choices"):
        field(s, cast, now, "cause", choices=["a"])


def test_one_that_holds_a_value_is_archived_and_not_deleted(s: Session, cast: Cast, now: datetime) -> None:
    used, unused = field(s, cast, now, "used"), field(s, cast, now, "unused")
    ticket = opened(s, cast, now)
    fields.fill(s, ticket, {"used": "yes"}, by=cast.alice, now=now)
    s.flush()
    with pytest.raises(FieldInUse):
        field_list.drop(s, used, by=cast.bob, now=now)
    field_list.drop(s, unused, by=cast.bob, now=now)
    s.flush()
    assert [f.key for f in fields.of_ticket(s, ticket)] == ["used"]


def test_what_was_changed_on_a_field_is_in_the_audit(s: Session, cast: Cast, now: datetime) -> None:
    made = field(s, cast, now, "cause", FieldKind.CHOICE, choices=["paper"])
    field_list.change(s, made, by=cast.bob, now=now, choices=["paper", "fire"], label="Cause")
    field_list.change(s, made, by=cast.bob, now=now, archived=True)
    field_list.change(s, made, by=cast.bob, now=now, archived=True)
    events = [e["data"] for e in s.info["audit"] if e["kind"] == "custom_field.changed"]
    assert [e["did"] for e in events] == ["made", "changed", "changed"]
    assert events[1]["changes"] == {"choices": [["paper"], ["paper", "fire"]]}
    assert events[2]["changes"] == {"archived_at": [None, now.isoformat()]}
    assert made.revision == 3

"""The custom fields that there are, and who may change them: a team's its leads and managers, those of all managers.

A field keeps its key, its kind and its team for good, because tickets hold values by them. What is no longer wanted is archived.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, or_, select, true, tuple_
from sqlalchemy.dialects.postgresql import insert

from app.accounts.models import Person, Team
from app.accounts.rules import Actor, may_keep
from app.audit import actions as audit
from app.audit.models import Event
from app.core import text
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.db.session import Session
from app.tickets.models import Field, Ticket
from app.tickets.rules import FieldKind

MOST = 100  # choices
LONGEST = 100  # characters of a label or a choice
_KEY = re.compile("[a-z][a-z0-9_]{0,39}")
_CHOOSING = frozenset({FieldKind.CHOICE, FieldKind.MULTI_CHOICE})


class KeyTaken(Conflict):
    """There is a custom field with this key already, perhaps an archived one. Choose another."""

    slug = "key-taken"


class FieldInUse(Conflict):
    """Some ticket has a value in this field. Archive it instead: the values stay, and nobody fills it in any more."""

    slug = "field-in-use"


def listed(c: Connection, actor: Actor, *, team_id: int | None, archived: bool, limit: int, cursor: str | None) -> dict[str, Any]:
    """The fields of `actor`'s teams and of all, in their order; with `team_id` those that its tickets have."""
    wanted = or_(Field.team_id.is_(None), Field.team_id == team_id) if team_id else true()
    living = true() if archived else Field.archived_at.is_(None)
    query = select(*Field.__table__.c, Team.name.label("team")).outerjoin(Team, Team.id == Field.team_id)
    page = query.where(_visible_to(actor), wanted, living, _after(cursor)).order_by(Field.position, Field.id).limit(limit + 1)
    rows = c.execute(page).mappings().all()
    following = f"{rows[limit - 1]['position']}.{rows[limit - 1]['id']}" if len(rows) > limit else None
    return {"items": [told(dict(row), row["team"]) for row in rows[:limit]], "next": following}


def told(field: Mapping[str, Any], team: str | None) -> dict[str, Any]:
    """A field as the API tells it."""
    same = ("id", "key", "label", "kind", "choices", "required", "shown_to_customers", "position", "archived_at", "created_at")
    whose = {"id": field["team_id"], "name": team} if field["team_id"] else None
    return {**{name: field[name] for name in same}, "team": whose, "revision": field["revision"]}


def by_id(s: Session, actor: Actor, id: int) -> Field:
    """One to change, locked. Raises NotFound for another team's, Forbidden for one that `actor` only uses."""
    found = s.scalar(select(Field).where(Field.id == id, _visible_to(actor)).with_for_update(of=Field))
    if found is None:
        raise NotFound(f"There is no custom field {id}.")
    _refuse_strangers(actor, found.team_id)
    return found


def add(s: Session, *, by: Person, now: datetime, **given: Any) -> Field:
    """A new field. `given` is everything it has. Raises KeyTaken."""
    _refuse_strangers(by, given["team_id"])
    if given["team_id"] is not None:
        team = s.get(Team, given["team_id"])
        if team is None or team.archived_at:
            raise Invalid(f"There is no team {given['team_id']} that gets tickets.")
    if not _KEY.fullmatch(given["key"]):
        raise Invalid("A key has a small letter and then up to 39 small letters, digits or _, like contract_no.")
    row = {**given, "label": _label(given["label"]), "choices": _choices(given["kind"], given["choices"])}
    made: Field | None = s.scalar(
        insert(Field).values(**row, created_at=now).on_conflict_do_nothing(index_elements=["key"]).returning(Field)
    )
    if made is None:
        raise KeyTaken
    _tell(s, made, by=by, now=now, did="made", became=given)
    return made


def change(s: Session, field: Field, *, by: Person, now: datetime, archived: bool | None = None, **given: Any) -> None:
    """Give it another label, other choices and so on; or put it away, or take it out again. Values stay as they are."""
    if "label" in given:
        given["label"] = _label(given["label"])
    if "choices" in given:
        given["choices"] = _choices(field.kind, given["choices"])
    if archived is not None and archived != (field.archived_at is not None):
        given["archived_at"] = now if archived else None
    before = {name: getattr(field, name) for name in given}
    changed = {name: [_plain(before[name]), _plain(value)] for name, value in given.items() if before[name] != value}
    for name, value in given.items():
        setattr(field, name, value)
    if changed:
        field.revision += 1
        _tell(s, field, by=by, now=now, did="changed", changes=changed)


def drop(s: Session, field: Field, *, by: Person, now: datetime) -> None:
    """Delete one that no ticket has a value in. The caller holds its row, so that nobody fills it in meanwhile."""
    if s.scalar(select(Ticket.number).where(func.jsonb_exists(Ticket.fields, field.key)).limit(1)) is not None:
        raise FieldInUse
    s.delete(field)
    _tell(s, field, by=by, now=now, did="deleted")


def _visible_to(actor: Actor) -> ColumnElement[bool]:
    return true() if actor.role.manages else or_(Field.team_id.is_(None), Field.team_id.in_(sorted(actor.teams)))


def _refuse_strangers(actor: Actor, team_id: int | None) -> None:
    if not may_keep(actor, team_id):
        raise Forbidden("A team's custom fields are changed by its leads and by managers; those of all teams by managers.")


def _label(raw: str) -> str:
    label = text.one_line(raw, most=LONGEST)
    if not label:
        raise Invalid("A custom field has a label.")
    return label


def _choices(kind: FieldKind, given: Sequence[str]) -> list[str]:
    if kind not in _CHOOSING:
        if given:
            raise Invalid(f"A field of the kind {kind} has no choices.")
        return []
    choices = [text.one_line(each, most=LONGEST) for each in given]
    if not 1 <= len(choices) <= MOST or not all(choices) or len(set(choices)) < len(choices):
        raise Invalid(f"A field of the kind {kind} has 1 to {MOST} choices, no two alike and none empty.")
    return choices


def _after(cursor: str | None) -> ColumnElement[bool]:
    if cursor is None:
        return true()
    position, _, id = cursor.partition(".")
    if not (position.isdecimal() and id.isdecimal() and len(cursor) < 38):
        raise Invalid("That cursor is none of ours; take the `next` of an earlier answer, or leave it out.")
    return tuple_(Field.position, Field.id) > (int(position), int(id))


def _tell(s: Session, field: Field, *, by: Person, now: datetime, **data: Any) -> None:
    audit.record(s, Event.FIELD_CHANGED, now=now, by=by.signature, field=field.key, **data)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value

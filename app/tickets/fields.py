"""Custom fields: which a ticket has, what is in them, and what it needs before it may go on.

A ticket has the fields of its team and those of all. Whoever fills one in holds it against being deleted or changed meanwhile.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select

from app.accounts.models import Person
from app.audit.models import Event
from app.core.errors import Conflict
from app.db.session import Session
from app.tickets import facts
from app.tickets.history import record
from app.tickets.models import Field, Ticket
from app.tickets.rules import FieldKind, Required, Status
from app.tickets.typed import Kind, WrongValue, checked

NEEDED = {  # by the step that a ticket is about to take
    Status.ACCEPTED: (Required.TO_ACCEPT,),
    Status.RESOLVED: (Required.TO_ACCEPT, Required.TO_RESOLVE),
}


class FieldMissing(Conflict):
    """This ticket lacks something it needs first."""

    slug = "field-missing"

    def __init__(self, missing: Sequence[Field], to: Status) -> None:
        named = ", ".join(f"{field.label} ({field.key})" for field in missing)
        super().__init__(f"Before this ticket can be {to}, fill in: {named}.")
        self.more = {"fields": [field.key for field in missing]}


def of_ticket(s: Session, ticket: Ticket, *, lock: bool = False) -> Sequence[Field]:
    """The fields that can be filled in on this ticket, in order."""
    mine = or_(Field.team_id.is_(None), Field.team_id == ticket.team_id)
    query = select(Field).where(mine, Field.archived_at.is_(None)).order_by(Field.position, Field.id)
    return s.scalars(query.with_for_update(read=True, of=Field) if lock else query).all()


def fill(s: Session, ticket: Ticket, values: Mapping[str, Any], *, by: Person, now: datetime) -> None:
    """Put values in fields; None empties one. Raises WrongValue, which names the field and what it takes."""
    known = {field.key: field for field in of_ticket(s, ticket, lock=True)}
    after = dict(ticket.fields)
    for key, value in values.items():
        if key not in known:
            raise WrongValue(f"This ticket has no field {key[:60]!r} to fill in. It has: {', '.join(known) or 'none'}.")
        field = known[key]
        after[key] = checked(Kind(key, field.kind, field.choices), value)
    put(s, ticket, {key: value for key, value in after.items() if value is not None}, by=by, now=now)


def put(s: Session, ticket: Ticket, after: dict[str, Any], *, by: Person, now: datetime) -> None:
    """Have these values and no others in the ticket's fields, as they were checked before."""
    before = ticket.fields
    changed = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    if not changed:
        return
    difference = {key: [before.get(key), after.get(key)] for key in changed}
    ticket.fields = after
    record(s, ticket, Event.TICKET_FIELDS_CHANGED, by=by, now=now, fields=difference)
    facts.changed(s, ticket, now=now)


def surviving(s: Session, values: Mapping[str, Any]) -> dict[str, Any]:
    """Of these values those whose field still exists, an archived one too; held against being deleted."""
    there = select(Field.key).where(Field.key.in_(values)).order_by(Field.id).with_for_update(read=True)
    known = set(s.scalars(there)) if values else set()
    return {key: value for key, value in values.items() if key in known}


def require(s: Session, ticket: Ticket, to: Status) -> None:
    """Raises FieldMissing where the ticket needs a value in some field to become this."""
    needed = NEEDED.get(to, ())
    missing = [field for field in of_ticket(s, ticket) if field.required in needed and _lacks(ticket, field)] if needed else []
    if missing:
        raise FieldMissing(missing, to)


def _lacks(ticket: Ticket, field: Field) -> bool:
    """A box that has to be ticked lacks its tick also where somebody said no."""
    value = ticket.fields.get(field.key)
    return value is None or (field.kind is FieldKind.CHECKBOX and value is False)

"""A ticket that was just changed, as the API tells it: the same as reading it (app/tickets/reading.py) tells."""

from typing import Any

from sqlalchemy import or_, select

from app.accounts.models import Person
from app.accounts.rules import Verb, may
from app.db.session import Session
from app.tickets.models import Field, Ticket
from app.tickets.rules import allowed
from app.web.answers import Json
from app.web.stale import etag


def answer(s: Session, ticket: Ticket, me: Person, *, status: int = 200, **headers: str) -> Json:
    """A ticket after what was done to it, with its new revision."""
    tag = {"ETag": etag(ticket.revision)} if me.staff else {}
    return Json(told(s, ticket, me), status_code=status, headers={**headers, **tag})


def told(s: Session, ticket: Ticket, me: Person) -> dict[str, Any]:
    """A ticket as the API tells it. Customers are told less: no tags, no revision, no field that isn't shown to them."""
    return {
        "number": ticket.number,
        "subject": ticket.subject,
        "status": ticket.status,
        "priority": ticket.priority,
        "channel": ticket.channel,
        "requester": _brief(ticket.requester),
        "assignee": _brief(ticket.assignee),
        "organization": _named(ticket.organization),
        "team": _named(ticket.team),
        "tags": ticket.tags if me.staff else [],
        "fields": ticket.fields if me.staff else _shown(s, ticket),
        "follows": ticket.follows,
        "merged_into": ticket.merged_into,
        "snoozed_until": ticket.snoozed_until if me.staff else None,
        "trashed": _trashed(s, ticket),
        "revision": ticket.revision if me.staff else None,
        "created_at": ticket.created_at,
        "updated_at": ticket.updated_at,
        "accepted_at": ticket.accepted_at,
        "first_replied_at": ticket.first_replied_at,
        "resolved_at": ticket.resolved_at,
        "closed_at": ticket.closed_at,
        "allowed": allowed(ticket.status) if may(me, Verb.WORK, ticket) else (),
    }


def _brief(of: Person | None) -> dict[str, Any] | None:
    return None if of is None else {"id": of.id, "name": of.name, "email": of.email}


def _named(of: Any) -> dict[str, Any] | None:
    return None if of is None else {"id": of.id, "name": of.name}


def _shown(s: Session, ticket: Ticket) -> dict[str, Any]:
    if not ticket.fields:
        return {}
    shown = select(Field.key).where(Field.shown_to_customers, Field.archived_at.is_(None), Field.key.in_(ticket.fields))
    shown = shown.where(or_(Field.team_id.is_(None), Field.team_id == ticket.team_id))
    return {key: ticket.fields[key] for key in s.scalars(shown)}


def _trashed(s: Session, ticket: Ticket) -> dict[str, Any] | None:
    if ticket.trashed_at is None:
        return None
    by = s.get(Person, ticket.trashed_by_id) if ticket.trashed_by_id else None
    return {"at": ticket.trashed_at, "by": by.name if by else None, "reason": ticket.trash_reason}

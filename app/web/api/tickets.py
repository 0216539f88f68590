"""Tickets, for programs."""

from typing import Any

from fastapi import APIRouter

from app.accounts import actions as accounts
from app.accounts.models import Person
from app.accounts.rules import Verb, may
from app.audit import queries as audit
from app.core.errors import Forbidden
from app.core.priority import Priority
from app.db.session import Session
from app.files.models import Attachment
from app.outbox import queries as outbox
from app.outbox.queries import Fate
from app.sla import queries as sla
from app.tickets import actions as tickets
from app.tickets import queries
from app.tickets.actions import Body, Source
from app.tickets.models import Channel, Message, Ticket
from app.tickets.rules import Status, allowed
from app.web.answers import Json
from app.web.api.auth import person
from app.web.door import Agent, Anyone, House, Now, Route, TicketToAnswer, TicketToSee, TicketToWork, Tx
from app.web.shapes import tickets as shapes

router = APIRouter(prefix="/api/v1/tickets", tags=["tickets"], route_class=Route)
BY_API = Source(Channel.API)


@router.post("", status_code=201)
def create(me: Anyone, s: Tx, now: Now, house: House, body: shapes.NewTicket) -> Json:
    """A new ticket: mine, or for somebody else where I am staff."""
    ticket = tickets.open(
        s,
        requester=_requester(s, me, body.requester, now),
        by=me,
        subject=body.subject,
        body=Body(body.body),
        source=BY_API,
        priority=body.priority if me.staff else Priority.MEDIUM,
        now=now,
        gate=house.settings.accept_gate,
    )
    return Json(told(s, ticket, me), status_code=201, headers={"Location": f"/api/v1/tickets/{ticket.number}"})


@router.get("/{number}")
def show(ticket: TicketToSee, me: Anyone, s: Tx) -> Json:
    """One ticket."""
    return Json(told(s, ticket, me))


@router.get("/{number}/messages")
def messages(ticket: TicketToSee, me: Anyone, s: Tx, house: House) -> Json:
    """What was said on it, oldest first."""
    found = queries.messages(s, ticket, notes=may(me, Verb.SEE_NOTES, ticket))
    files = queries.attachments(s, found)
    fates = outbox.fates(s, ticket.number, configured=house.settings.smtp_host is not None)
    return Json({"items": [message(m, files.get(m.id, []), fates.get(m.id)) for m in found], "next": None})


@router.post("/{number}/messages", status_code=201)
def say(ticket: TicketToAnswer, me: Anyone, s: Tx, now: Now, house: House, body: shapes.NewMessage) -> Json:
    """Answer it (by mail, where I am staff), or leave an internal note."""
    said = speak(
        s,
        ticket,
        me,
        body=Body(body.body),
        source=BY_API,
        internal=body.internal,
        then=body.status,
        now=now,
        gate=house.settings.accept_gate,
    )
    return Json(message(said, [], None), status_code=201)


@router.get("/{number}/events")
def events(ticket: TicketToWork, me: Agent, s: Tx) -> Json:
    """Everything that happened to it, oldest first."""
    found = audit.of_ticket(s, ticket.number)
    return Json(
        {
            "items": [{"seq": e.seq, "at": e.at, "kind": e.kind, "actor": e.actor, "data": e.data} for e in found],
            "next": None,
        }
    )


@router.get("/{number}/sla")
def clocks(ticket: TicketToSee, s: Tx) -> Json:
    """Its clocks, each with the arithmetic that led to when it is due."""
    return Json({"items": sla.clocks(s, ticket.number), "next": None})


def speak(
    s: Session,
    ticket: Ticket,
    me: Person,
    *,
    body: Body,
    source: Source,
    internal: bool = False,
    then: Status | None = None,
    files: Any = (),
    now: Any,
    gate: bool,
) -> Message:
    """Say something on a ticket in whichever part I have in it."""
    if internal:
        if not may(me, Verb.SEE_NOTES, ticket):
            raise Forbidden(f"Your role ({me.role}) may not write internal notes.")
        return tickets.note(s, ticket, by=me, body=body, source=source, files=files, now=now)
    if me.staff and me.id != ticket.requester_id:
        return tickets.reply(s, ticket, by=me, body=body, source=source, files=files, now=now, then=then)
    landed = tickets.customer_reply(s, ticket, by=me, body=body, source=source, files=files, now=now, gate=gate)
    return queries.messages(s, landed, notes=False)[-1]


def told(s: Session, ticket: Ticket, me: Person) -> dict[str, Any]:
    """A ticket as the API tells it."""
    return {
        "number": ticket.number,
        "subject": ticket.subject,
        "status": ticket.status,
        "priority": ticket.priority,
        "channel": ticket.channel,
        "requester": person(ticket.requester),
        "assignee": person(ticket.assignee) if ticket.assignee else None,
        "organization": {"id": ticket.organization.id, "name": ticket.organization.name} if ticket.organization else None,
        "follows": ticket.follows,
        "created_at": ticket.created_at,
        "updated_at": ticket.updated_at,
        "accepted_at": ticket.accepted_at,
        "resolved_at": ticket.resolved_at,
        "closed_at": ticket.closed_at,
        "allowed": allowed(ticket.status) if may(me, Verb.WORK, ticket) else (),
    }


def message(of: Message, files: list[Attachment], fate: Fate | None) -> dict[str, Any]:
    """A message as the API tells it; `delivery` is what became of its mail."""
    return {
        "id": of.id,
        "author": {"id": of.author.id, "name": of.author.name, "email": of.author.email, "staff": of.from_staff},
        "internal": of.internal,
        "auto": of.auto,
        "channel": of.channel,
        "text": of.text,
        "html": of.html,
        "created_at": of.created_at,
        "attachments": [{"id": f.id, "name": f.name, "media_type": f.media_type, "size": f.size} for f in files],
        "delivery": {"state": fate.state, "words": fate.words, "at": fate.at} if fate else None,
    }


def _requester(s: Session, me: Person, address: str | None, now: Any) -> Person:
    if address is None:
        return me
    if not me.staff:
        raise Forbidden("Only staff can open a ticket for somebody else.")
    return accounts.known_sender(s, email=address, name="", now=now)

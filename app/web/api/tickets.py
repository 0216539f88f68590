"""Tickets, for programs."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic_core import to_json

from app.accounts import actions as accounts
from app.accounts.models import Person
from app.accounts.rules import Verb, may
from app.audit import queries as audit
from app.core.errors import Forbidden, Invalid
from app.core.priority import Priority
from app.db.session import Session
from app.outbox import queries as outbox
from app.sla import queries as sla
from app.tickets import actions as tickets
from app.tickets import change as changes
from app.tickets import history, mentions, planned, queries, reading
from app.tickets.actions import Body, Source
from app.tickets.models import Channel, Message, PlannedAnswer, Ticket
from app.tickets.rules import Status
from app.web.answers import Json, Told
from app.web.desk import Desk
from app.web.door import Agent, Anyone, Asker, House, Now, Reader, Route, TicketToNote, TicketToSee, TicketToSpeak, Tx
from app.web.lists import Cursor, Limit
from app.web.shapes import answers
from app.web.shapes import messages as said
from app.web.shapes import tickets as shapes
from app.web.stale import etag
from app.web.telling import answer
from app.web.zones import ZoneName, asked

router = APIRouter(prefix="/api/v1/tickets", tags=["tickets"], route_class=Route)
BY_API = Source(Channel.API)
PLANNED = {202: {"description": "Planned", "model": said.Planned}}
SAID = answers(said.SaidMessage, 404, 409, 412, 413, status=201) | PLANNED


@router.post("", status_code=201, responses=answers(shapes.Ticket, 409, 413, status=201))
def create(me: Anyone, s: Tx, now: Now, house: House, body: shapes.NewTicket) -> Json:
    """Open a ticket: mine, or for somebody else where I am staff."""
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
    if body.carries:
        if not me.staff:
            raise Forbidden("Only staff can say whose a new ticket is and what it carries.")
        changes.apply(s, ticket, changes.Change.of(body.carries), by=me, now=now)
    return answer(s, ticket, me, status=201, Location=f"/api/v1/tickets/{ticket.number}")


@router.get("/{number}", responses=answers(said.TicketWithMessages, 404))
def show(number: int, me: Asker, c: Reader, house: House, expand: Literal["messages"] | None = None) -> Response:
    """Read a ticket, with the first hundred of its messages where `expand` asks for them."""
    expanded = expand and reading.with_messages(c, me, number, limit=100, trouble=_trouble(house))
    found = expanded or reading.ticket(c, me, number)
    return Told(found.json, headers={"ETag": etag(found.revision)} if found.revision else None)


@router.get("/{number}/messages", responses=answers(said.Messages, 404))
def messages(
    number: int, me: Asker, c: Reader, house: House, limit: Annotated[int, Query(ge=1, le=100)] = 50, cursor: str | None = None
) -> Response:
    """Read what was said on a ticket, oldest first."""
    reading.ticket(c, me, number)
    return Told(reading.messages(c, me, number, limit=limit, cursor=cursor, trouble=_trouble(house)))


@router.post("/{number}/messages", status_code=201, responses=SAID)
def say(ticket: TicketToSpeak, me: Anyone, s: Tx, now: Now, house: House, body: shapes.NewMessage) -> Response:
    """Answer a ticket (by mail, where I am staff), or leave an internal note.

    With `send_at` the answer is said then; see the planned answers of a ticket.
    """
    if body.send_at is not None:
        return Json(planned.told(_plan(s, ticket, me, body, body.send_at, now)), status_code=202)
    message = speak(
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
    s.flush()
    told = reading.message(s.connection(), me, message.ticket, message.id, trouble=_trouble(house))
    unheard = to_json(mentions.not_notified(s, message)).decode()
    return Told(f'{told[:-1]},"not_notified":{unheard}}}', 201)


@router.get("/{number}/events", responses=answers(said.Timeline, 404))
def events(ticket: TicketToNote, me: Agent, s: Tx, limit: Limit = 50, cursor: Cursor = None) -> Json:
    """Read everything that happened to a ticket, oldest first."""
    found, following = history.page(s, me, ticket.number, limit=limit, cursor=cursor)
    return Json({"items": [audit.told(entry) for entry in found], "next": following})


@router.get("/{number}/sla", responses=answers(said.Clocks, 404))
def clocks(
    ticket: TicketToSee, me: Asker, s: Tx, house: House, zone: ZoneName = None, limit: Limit = 50, cursor: Cursor = None
) -> Json:
    """Read a ticket's clocks, oldest first, each with the arithmetic that led to when it is due, in the time of a zone."""
    found, following = sla.page(s, ticket.number, limit=limit, cursor=cursor, zone=asked(zone, me, house.settings))
    return Json({"items": found, "next": following})


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
    if not may(me, Verb.NOTE if internal else Verb.ANSWER, ticket):
        what = "write internal notes" if internal else "answer this ticket"
        raise Forbidden(f"Your role ({me.role}) may not {what}.")
    if internal:
        return tickets.note(s, ticket, by=me, body=body, source=source, files=files, now=now)
    if me.staff and me.id != ticket.requester_id:
        return tickets.reply(s, ticket, by=me, body=body, source=source, files=files, now=now, then=then)
    landed = tickets.customer_reply(s, ticket, by=me, body=body, source=source, files=files, now=now, gate=gate)
    return queries.messages(s, landed, notes=False)[-1]


def _plan(s: Session, ticket: Ticket, me: Person, body: shapes.NewMessage, at: datetime, now: datetime) -> PlannedAnswer:
    if body.internal:
        raise Invalid("A note is kept at once; only an answer can be sent later.")
    if not me.staff or not may(me, Verb.ANSWER, ticket):
        raise Forbidden(f"Your role ({me.role}) may not send answers later.")
    return planned.plan(s, ticket, by=me, text=body.body, then=body.status, at=at, channel=Channel.API, now=now)


def _trouble(house: Desk) -> str | None:
    return None if house.settings.smtp_host else outbox.NO_SERVER


def _requester(s: Session, me: Person, address: str | None, now: Any) -> Person:
    if address is None:
        return me
    if not me.staff:
        raise Forbidden("Only staff can open a ticket for somebody else.")
    return accounts.known_sender(s, email=address, name="", now=now)

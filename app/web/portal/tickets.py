"""A customer's own tickets. No note is ever in reach of these pages: what they show was asked for without."""

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request, Response

from app.accounts import queries as accounts
from app.accounts.models import Person
from app.core.errors import DeskError, Invalid
from app.db.session import Session
from app.tickets import actions as tickets
from app.tickets import queries
from app.tickets.actions import Body, Source
from app.tickets.models import Channel, Ticket
from app.tickets.queries import Wanted
from app.web import messages
from app.web.api.tickets import speak
from app.web.door import Anyone, Asker, House, Now, Reader, TicketToAnswer, TicketToSee, Tx
from app.web.forms import PageRoute, Text, Uploads, kept, page
from app.web.pages import see_other

router = APIRouter(route_class=PageRoute)
router.include_router(messages.router)


@dataclass(frozen=True)
class Draft:
    """What was typed, for when it has to be shown again."""

    subject: str = ""
    text: str = ""


@router.get("/my/tickets")
def index(me: Asker, c: Reader, now: Now, request: Request, cursor: str | None = None) -> Response:
    """My tickets, and my organization's where I answer for it."""
    if me.staff:
        return see_other("/tickets")
    found = queries.listing(c, me, Wanted(), cursor=cursor)
    return page(
        request,
        "portal/list.html",
        me=me,
        now=now,
        organization=accounts.organization_of(c, me),
        rows=found.items,
        first="/my/tickets" if cursor else None,
        next=f"/my/tickets?cursor={found.next}" if found.next else None,
    )


@router.get("/my/tickets/new")
def form(me: Anyone, request: Request) -> Response:
    """The form for a new one."""
    return see_other("/tickets/new") if me.staff else _form(request, me, Draft(), None)


@router.post("/my/tickets/new")
def create(
    me: Anyone, s: Tx, now: Now, house: House, request: Request, subject: Text = "", text: Text = "", files: Uploads = None
) -> Response:
    """Open it."""
    draft = Draft(subject, text)
    try:
        if not subject.strip():
            raise Invalid("Give your ticket a subject, so that we both find it again.")
        ticket = tickets.open(
            s,
            requester=me,
            by=None,
            subject=subject,
            body=Body(text),
            source=Source(Channel.PAGE),
            files=kept(house, files),
            now=now,
            gate=house.settings.accept_gate,
        )
    except DeskError as wrong:
        s.rollback()
        return _form(request, me, draft, wrong)
    return see_other(f"/my/tickets/{ticket.number}")


@router.get("/my/tickets/{number:key}")
def show(ticket: TicketToSee, me: Anyone, s: Tx, now: Now, request: Request) -> Response:
    """One of them. Who works at the desk sees it there."""
    if me.staff:
        return see_other(f"/tickets/{ticket.number}")
    return _page(request, s, me, ticket, now, Draft(), None)


@router.post("/my/tickets/{number:key}/messages")
def say(
    ticket: TicketToAnswer, me: Anyone, s: Tx, now: Now, house: House, request: Request, text: Text = "", files: Uploads = None
) -> Response:
    """Answer; long after its end that is a new ticket, and we go there."""
    try:
        message = speak(
            s,
            ticket,
            me,
            body=Body(text),
            source=Source(Channel.PAGE),
            files=kept(house, files),
            now=now,
            gate=house.settings.accept_gate,
        )
    except DeskError as wrong:
        s.rollback()
        return _page(request, s, me, ticket, now, Draft(text=text), wrong)
    return see_other(f"/my/tickets/{message.ticket}#message-{message.id}")


def _form(request: Request, me: Person, draft: Draft, refusal: DeskError | None) -> Response:
    status, words = (refusal.status, refusal.message) if refusal else (200, None)
    return page(request, "portal/new.html", me=me, status=status, refusal=words, draft=draft)


def _page(
    request: Request, s: Session, me: Person, ticket: Ticket, now: datetime, draft: Draft, refusal: DeskError | None
) -> Response:
    said = queries.messages(s, ticket, notes=False)
    return page(
        request,
        "portal/ticket.html",
        me=me,
        now=now,
        status=refusal.status if refusal else 200,
        refusal=refusal.message if refusal else None,
        ticket=ticket,
        messages=said,
        attached=queries.attachments(s, said),
        draft=draft,
    )

"""One ticket as those see it who work on it, and everything they can do to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request, Response

from app.accounts import queries as accounts
from app.accounts.models import Person
from app.accounts.rules import Verb, may
from app.core import zones
from app.core.errors import DeskError, Invalid
from app.core.priority import Priority
from app.db.session import Session
from app.intake import queries as intake
from app.intake import suggestions
from app.outbox import queries as outbox
from app.sla import ladder
from app.sla import queries as sla
from app.tickets import actions as tickets
from app.tickets import evidence, history, holding, planned, queries
from app.tickets.actions import Body, Source
from app.tickets.models import Channel, Ticket
from app.tickets.rules import Status, allowed
from app.web.agent import trouble
from app.web.api.tickets import speak
from app.web.desk import Desk, desk_of
from app.web.door import Agent, Anyone, House, Now, TicketOfPlans, TicketToSee, TicketToSpeak, TicketToWork, Tx
from app.web.forms import PageRoute, Text, Uploads, kept, page
from app.web.pages import see_other
from app.web.zones import zone_of

router = APIRouter(prefix="/tickets/{number:key}", route_class=PageRoute)
ALARMS = 20
RUNNING = frozenset({"running", "breached_open"})


@dataclass(frozen=True)
class Draft:
    """What was typed, for when it has to be shown again."""

    text: str = ""
    internal: bool = False
    then: Status | None = None
    send_at: str = ""


def back_to_ticket(act: Callable[..., None]) -> Callable[..., Response]:
    """Show the ticket afterwards; a refusal undoes everything and is told on the ticket's own page."""

    @wraps(act)
    def acted(**given: Any) -> Response:
        ticket: Ticket = given["ticket"]
        try:
            act(**given)
        except DeskError as wrong:
            return _refused(given, Draft(), wrong)
        return see_other(f"/tickets/{ticket.number}")

    return acted


@router.get("")
def show(ticket: TicketToSee, me: Anyone, s: Tx, now: Now, request: Request) -> Response:
    """The ticket. Links in mails lead here, so customers are sent on to their own page of it."""
    if not me.staff:
        return see_other(f"/my/tickets/{ticket.number}")
    return _page(request, s, me, ticket, now, Draft(), None)


@router.post("/acceptance")
@back_to_ticket
def accept(ticket: TicketToWork, me: Agent, s: Tx, now: Now, request: Request) -> None:
    """Take it through the gate."""
    tickets.change_status(s, ticket, to=Status.ACCEPTED, by=me, now=now)


@router.post("/assignment")
@back_to_ticket
def assign(ticket: TicketToWork, me: Agent, s: Tx, now: Now, request: Request, assignee: Text = "") -> None:
    """Make it somebody's, or nobody's."""
    to = s.get(Person, int(assignee)) if assignee.isdecimal() and len(assignee) < 19 else None
    if assignee and to is None:
        raise Invalid("There is no such person. Choose somebody from the list.")
    tickets.assign(s, ticket, to=to, by=me, now=now)


@router.post("/status")
@back_to_ticket
def move(ticket: TicketToWork, me: Agent, s: Tx, now: Now, request: Request, to: Annotated[Status, Form()]) -> None:
    """Move it on."""
    tickets.change_status(s, ticket, to=to, by=me, now=now)


@router.post("/priority")
@back_to_ticket
def prioritise(ticket: TicketToWork, me: Agent, s: Tx, now: Now, request: Request, to: Annotated[Priority, Form()]) -> None:
    """Change how much it hurries."""
    tickets.prioritise(s, ticket, to=to, by=me, now=now)


@router.post("/messages")
def say(
    ticket: TicketToSpeak,
    me: Agent,
    s: Tx,
    now: Now,
    house: House,
    request: Request,
    kind: Annotated[Literal["answer", "note"], Form()],
    text: Text = "",
    then: Annotated[Status | Literal[""], Form()] = "",
    accept: Text = "",
    wait: Annotated[int, Form(ge=0, le=60)] = 0,
    send_at: Text = "",
    files: Uploads = None,
) -> Response:
    """Answer the customer, or leave a note; each form says which of the two it is.

    An answer goes out after `wait` seconds, in which it can be undone, or at the time `send_at` of my clocks.
    """
    draft = Draft(text, kind == "note", then or None, send_at)
    try:
        if accept and ticket.status is Status.NEW and may(me, Verb.WORK, ticket):
            tickets.accept(s, ticket, by=me, now=now)
        if not draft.internal and (wait or send_at) and me.id != ticket.requester_id:
            at = _time(send_at, me, house) if send_at else now + timedelta(seconds=wait)
            mine = planned.plan(
                s,
                ticket,
                by=me,
                text=text,
                files=kept(house, files),
                then=draft.then,
                at=at,
                channel=Channel.PAGE,
                now=now,
            )
            return see_other(f"/tickets/{ticket.number}#planned-{mine.id}")
        message = speak(
            s,
            ticket,
            me,
            body=Body(text),
            source=Source(Channel.PAGE),
            internal=draft.internal,
            then=draft.then,
            files=kept(house, files),
            now=now,
            gate=house.settings.accept_gate,
        )
    except DeskError as wrong:
        return _refused({"ticket": ticket, "me": me, "s": s, "now": now, "request": request}, draft, wrong)
    return see_other(f"/tickets/{message.ticket}#message-{message.id}")


@router.post("/acknowledgement")
@back_to_ticket
def acknowledge(ticket: TicketToWork, me: Agent, s: Tx, now: Now, request: Request) -> None:
    """Nobody is told again of what is missed or near."""
    ladder.acknowledge(s, ticket.number, by=me.signature, now=now)


@router.post("/planned/{id:key}/sending")
@back_to_ticket
def send_now(ticket: TicketToWork, id: int, me: Agent, s: Tx, now: Now, request: Request) -> None:
    """Send an answer that waits, in its author's name."""
    planned.send(s, ticket, planned.found(s, ticket, id), now=now)


@router.post("/planned/{id:key}/withdrawal")
def take_back(ticket: TicketOfPlans, id: int, me: Agent, s: Tx, now: Now, request: Request) -> Response:
    """Take an answer back before it goes out. Its words are in the form again, where the conversation is."""
    here = holding.end_of(s, ticket)
    try:
        holding.for_work(here, here.number, me)
        one = planned.found(s, ticket, id)
        planned.take_back(s, ticket, one, by=me, now=now)
    except DeskError as wrong:
        return _refused({"ticket": ticket, "me": me, "s": s, "now": now, "request": request}, Draft(), wrong)
    names = ", ".join(file["name"] for file in one.files)
    told = "The answer was taken back; nothing was sent." + (f" Its files have to be attached again: {names}." if names else "")
    return _page(request, s, me, here, now, Draft(one.text, False, one.then), None, told)


def _time(typed: str, me: Person, house: Desk) -> datetime:
    """What a form's field for a time says. Raises Invalid."""
    try:
        return zones.typed(typed, zone_of(me, house.settings))
    except ValueError as wrong:
        raise Invalid(str(wrong)) from None


def _refused(given: Mapping[str, Any], draft: Draft, wrong: DeskError) -> Response:
    given["s"].rollback()
    return _page(given["request"], given["s"], given["me"], given["ticket"], given["now"], draft, wrong)


def _page(
    request: Request,
    s: Session,
    me: Person,
    ticket: Ticket,
    now: datetime,
    draft: Draft,
    refusal: DeskError | None,
    told: str | None = None,
) -> Response:
    settings = desk_of(request).settings
    messages = queries.messages(s, ticket, notes=True)
    clocks = [_clock(clock) for clock in sla.clocks(s, ticket.number, zone=zone_of(me, settings))]
    here = ticket.merged_into is None and ticket.trashed_at is None
    works = here and may(me, Verb.WORK, ticket)
    due = [clock["due_at"] for clock in clocks if clock["running"] and clock["due_at"]]
    return page(
        request,
        "agent/ticket.html",
        me=me,
        now=now,
        status=refusal.status if refusal else 200,
        refusal=refusal.message if refusal else None,
        told=told,
        trouble=trouble.words(s.connection(), settings),
        ticket=ticket,
        messages=messages,
        attached=queries.attachments(s, messages),
        suggestions=suggestions.waiting(s, ticket.number),
        attested=intake.attested(s, (m.inbound_mail_id for m in messages)),
        planned=planned.of(s, ticket),
        spoken=max((m.created_at for m in messages if not m.from_staff and not m.internal and not m.auto), default=None),
        undo=int(planned.UNDO.total_seconds()),
        fates=outbox.fates(s, ticket.number, configured=settings.smtp_host is not None),
        clocks=clocks,
        alarms=[one for one in evidence.escalations(s.connection(), ticket.number, limit=ALARMS)[0] if one["state"] != "over"],
        next_due=min(due, default=None),
        events=history.seen_by(s, me, ticket.number),
        staff=accounts.staff(s),
        priorities=list(Priority),
        allowed=allowed(ticket.status) if works else (),
        works=works,
        notes=here and may(me, Verb.NOTE, ticket),
        after=allowed(Status.ACCEPTED if ticket.status is Status.NEW else ticket.status),
        answerable=ticket.status not in {Status.CLOSED, Status.CANCELLED},
        draft=draft,
    )


def _clock(told: Mapping[str, Any]) -> dict[str, Any]:
    """A clock with its times as times again."""
    times = {
        name: datetime.fromisoformat(told[name]) if told[name] else None for name in ("due_at", "fulfilled_at", "breached_at")
    }
    return {**told, **times, "running": told["state"] in RUNNING}

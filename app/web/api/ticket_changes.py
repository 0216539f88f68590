"""What is done to a ticket, for programs."""

from fastapi import APIRouter

from app.tickets import actions as tickets
from app.tickets import change as changes
from app.tickets import snooze, trash
from app.tickets.actions import Body, Source
from app.tickets.models import Channel
from app.tickets.rules import Status
from app.tickets.snooze import Because
from app.web.answers import Json
from app.web.door import Agent, House, Now, Route, TicketInTrash, TicketToWork, Tx
from app.web.shapes import answers
from app.web.shapes import tickets as shapes
from app.web.telling import answer

router = APIRouter(prefix="/api/v1/tickets", tags=["tickets"], route_class=Route)
TICKET = answers(shapes.Ticket, 404, 409, 412)
NEW_TICKET = answers(shapes.Ticket, 404, 409, 412, status=201)


@router.patch("/{number}", responses=TICKET)
def change(ticket: TicketToWork, me: Agent, s: Tx, now: Now, body: shapes.Change) -> Json:
    """Change any of it at once.

    Whatever isn't sent stays. Everything is done, or nothing: a refusal names what was wrong. Send the ETag you read as If-Match,
    and a change that came too late is refused with what happened meanwhile.
    """
    changes.apply(s, ticket, changes.Change.of(body.said), by=me, now=now)
    return answer(s, ticket, me)


@router.post("/{number}/acceptance", status_code=201, responses=NEW_TICKET)
def accept(ticket: TicketToWork, me: Agent, s: Tx, now: Now) -> Json:
    """Take it through the gate: its clocks run from here on."""
    tickets.change_status(s, ticket, to=Status.ACCEPTED, by=me, now=now)
    return answer(s, ticket, me, status=201)


@router.post("/{number}/assignment", responses=TICKET)
def assign(ticket: TicketToWork, me: Agent, s: Tx, now: Now, body: shapes.Assignment) -> Json:
    """Make it somebody's, a team's, or both.

    An assignee works in the ticket's team; one who doesn't work in its new team loses it.
    """
    changes.apply(s, ticket, changes.Change.of(body.said), by=me, now=now)
    return answer(s, ticket, me)


@router.post("/{number}/status", responses=TICKET)
def status(ticket: TicketToWork, me: Agent, s: Tx, now: Now, body: shapes.NewStatus) -> Json:
    """Move it on; a step that isn't allowed is 409 and names those that are."""
    tickets.change_status(s, ticket, to=body.status, by=me, now=now)
    return answer(s, ticket, me)


@router.post("/{number}/trash", status_code=201, responses=NEW_TICKET)
def discard(ticket: TicketToWork, me: Agent, s: Tx, now: Now, body: shapes.Discard) -> Json:
    """Put it in the trash: customers don't find it any more, and its clocks stand still."""
    trash.discard(s, ticket, reason=body.reason, by=me, now=now)
    return answer(s, ticket, me, status=201)


@router.delete("/{number}/trash", responses=TICKET)
def take_back(ticket: TicketInTrash, me: Agent, s: Tx, now: Now) -> Json:
    """Take it out of the trash, as it was."""
    trash.take_back(s, ticket, by=me, now=now)
    return answer(s, ticket, me)


@router.post("/{number}/snooze", status_code=201, responses=NEW_TICKET)
def sleep(ticket: TicketToWork, me: Agent, s: Tx, now: Now, body: shapes.Snooze) -> Json:
    """Let it sleep until a time, or until its customer answers."""
    snooze.until(s, ticket, body.until, by=me, now=now)
    return answer(s, ticket, me, status=201)


@router.delete("/{number}/snooze", responses=TICKET)
def awaken(ticket: TicketToWork, me: Agent, s: Tx, now: Now) -> Json:
    """Wake it."""
    snooze.awaken(s, ticket, by=me, now=now, because=Because.PERSON)
    return answer(s, ticket, me)


@router.post("/{number}/follow-ups", status_code=201, responses=NEW_TICKET)
def follow_up(ticket: TicketToWork, me: Agent, s: Tx, now: Now, house: House, body: shapes.FollowUp) -> Json:
    """Open a new ticket of the same requester that goes on from this one."""
    fresh = tickets.follow_up(
        s,
        ticket,
        requester=ticket.requester,
        by=me,
        body=Body(body.body),
        source=Source(Channel.API),
        subject=body.subject,
        now=now,
        gate=house.settings.accept_gate,
    )
    return answer(s, fresh, me, status=201, Location=f"/api/v1/tickets/{fresh.number}")

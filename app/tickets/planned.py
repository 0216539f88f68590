"""Answers that were written and go out later: within seconds, so that they can be undone, or at a time somebody chose.

Until then there is no message: nothing else of the desk, and no customer, knows of it. When its time has come it becomes an
ordinary answer of its author's, in one transaction that takes the plan away. Any number of workers may look for those that are
due. One that can't be given any more is kept, says why, and goes out by nobody but a person.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select

from app.accounts.models import Person
from app.accounts.rules import Verb, may
from app.audit.models import Event
from app.core.errors import Conflict, DeskError, Invalid, NotFound, Unavailable
from app.core.text import printable
from app.db.session import Database, Session
from app.db.session import now as database_now
from app.files.actions import File
from app.outbox import actions as outbox
from app.tickets import actions, followers, holding, notices
from app.tickets.change import person
from app.tickets.history import record
from app.tickets.models import Channel, Message, PlannedAnswer, Ticket
from app.tickets.rules import Status, allowed
from app.tickets.saying import Body, Source

UNDO = timedelta(seconds=10)  # what a page waits
LONGEST = timedelta(days=60)
MOST = 20  # on one ticket
AGAIN = 0.05  # seconds
PUT_OFF = timedelta(hours=1)  # for one that trips over a mistake of ours


def _nobody(_: int) -> None:
    """Who is told which one is being sent, where nobody wants to know."""


def plan(
    s: Session,
    ticket: Ticket,
    *,
    by: Person,
    text: str,
    files: Sequence[File] = (),
    then: Status | None = None,
    at: datetime,
    channel: Channel,
    now: datetime,
) -> PlannedAnswer:
    """An answer that goes out at this time. Refused is what would be refused if it went out now."""
    if not now < at <= now + LONGEST:
        raise Invalid(f"An answer can be sent at a time that is ahead, at most {LONGEST.days} days.")
    if by.id == ticket.requester_id:
        raise Conflict("This is your own ticket: an answer of yours is its customer's, and is said at once.")
    words = printable(text)
    if not words.strip() and not files:
        raise Invalid("There is nothing in this message. Write something or attach a file.")
    actions.refuse_answer(ticket)
    if then is not None and then is not ticket.status and then not in allowed(ticket.status):
        raise actions.TransitionRefused(ticket.status, then)
    if s.scalar(select(func.count()).where(PlannedAnswer.ticket == ticket.number)) == MOST:
        raise Conflict(f"{MOST} answers wait on this ticket already. Send or take back one of them first.")
    made = PlannedAnswer(
        ticket=ticket.number,
        author=by,
        text=words,
        files=[asdict(file) for file in files],
        then=then,
        channel=channel,
        created_at=now,
        due_at=at,
        problem=None,
    )
    s.add(made)
    s.flush()
    record(s, ticket, Event.TICKET_ANSWER_PLANNED, by=by, now=now, planned=made.id, at=at.isoformat())
    return made


def of(s: Session, ticket: Ticket) -> Sequence[PlannedAnswer]:
    """What waits on a ticket and on those that were merged into it, in the order in which it was written."""
    merged = select(Ticket.number).where(Ticket.conversation == ticket.number)
    here = or_(PlannedAnswer.ticket == ticket.number, PlannedAnswer.ticket.in_(merged))
    return s.scalars(select(PlannedAnswer).where(here).order_by(PlannedAnswer.id)).all()


def found(s: Session, ticket: Ticket, id: int) -> PlannedAnswer:
    """One of them, locked. Raises NotFound where it went out or was taken back."""
    query = select(PlannedAnswer).where(PlannedAnswer.id == id, PlannedAnswer.ticket == ticket.number)
    planned = s.scalar(query.with_for_update(of=PlannedAnswer), execution_options={"populate_existing": True})
    if planned is None:
        raise NotFound(f"No answer {id} waits on ticket {ticket.number}: it has gone out, or was taken back.")
    return planned


def take_back(s: Session, ticket: Ticket, planned: PlannedAnswer, *, by: Person, now: datetime) -> None:
    """It does not go out."""
    record(s, ticket, Event.TICKET_ANSWER_TAKEN_BACK, by=by, now=now, planned=planned.id, author=planned.author.email)
    s.delete(planned)


def send(s: Session, ticket: Ticket, planned: PlannedAnswer, *, now: datetime) -> Message:
    """Give the answer, as if its author gave it now. Both rows are locked; what raises leaves the caller to roll back."""
    if ticket.trashed_at is not None:
        raise holding.InTrash
    author = person(s, planned.author_id)
    if author is None or author.disabled_at or not may(author, Verb.WORK, ticket):
        raise Conflict(f"{planned.author.name} may not answer this ticket any more. Take the answer back, and give it yourself.")
    body, source, files = Body(planned.text), Source(planned.channel), [File(**file) for file in planned.files]
    message = actions.reply(s, ticket, by=author, body=body, source=source, files=files, now=now, then=planned.then)
    s.delete(planned)
    return message


def process_one(db: Database, begun: Callable[[int], None] = _nobody) -> bool:
    """Send the next one that is due by the database's clock; False when there is none, or somebody is changing its ticket.

    `begun` is told which one it is, before anything can go wrong with it.
    """
    due = None
    try:
        with db.transaction() as s:
            due = _due(s)
            if due is not None:
                begun(due[1].id)
                send(s, *due, now=database_now(s))
    except Unavailable:
        raise
    except DeskError as refusal:
        assert due
        with db.transaction() as s:
            _hold(s, due[1].id, refusal.message)
    return due is not None


def put_off(s: Session, id: int, *, now: datetime) -> None:
    """Let the others go first: this one is tried again in an hour."""
    planned = s.get(PlannedAnswer, id, with_for_update={"of": PlannedAnswer})
    if planned is not None and planned.due_at is not None:
        planned.due_at = now + PUT_OFF


def seconds_until_next(s: Session) -> float | None:
    """How long until the next one is due, or is to be tried again because somebody holds its ticket; None when none waits."""
    left = func.extract("epoch", func.min(PlannedAnswer.due_at) - func.clock_timestamp())
    seconds = s.scalar(select(left))
    return None if seconds is None else max(float(seconds), AGAIN)


def told(planned: PlannedAnswer) -> dict[str, Any]:
    """One of them as programs are told it."""
    author = planned.author
    return {
        "id": planned.id,
        "ticket": planned.ticket,
        "author": {"id": author.id, "name": author.name, "email": author.email},
        "text": planned.text,
        "files": [{name: file[name] for name in ("name", "media_type", "size")} for file in planned.files],
        "status": planned.then,
        "send_at": planned.due_at,
        "problem": planned.problem,
        "created_at": planned.created_at,
    }


def _due(s: Session) -> tuple[Ticket, PlannedAnswer] | None:
    """The ticket first, as everybody locks them."""
    waits = PlannedAnswer.due_at <= func.now()
    tickets = select(Ticket).join(PlannedAnswer, PlannedAnswer.ticket == Ticket.number).where(waits)
    first = tickets.order_by(PlannedAnswer.due_at, PlannedAnswer.id).limit(1)
    ticket = s.scalar(first.with_for_update(of=Ticket, key_share=True, skip_locked=True))
    if ticket is None:
        return None
    here = select(PlannedAnswer).where(PlannedAnswer.ticket == ticket.number, waits)
    planned = s.scalar(here.order_by(PlannedAnswer.due_at, PlannedAnswer.id).limit(1).with_for_update(of=PlannedAnswer))
    return (ticket, planned) if planned else None


def _hold(s: Session, id: int, why: str) -> None:
    """Say why it did not go out, on the ticket and to whoever has to know."""
    query = select(Ticket).join(PlannedAnswer, PlannedAnswer.ticket == Ticket.number).where(PlannedAnswer.id == id)
    ticket = s.scalar(query.with_for_update(of=Ticket, key_share=True))
    planned = s.get(PlannedAnswer, id)
    if ticket is None or planned is None or planned.due_at is None:
        return
    now = database_now(s)
    planned.due_at, planned.problem = None, why
    record(s, ticket, Event.TICKET_ANSWER_HELD, by=None, now=now, planned=id, reason=why)
    for colleague in followers.concerned(s, ticket, planned.author):
        outbox.put(s, notices.held(ticket, planned.id, why, colleague), now=now)

"""What can be done to a ticket, by whichever door. The caller holds the ticket's row locked; nothing here commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.accounts.models import Person
from app.audit import actions as audit
from app.audit.models import Event
from app.core import text
from app.core.errors import Conflict, Invalid
from app.core.priority import Priority
from app.db.session import Session
from app.files import actions as files
from app.files.actions import File
from app.outbox import actions as outbox
from app.sla import actions as sla
from app.sla.rules import Moment
from app.tickets import notices, queries, rules, words
from app.tickets.models import Channel, Message, Ticket
from app.tickets.rules import CustomerAnswer, Status

NO_SUBJECT = "(no subject)"


class TransitionRefused(Conflict):
    """A ticket in this status can't become that."""

    slug = "transition-refused"

    def __init__(self, status: Status, to: Status) -> None:
        allowed = ", ".join(rules.allowed(status)) or "nothing by hand: it comes back when the customer answers"
        super().__init__(f"A ticket that is {status} can't become {to}. Allowed from here: {allowed}.")


class NotAccepted(Conflict):
    """This ticket is new. Accept it first, then answer."""

    slug = "not-accepted"


@dataclass(frozen=True)
class Body:
    """What is said: plain text, and the same as harmless HTML where it came so."""

    text: str
    html: str | None = None
    html_policy: int | None = None


@dataclass(frozen=True)
class Source:
    """How it came: by which door, from which mail, and whether a machine sent it."""

    channel: Channel
    mail_id: str | None = None
    inbound_mail_id: int | None = None
    auto: bool = False


def open(
    s: Session,
    *,
    requester: Person,
    by: Person | None,
    subject: str,
    body: Body,
    source: Source,
    files: Sequence[File] = (),
    priority: Priority = Priority.MEDIUM,
    now: datetime,
    gate: bool = True,
    follows: int | None = None,
    team_id: int | None = None,
    acknowledge: bool = True,
) -> Ticket:
    """A new ticket with its first message. It waits to be accepted where there is a gate."""
    ticket = Ticket(
        subject=text.one_line(subject, most=500) or NO_SUBJECT,
        status=Status.NEW,
        priority=priority,
        channel=source.channel,
        requester=requester,
        organization_id=requester.organization_id,
        follows=follows,
        team_id=team_id,
        revision=0,
        created_at=now,
        updated_at=now,
    )
    s.add(ticket)
    s.flush()
    words.begin(s, ticket)
    first = _say(s, ticket, author=by or requester, body=body, source=source, attached=files, now=now)
    record(s, ticket, Event.TICKET_OPENED, by=by or requester, now=now, message=first.id)
    sla.happened(s, ticket.number, Moment.CREATED, at=now, priority=ticket.priority)
    if acknowledge and not source.auto and not queries.acknowledged_lately(s, requester.email, now):
        outbox.put(s, notices.acknowledgement(ticket, first), now=now)
    if not gate:
        accept(s, ticket, by=None, now=now)
    return ticket


def accept(s: Session, ticket: Ticket, *, by: Person | None, now: datetime) -> None:
    """Take the ticket through the gate: from here on its clocks run."""
    _step(ticket, Status.ACCEPTED, now)
    ticket.accepted_at = now
    record(s, ticket, Event.TICKET_ACCEPTED, by=by, now=now)
    sla.happened(s, ticket.number, Moment.ACCEPTED, at=now, priority=ticket.priority)


def assign(s: Session, ticket: Ticket, *, to: Person | None, by: Person, now: datetime) -> None:
    """Make it somebody's, or nobody's."""
    if to is not None and (not to.staff or to.disabled_at):
        raise Invalid(f"{to.name} can't be given tickets: only agents, managers and administrators can.")
    before = ticket.assignee
    ticket.assignee, ticket.updated_at = to, now
    names = {"before": before.email if before else None, "to": to.email if to else None}
    record(s, ticket, Event.TICKET_ASSIGNED, by=by, now=now, **names)


def prioritise(s: Session, ticket: Ticket, *, to: Priority, by: Person, now: datetime) -> None:
    """Change how much it hurries; its clocks are reckoned again from their own start."""
    if to is ticket.priority:
        return
    record(s, ticket, Event.TICKET_PRIORITY_CHANGED, by=by, now=now, before=ticket.priority.value, after=to.value)
    ticket.priority, ticket.updated_at = to, now
    sla.happened(s, ticket.number, Moment.PRIORITY_CHANGED, at=now, priority=to)


def reply(
    s: Session,
    ticket: Ticket,
    *,
    by: Person,
    body: Body,
    source: Source,
    files: Sequence[File] = (),
    now: datetime,
    then: Status | None = None,
) -> Message:
    """An agent's answer, mailed to the requester. `then` is the status it leaves the ticket in, where that changes."""
    if ticket.status is Status.NEW:
        raise NotAccepted
    if ticket.status in {Status.CLOSED, Status.CANCELLED}:
        raise Conflict(f"This ticket is {ticket.status}; it can't be answered any more. Open a new one.")
    message = _say(s, ticket, author=by, body=body, source=source, attached=files, now=now)
    message.mail_id = outbox.new_mail_id(ticket.number, message.id)
    s.flush()
    ticket.first_replied_at = ticket.first_replied_at or now
    record(s, ticket, Event.TICKET_REPLIED, by=by, now=now, message=message.id)
    sla.happened(s, ticket.number, Moment.AGENT_ANSWERED, at=now, priority=ticket.priority)
    outbox.put(s, notices.reply(ticket, message, queries.conversation_ids(s, ticket)), now=now)
    if then is not None and then is not ticket.status:
        change_status(s, ticket, to=then, by=by, now=now)
    return message


def note(
    s: Session, ticket: Ticket, *, by: Person, body: Body, source: Source, files: Sequence[File] = (), now: datetime
) -> Message:
    """Words between agents, that no customer ever sees."""
    message = _say(s, ticket, author=by, body=body, source=source, attached=files, now=now, internal=True)
    record(s, ticket, Event.TICKET_NOTED, by=by, now=now, message=message.id)
    return message


def customer_reply(
    s: Session,
    ticket: Ticket,
    *,
    by: Person,
    body: Body,
    source: Source,
    files: Sequence[File] = (),
    now: datetime,
    gate: bool = True,
) -> Ticket:
    """A customer's answer; answers the ticket it landed on, which is a new one where the old is long over.

    What a machine sent (out of office and the like) is kept, but moves nothing.
    """
    effect = rules.after_customer_answer(ticket.status, closed_at=ticket.closed_at, now=now)
    if effect is CustomerAnswer.FOLLOW_UP and not source.auto:
        return _follow_up(s, ticket, by=by, body=body, source=source, attached=files, now=now, gate=gate)
    message = _say(s, ticket, author=by, body=body, source=source, attached=files, now=now)
    record(s, ticket, Event.TICKET_REPLIED, by=by, now=now, message=message.id, auto=source.auto)
    if source.auto:
        return ticket
    if effect is CustomerAnswer.REOPEN:
        _reopen(s, ticket, by=by, now=now)
    elif effect is CustomerAnswer.RESUME:
        _move(s, ticket, Status.IN_PROGRESS, by=by, now=now)
    sla.happened(s, ticket.number, Moment.CUSTOMER_SPOKE, at=now, priority=ticket.priority)
    return ticket


def change_status(s: Session, ticket: Ticket, *, to: Status, by: Person, now: datetime) -> None:
    """Move the ticket on. Raises TransitionRefused, which names what is allowed."""
    if to not in rules.allowed(ticket.status):
        raise TransitionRefused(ticket.status, to)
    if to is Status.ACCEPTED:
        accept(s, ticket, by=by, now=now)
    else:
        _move(s, ticket, to, by=by, now=now)


_MOMENTS = {
    Status.WAITING_CUSTOMER: Moment.PAUSED,
    Status.RESOLVED: Moment.RESOLVED,
    Status.CLOSED: Moment.ENDED,
    Status.CANCELLED: Moment.ENDED,
}


def record(s: Session, ticket: Ticket, event: Event, *, by: Person | None, now: datetime, **data: Any) -> None:
    """Write down what happened to a ticket, which thereby has a new revision."""
    ticket.revision += 1
    audit.record(s, event, now=now, by=by.signature if by else None, ticket=ticket.number, revision=ticket.revision, **data)


def _move(s: Session, ticket: Ticket, to: Status, *, by: Person, now: datetime) -> None:
    before = ticket.status
    _step(ticket, to, now)
    if to is Status.RESOLVED:
        ticket.resolved_at = now
    elif to in {Status.CLOSED, Status.CANCELLED}:
        ticket.closed_at = now
    record(s, ticket, Event.TICKET_STATUS_CHANGED, by=by, now=now, before=before.value, after=to.value)
    moment = _MOMENTS.get(to) or (Moment.RESUMED if before is Status.WAITING_CUSTOMER else None)
    if moment:
        sla.happened(s, ticket.number, moment, at=now, priority=ticket.priority)


def _reopen(s: Session, ticket: Ticket, *, by: Person, now: datetime) -> None:
    before = ticket.status
    _step(ticket, Status.IN_PROGRESS, now)
    ticket.resolved_at = ticket.closed_at = None
    record(s, ticket, Event.TICKET_REOPENED, by=by, now=now, before=before.value)
    sla.happened(s, ticket.number, Moment.REOPENED, at=now, priority=ticket.priority)


def _follow_up(
    s: Session, ticket: Ticket, *, by: Person, body: Body, source: Source, attached: Sequence[File], now: datetime, gate: bool
) -> Ticket:
    fresh = open(
        s,
        requester=by,
        by=None,
        subject=ticket.subject,
        body=body,
        source=source,
        files=attached,
        now=now,
        gate=gate,
        follows=ticket.number,
    )
    record(s, ticket, Event.TICKET_FOLLOWED_UP, by=by, now=now, follow_up=fresh.number)
    return fresh


def _step(ticket: Ticket, to: Status, now: datetime) -> None:
    if not rules.may_change(ticket.status, to):
        raise TransitionRefused(ticket.status, to)
    ticket.status, ticket.updated_at = to, now


def _say(
    s: Session,
    ticket: Ticket,
    *,
    author: Person,
    body: Body,
    source: Source,
    attached: Sequence[File],
    now: datetime,
    internal: bool = False,
) -> Message:
    if not body.text.strip() and not body.html and not attached:
        raise Invalid("There is nothing in this message. Write something or attach a file.")
    message = Message(
        ticket=ticket.number,
        author=author,
        internal=internal,
        from_staff=author.staff and author.id != ticket.requester_id,
        auto=source.auto,
        channel=source.channel,
        text=text.printable(body.text),
        html=body.html,
        html_policy=body.html_policy,
        mail_id=source.mail_id,
        inbound_mail_id=source.inbound_mail_id,
        created_at=now,
    )
    s.add(message)
    s.flush()
    files.attach(s, attached, message_id=message.id, now=now)
    words.add(s, message, attached, ticket=ticket.conversation or ticket.number)
    if not internal:  # a customer's list must not tell that there is a note
        ticket.updated_at = now
    return message

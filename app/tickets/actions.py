"""What can be done to a ticket, by whichever door. The caller holds the ticket's row locked; nothing here commits."""

from collections.abc import Sequence
from datetime import datetime

from app.accounts.models import Person, Team
from app.accounts.rules import Verb, may
from app.audit.models import Event
from app.core import text
from app.core.errors import Conflict, Invalid
from app.core.priority import Priority
from app.db.session import Session
from app.files.actions import File
from app.outbox import actions as outbox
from app.sla import actions as sla
from app.sla.rules import Moment
from app.tickets import facts, fields, followers, history, holding, mentions, notices, opening, rules, snooze, waiting, words
from app.tickets.history import begun
from app.tickets.history import record as record  # every slice above says it this way
from app.tickets.models import Message, Ticket
from app.tickets.rules import DONE, CustomerAnswer, Status
from app.tickets.saying import Body as Body
from app.tickets.saying import Source as Source
from app.tickets.saying import say, unsaid
from app.tickets.snooze import Because

NO_SUBJECT = "(no subject)"


class TransitionRefused(Conflict):
    """A ticket in this status can't become that."""

    slug = "transition-refused"

    def __init__(self, status: Status, to: Status) -> None:
        allowed = ", ".join(rules.allowed(status)) or "nothing by hand: it comes back when the customer answers"
        super().__init__(f"A ticket that is {status} can't become {to}. Allowed from here: {allowed}.")
        self.more = {"allowed": list(rules.allowed(status))}


class NotAccepted(Conflict):
    """This ticket is new. Accept it first, then answer."""

    slug = "not-accepted"


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
    desk_address: str | None = None,
    acknowledge: bool = True,
) -> Ticket:
    """A new ticket with its first message. It waits to be accepted where there is a gate, and is accepted where there is none."""
    ticket = Ticket(
        subject=text.one_line(subject, most=500) or NO_SUBJECT,
        status=Status.NEW if gate else Status.ACCEPTED,
        priority=priority,
        channel=source.channel,
        requester=requester,
        requester_id=requester.id,
        organization_id=requester.organization_id,
        follows=follows,
        team_id=team_id,
        desk_address=desk_address,
        created_at=now,
        updated_at=now,
        accepted_at=None if gate else now,
        revision=1,
    )
    first = unsaid(ticket, author=by or requester, body=body, source=source, attached=files, now=now)
    may_acknowledge = opening.write(s, ticket, first, files, now=now)
    begun(s, ticket, by=by or requester, now=now, message=first.id)
    moments = (_CREATED[first.auto], *(() if gate else (_TAKEN[not (first.auto or first.from_staff)],)))
    sla.begin(s, ticket.number, *moments, at=source.heard_at(now), facts=facts.of(ticket))
    if acknowledge and may_acknowledge and not source.auto and not source.late and requester.disabled_at is None:
        outbox.put(s, notices.acknowledgement(ticket, first), now=now)
    return ticket


_CREATED = {False: Moment.CREATED, True: Moment.ARISEN}  # by whether a machine wrote it
_TAKEN = {True: Moment.ACCEPTED, False: Moment.TAKEN_ON}  # by whether a customer asked something


def accept(s: Session, ticket: Ticket, *, by: Person | None, now: datetime) -> None:
    """Take the ticket through the gate: from here on its clocks run."""
    fields.require(s, ticket, Status.ACCEPTED)
    _step(ticket, Status.ACCEPTED, now)
    ticket.accepted_at = now
    record(s, ticket, Event.TICKET_ACCEPTED, by=by, now=now)
    asked = waiting.since(s, ticket.number) is not None
    sla.happened(s, ticket.number, _TAKEN[asked], at=now, facts=facts.of(ticket))


def assign(s: Session, ticket: Ticket, *, to: Person | None, by: Person, now: datetime) -> None:
    """Make it somebody's who can work on it, or nobody's."""
    holding.refuse_merged(ticket)
    if to is not None and (not to.staff or to.disabled_at):
        raise Invalid(f"{to.name} can't be given tickets: only agents, managers and administrators can.")
    if to is not None and not may(to, Verb.WORK, ticket):
        raise Invalid(f"{to.name} can't be given this ticket: it belongs to a team they don't work in.")
    before = ticket.assignee
    ticket.assignee, ticket.assignee_id, ticket.updated_at = to, to.id if to else None, now
    names = {"before": before.email if before else None, "to": to.email if to else None}
    record(s, ticket, Event.TICKET_ASSIGNED, by=by, now=now, **names)


def hand_over(s: Session, ticket: Ticket, *, to: Team | None, by: Person, now: datetime) -> None:
    """Give it to a team, or to none. An assignee who doesn't work there loses it."""
    holding.refuse_merged(ticket)
    if to is ticket.team:
        return
    if to is not None and to.archived_at is not None:
        raise Invalid(f"The team {to.name} is archived and gets no new tickets.")
    before = ticket.team
    ticket.team, ticket.team_id, ticket.updated_at = to, to.id if to else None, now
    names = {"before": before.name if before else None, "to": to.name if to else None}
    record(s, ticket, Event.TICKET_TEAM_CHANGED, by=by, now=now, **names)
    facts.changed(s, ticket, now=now)
    if ticket.assignee is not None and not may(ticket.assignee, Verb.WORK, ticket):
        assign(s, ticket, to=None, by=by, now=now)


def prioritise(s: Session, ticket: Ticket, *, to: Priority, by: Person, now: datetime) -> None:
    """Change how much it hurries; its clocks are reckoned again from their own start."""
    holding.refuse_merged(ticket)
    if to is ticket.priority:
        return
    record(s, ticket, Event.TICKET_PRIORITY_CHANGED, by=by, now=now, before=ticket.priority.value, after=to.value)
    ticket.priority, ticket.updated_at = to, now
    facts.changed(s, ticket, now=now)


def retitle(s: Session, ticket: Ticket, *, to: str, by: Person, now: datetime) -> None:
    """Give it another subject. Mails that are on their way keep theirs."""
    after, before = text.one_line(to, most=500), ticket.subject
    if not after:
        raise Invalid("A subject has at least one character that can be seen.")
    if after == before:
        return
    ticket.subject, ticket.updated_at = after, now
    record(s, ticket, Event.TICKET_SUBJECT_CHANGED, by=by, now=now, before=before, after=after)
    words.refresh(s, ticket.number)


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
    refuse_answer(ticket)
    message = say(s, ticket, author=by, body=body, source=source, attached=files, now=now)
    message.mail_id = outbox.new_mail_id(ticket.number, message.id)
    s.flush()
    ticket.first_replied_at = ticket.first_replied_at or now
    record(s, ticket, Event.TICKET_REPLIED, by=by, now=now, message=message.id)
    if ticket.status in rules.OPEN:
        sla.happened(s, ticket.number, Moment.AGENT_ANSWERED, at=now, facts=facts.of(ticket))
    followers.send_answer(s, ticket, message, now=now)
    if then is not None and then is not ticket.status:
        change_status(s, ticket, to=then, by=by, now=now)
    return message


def refuse_answer(ticket: Ticket) -> None:
    """Raises Merged, NotAccepted or Conflict for a ticket that an agent can't answer as it is."""
    holding.refuse_merged(ticket)
    if ticket.status is Status.NEW:
        raise NotAccepted
    if ticket.status in {Status.CLOSED, Status.CANCELLED}:
        raise Conflict(f"This ticket is {ticket.status}; it can't be answered any more. Open a new one.")


def note(
    s: Session, ticket: Ticket, *, by: Person, body: Body, source: Source, files: Sequence[File] = (), now: datetime
) -> Message:
    """Words between agents, that no customer ever sees."""
    holding.refuse_merged(ticket)
    message = say(s, ticket, author=by, body=body, source=source, attached=files, now=now, internal=True)
    record(s, ticket, Event.TICKET_NOTED, by=by, now=now, message=message.id)
    followers.tell(s, ticket, message, mentioned=mentions.take(s, ticket, message, now=now), now=now)
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
    """A customer's answer; answers the ticket it landed on: a new one where the old is long over or in the trash.

    What a machine sent (out of office and the like) is kept, but moves nothing. Nor does a ticket come back for ever: after
    some times within an hour it stays as it is. Its clocks go by when a mail reached its server, however late it was read.
    """
    at = source.heard_at(now)
    ticket = holding.end_of(s, ticket)
    effect = rules.after_customer_answer(ticket.status, closed_at=ticket.closed_at, now=now)
    if not source.auto and (ticket.trashed_at or effect is CustomerAnswer.FOLLOW_UP):
        return follow_up(s, ticket, requester=by, by=None, body=body, source=source, files=files, now=now, gate=gate)
    message = say(s, ticket, author=by, body=body, source=source, attached=files, now=now)
    record(s, ticket, Event.TICKET_REPLIED, by=by, now=now, message=message.id, auto=source.auto)
    followers.tell(s, ticket, message, now=now)
    if source.auto:
        return ticket
    snooze.awaken(s, ticket, by=by, now=now, because=Because.CUSTOMER)
    if (
        effect is CustomerAnswer.REOPEN
        and history.times(s, ticket, Event.TICKET_REOPENED, since=now - rules.REOPENED_WITHIN) >= rules.MOST_REOPENED
    ):
        record(s, ticket, Event.TICKET_NOT_REOPENED, by=by, now=now)
        return ticket
    if effect is CustomerAnswer.REOPEN:
        _reopen(s, ticket, by=by, now=now, at=at)
    elif effect is CustomerAnswer.RESUME:
        _move(s, ticket, Status.IN_PROGRESS, by=by, now=now, at=at)
    asked = Moment.CUSTOMER_SPOKE if ticket.status is Status.NEW else Moment.CUSTOMER_ASKED
    sla.happened(s, ticket.number, asked, at=at, facts=facts.of(ticket))
    return ticket


def follow_up(
    s: Session,
    ticket: Ticket,
    *,
    requester: Person,
    by: Person | None,
    body: Body,
    source: Source,
    files: Sequence[File] = (),
    subject: str | None = None,
    now: datetime,
    gate: bool = True,
) -> Ticket:
    """A new ticket that goes on from this one, with the same team: what only they may see stays among them."""
    fresh = open(
        s,
        requester=requester,
        by=by,
        subject=subject or ticket.subject,
        body=body,
        source=source,
        files=files,
        now=now,
        gate=gate,
        follows=ticket.number,
        team_id=ticket.team_id,
        acknowledge=by is None,
    )
    record(s, ticket, Event.TICKET_FOLLOWED_UP, by=by or requester, now=now, follow_up=fresh.number)
    return fresh


def change_status(s: Session, ticket: Ticket, *, to: Status, by: Person, now: datetime) -> None:
    """Move the ticket on. Raises TransitionRefused, which names what is allowed, and FieldMissing."""
    holding.refuse_merged(ticket)
    if to not in rules.allowed(ticket.status):
        raise TransitionRefused(ticket.status, to)
    if to is Status.ACCEPTED:
        accept(s, ticket, by=by, now=now)
    else:
        fields.require(s, ticket, to)
        _move(s, ticket, to, by=by, now=now)


_MOMENTS = {
    Status.WAITING_CUSTOMER: Moment.PAUSED,
    Status.RESOLVED: Moment.RESOLVED,
    Status.CLOSED: Moment.ENDED,
    Status.CANCELLED: Moment.ENDED,
}


def _move(s: Session, ticket: Ticket, to: Status, *, by: Person, now: datetime, at: datetime | None = None) -> None:
    before = ticket.status
    _step(ticket, to, now)
    if to is Status.RESOLVED:
        ticket.resolved_at = now
    elif to in {Status.CLOSED, Status.CANCELLED}:
        ticket.closed_at = now
    if to in DONE:
        ticket.snoozed_until = None
    record(s, ticket, Event.TICKET_STATUS_CHANGED, by=by, now=now, before=before.value, after=to.value)
    moment = _MOMENTS.get(to) or (Moment.RESUMED if before is Status.WAITING_CUSTOMER else None)
    if moment:
        sla.happened(s, ticket.number, moment, at=at or now, facts=facts.of(ticket))


def _reopen(s: Session, ticket: Ticket, *, by: Person, now: datetime, at: datetime) -> None:
    before = ticket.status
    _step(ticket, Status.IN_PROGRESS, now)
    ticket.resolved_at = ticket.closed_at = None
    record(s, ticket, Event.TICKET_REOPENED, by=by, now=now, before=before.value)
    sla.happened(s, ticket.number, Moment.REOPENED, at=at, facts=facts.of(ticket))


def _step(ticket: Ticket, to: Status, now: datetime) -> None:
    if not rules.may_change(ticket.status, to):
        raise TransitionRefused(ticket.status, to)
    ticket.status, ticket.updated_at = to, now

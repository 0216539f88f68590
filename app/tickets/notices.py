"""What the desk writes to people. The sender adds the addresses, the reference to the ticket and the link."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from app.accounts.models import Person
from app.core import text, zones
from app.outbox import actions as outbox
from app.outbox.actions import Draft
from app.outbox.compose import LINK
from app.outbox.house import ACKNOWLEDGE
from app.outbox.models import Kind
from app.sla.ladder import Call
from app.sla.rules import Kind as Threshold
from app.sla.rules import Metric, explain
from app.tickets.models import Message, Ticket

MOST = 5_000  # characters of what was said that a notice repeats
IN_COPY = "You get a copy of this because you are in copy on ticket {number}. What you answer by mail stands on it."
NOT_YOU = "If you did not write to us, somebody used your address, and you can ignore this."
_METRICS = {metric.value: metric.value.replace("_", " ") for metric in Metric}


@dataclass(frozen=True)
class Addressee:
    """Whom a ladder tells, and the name of their time zone: somebody who works here, or only an address."""

    address: str
    name: str = ""
    person_id: int | None = None
    zone: str | None = None


def acknowledgement(ticket: Ticket, received: Message) -> Draft:
    """That a new ticket was received. It repeats nothing of what the sender wrote, no name either, so that it can't carry spam to
    others.

    There is one in each hour of the clock, for each address and mailbox.
    """
    said = f"We received your message. Its number is {ticket.number}.\n\nTo add something, answer this mail. {NOT_YOU}"
    return _received(ticket, ticket.requester.email, received.mail_id, "We received your message", said, at=ticket.created_at)


def too_large(ticket: Ticket, sender: Person, mail_id: str | None, *, most: int, now: datetime) -> Draft:
    """To who wrote it, that a mail was too large to be taken whole, and how large one may be (in bytes): in the place of an
    acknowledgement, and like one.
    """
    said = (
        f"Your message was too large to be taken whole: a mail may have up to {most / 1e6:.0f} MB. What we have of it is number "
        f"{ticket.number}; its files did not get there.\n\n"
        f"To send them, answer this mail with fewer of them at a time, or with a link to where they are. {NOT_YOU}"
    )
    return _received(ticket, sender.email, mail_id, "Your message was too large", said, at=now)


def _received(ticket: Ticket, to: str, mail_id: str | None, subject: str, said: str, *, at: datetime) -> Draft:
    return Draft(
        kind=Kind.ACKNOWLEDGEMENT,
        dedupe_key=f"acknowledgement:{to}:{ticket.desk_address or ''}:{at:%Y%m%dT%H}",
        ticket=ticket.number,
        message_id=None,
        to_address=to,
        to_name="",
        from_name="",
        subject=f"{subject} [#{ticket.number}]",
        text=said,
        in_reply_to=mail_id,
        references=(mail_id,) if mail_id else (),
        mail_id=outbox.new_mail_id(ticket.number, 0),
        from_address=ticket.desk_address,
    )


def reply(ticket: Ticket, message: Message, references: Sequence[str], to: Person | None = None) -> Draft:
    """An agent's words, to the requester or to somebody in copy, in the same thread.

    Every copy has the same Message-ID, as one mail to many has: whoever answers any of them is in the thread.
    """
    before = [mail_id for mail_id in references if mail_id != message.mail_id]
    assert message.mail_id
    person = to or ticket.requester
    return Draft(
        kind=Kind.REPLY,
        dedupe_key=f"reply:{message.id}:{person.email}",
        ticket=ticket.number,
        message_id=message.id,
        to_address=person.email,
        to_name=person.name,
        from_name=message.author.name,
        subject=reply_subject(ticket),
        text=message.text if to is None else f"{message.text}\n\n{IN_COPY.format(number=ticket.number)}",
        in_reply_to=before[-1] if before else None,
        references=tuple(before),
        mail_id=message.mail_id,
        from_address=ticket.desk_address,
    )


def reply_subject(ticket: Ticket) -> str:
    """Re: the ticket's subject [#number], with one Re: and the number once."""
    tag, subject = f"[#{ticket.number}]", text.one_line(ticket.subject)
    subject = subject if tag in subject else f"{subject} {tag}"
    return subject if subject.lower().startswith("re:") else f"Re: {subject}"


def heard(ticket: Ticket, message: Message, to: Person, *, mentioned: bool = False) -> Draft:
    """To one of the staff, what was said on a ticket they follow, or in a note that names them."""
    what = "an internal note" if message.internal else "an answer"
    subject = f"Ticket {ticket.number}: {what}" + (" that mentions you" if mentioned else "")
    lines = [
        f"{text.one_line(message.author.name)} left {what} on ticket {ticket.number}"
        + (" and mentioned you:" if mentioned else ", which you follow:"),
        "",
        message.text if len(message.text) <= MOST else f"{message.text[:MOST]} […]",
        "",
        f"Subject: {text.one_line(ticket.subject)}",
        "Answer on the ticket's page: an answer to this mail does not get there.",
    ]
    return Draft(
        kind=Kind.NOTICE,
        dedupe_key=f"heard:{message.id}:{to.email}",
        ticket=ticket.number,
        message_id=None,
        to_address=to.email,
        to_name=to.name,
        from_name="",
        subject=subject,
        text="\n".join(lines),
        in_reply_to=None,
        references=(),
        mail_id=outbox.new_mail_id(ticket.number, 0),
        follower=to.id,
    )


def deadline(ticket: Ticket, call: Call, to: Addressee, why: str | None, zone: tzinfo) -> Draft:
    """That a deadline comes near, was missed, or is missed still, with the arithmetic that led to it in the time of `zone`."""
    clock, metric = call.clock, _METRICS.get(call.clock.metric, call.clock.metric)
    due = clock.due_at or call.event.at
    when = f"{due.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"
    missed = call.event.kind is not Threshold.WARNING
    about = "Deadline missed" if missed else "Deadline near"
    again = f", told {call.round} times" if call.round > 1 else ""
    lines = [
        f"The {metric} of ticket {ticket.number} was due at {when} and has not come."
        if missed
        else f"The {metric} of ticket {ticket.number} is due at {when} ({call.event.threshold} was reached).",
        "",
        f"Subject: {text.one_line(ticket.subject)}",
        f"Requester: {ticket.requester.name} <{ticket.requester.email}>",
        f"Assignee: {ticket.assignee.name if ticket.assignee else 'nobody'}",
        f"Priority: {ticket.priority.value}",
        "",
        f"How the deadline came about, by the clocks of {zone}:",
        *(f"  {line}" for line in explain(clock, zone)),
        "",
        *((why, "") if why else ()),
        f"To say that somebody looks after it, so that it is not told again: {LINK}",
    ]
    return Draft(
        kind=Kind.NOTICE,
        dedupe_key=ladder_key(call, to.address),
        ticket=ticket.number,
        message_id=None,
        to_address=to.address,
        to_name=to.name,
        from_name="",
        subject=f"{about}: {metric} of ticket {ticket.number}{again}",
        text="\n".join(lines),
        in_reply_to=None,
        references=(),
        mail_id=outbox.new_mail_id(ticket.number, 0),
        link=ACKNOWLEDGE,
    )


def ladder_key(call: Call, to: str) -> str:
    """What is told of a deadline to somebody for the `call.round`-th time is told once."""
    return f"ladder:{call.escalation.id}:{call.round}:{to}"


def held(ticket: Ticket, planned: int, why: str, to: Person) -> Draft:
    """To an answer's author, that it did not go out when its time had come."""
    lines = [
        f"An answer on ticket {ticket.number} was to go out by now and did not: {why}",
        "",
        f"Subject: {text.one_line(ticket.subject)}",
        "It waits on the ticket's page, where it can be taken back or sent.",
    ]
    return Draft(
        kind=Kind.NOTICE,
        dedupe_key=f"held:{planned}:{to.email}",
        ticket=ticket.number,
        message_id=None,
        to_address=to.email,
        to_name=to.name,
        from_name="",
        subject=f"Ticket {ticket.number}: an answer did not go out",
        text="\n".join(lines),
        in_reply_to=None,
        references=(),
        mail_id=outbox.new_mail_id(ticket.number, 0),
    )


def awake(ticket: Ticket, slept_until: datetime, to: Person, zone: tzinfo) -> Draft:
    """To whoever works on it, that a snoozed ticket is back."""
    return Draft(
        kind=Kind.NOTICE,
        dedupe_key=f"awake:{ticket.number}:{slept_until.isoformat()}:{to.email}",
        ticket=ticket.number,
        message_id=None,
        to_address=to.email,
        to_name=to.name,
        from_name="",
        subject=f"Ticket {ticket.number} is back",
        text=f"Ticket {ticket.number} was snoozed until {zones.named(slept_until, zone)}.\n\nSubject: {ticket.subject}",
        in_reply_to=None,
        references=(),
        mail_id=outbox.new_mail_id(ticket.number, 0),
    )

"""What is said on a ticket, and how it becomes a message."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.accounts.models import Person
from app.core import text
from app.core.errors import Invalid
from app.db import plain
from app.db.session import Session
from app.files import actions as files
from app.files.actions import File
from app.tickets import words
from app.tickets.models import Channel, Message, Ticket

FARTHEST = timedelta(days=7)
Fold = tuple[int, int, str]


@dataclass(frozen=True)
class Body:
    """What is said: plain text and what pages fold of it, and the same as harmless HTML where it came so.

    `cards` are the events that the text tells of, for programs.
    """

    text: str
    html: str | None = None
    html_policy: int | None = None
    folds: Sequence[Fold] = ()
    cards: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True)
class Source:
    """How it came: by which door, from which mail, and whether a machine sent it.

    For what comes `late`, after an outage, nobody gets an acknowledgement any more. `came_at` is when a mail reached its server.
    """

    channel: Channel
    mail_id: str | None = None
    inbound_mail_id: int | None = None
    auto: bool = False
    late: bool = False
    came_at: datetime | None = None

    def heard_at(self, now: datetime) -> datetime:
        """When it was said, as far as anybody may count on that: a mail's server may be away for a week, or its clock wrong."""
        return min(max(self.came_at, now - FARTHEST), now) if self.came_at else now


def say(
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
    """A new message with its files. Raises Invalid where there is nothing in it."""
    message = unsaid(ticket, author=author, body=body, source=source, attached=attached, now=now, internal=internal)
    plain.add(s, message)
    files.attach(s, attached, message_id=message.id, now=now)
    words.add(s, message, attached, ticket=ticket.conversation or ticket.number)
    if not internal:  # a customer's list must not tell that there is a note
        ticket.updated_at = now
    return message


def unsaid(
    ticket: Ticket,
    *,
    author: Person,
    body: Body,
    source: Source,
    attached: Sequence[File],
    now: datetime,
    internal: bool = False,
) -> Message:
    """The same, not written down yet and without its files."""
    if not body.text.strip() and not body.html and not attached:
        raise Invalid("There is nothing in this message. Write something or attach a file.")
    return Message(
        ticket=ticket.number,
        author=author,
        author_id=author.id,
        internal=internal,
        from_staff=author.staff and author.id != ticket.requester_id,
        auto=source.auto,
        channel=source.channel,
        text=text.printable(body.text),
        html=body.html,
        html_policy=body.html_policy,
        folds=[list(fold) for fold in body.folds],
        cards=list(body.cards),
        mail_id=source.mail_id,
        inbound_mail_id=source.inbound_mail_id,
        created_at=now,
    )

"""Where a mail ends: a ticket of its own, on another, or before a person; and its row in the ledger with it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from app.accounts.models import Person
from app.audit import actions as audit
from app.audit.models import Event
from app.core import text
from app.db.session import Session
from app.files.actions import File
from app.intake.models import InboundMail
from app.intake.rules.authentication import Verdict
from app.intake.rules.states import Disowned, MailState
from app.tickets import actions as tickets
from app.tickets.actions import Body, Source
from app.tickets.models import Channel, Message, Ticket

LATE = timedelta(days=1)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arrived:
    """A mail that waits for its place: its row, who wrote it, what it says, its files, whether a machine sent it, and whether
    it came so long ago that nobody waits for an acknowledgement.
    """

    row: InboundMail
    sender: Person
    body: Body
    files: Sequence[File]
    auto: bool
    late: bool

    @property
    def source(self) -> Source:
        mail_id, id = self.row.mail_id, self.row.id
        came_at = self.row.received_at
        return Source(Channel.MAIL, mail_id=mail_id, inbound_mail_id=id, auto=self.auto, late=self.late, came_at=came_at)


def is_late(row: InboundMail, now: datetime) -> bool:
    """Whether nobody waits for an acknowledgement of this mail any more."""
    return now - row.received_at > LATE


def is_disowned(row: InboundMail) -> bool:
    """Whether it is taken as a stranger's, whomever it names, because its domain disowns it. A person's say changes nothing."""
    return row.verdict is Verdict.FAIL and row.mailbox.disowned is Disowned.FLAG


def own_ticket(s: Session, mail: Arrived, *, acknowledge: bool, gate: bool, now: datetime) -> Ticket:
    """A new matter of the sender's, as the mailbox it came to has it."""
    return tickets.open(
        s,
        requester=mail.sender,
        by=None,
        subject=mail.row.subject or "",
        body=mail.body,
        source=mail.source,
        files=mail.files,
        now=now,
        gate=gate,
        priority=mail.row.mailbox.priority,
        team_id=mail.row.mailbox.team_id,
        desk_address=mail.row.mailbox.address,
        acknowledge=acknowledge,
    )


def customer_reply(s: Session, mail: Arrived, ticket: Ticket, *, gate: bool, now: datetime) -> Ticket:
    """An answer on this ticket, or where that goes on."""
    return tickets.customer_reply(
        s, ticket, by=mail.sender, body=mail.body, source=mail.source, files=mail.files, now=now, gate=gate
    )


def landed(s: Session, row: InboundMail, ticket: int, now: datetime, reason: str | None) -> InboundMail:
    """The mail stands on this ticket now."""
    row.ticket = ticket
    row.message_id = s.scalar(select(Message.id).where(Message.inbound_mail_id == row.id))
    return close(row, MailState.DONE, now, reason)


def hold(s: Session, row: InboundMail, reason: str, now: datetime, *, ticket: int | None = None) -> InboundMail:
    """Keep a mail from becoming anything before a person has looked at it. Nobody outside is told."""
    row.ticket = ticket
    audit.record(s, Event.MAIL_QUARANTINED, now=now, ticket=ticket, mail=row.id, reason=reason)
    log.warning("a mail waits for a person", extra={"mail": row.id, "reason": reason})
    return close(row, MailState.QUARANTINED, now, reason)


def close(row: InboundMail, state: MailState, now: datetime, reason: str | None) -> InboundMail:
    """The outcome, and the reason in one line."""
    row.state, row.processed_at = state, now
    row.reason = text.one_line(reason, most=500) if reason else None
    return row

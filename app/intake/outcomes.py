"""The one outcome of a mail: a ticket, an answer on one, a duplicate, ignored, or put before a person as it came."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select

from app.accounts import actions as accounts
from app.accounts.models import Person
from app.audit import actions as audit
from app.audit.models import Event
from app.core import ids, text
from app.db import locks
from app.db.session import Session
from app.files.actions import File
from app.intake import floods, joining, reports
from app.intake.authentication import NOT_CHECKED
from app.intake.models import InboundMail
from app.intake.rules.authentication import Checked, Verdict
from app.intake.rules.mail import Mail
from app.intake.rules.signs import Worth
from app.intake.rules.states import MailState
from app.outbox import suppression
from app.outbox.house import House
from app.tickets import actions as tickets
from app.tickets.actions import Body, Source
from app.tickets.models import Channel, Message, Ticket

NOBODY = "unknown@sender.invalid"
FLOOD = "its sender has many new tickets within an hour already; it stands on the last one that is open"
LATE = timedelta(days=1)  # after this nobody waits for an acknowledgement
NO_TEXT = "(This mail has no text.)"

log = logging.getLogger(__name__)


def settle(
    s: Session,
    id: int,
    mail: Mail,
    files: Sequence[File],
    *,
    house: House,
    gate: bool,
    checked: Checked = NOT_CHECKED,
    now: datetime,
) -> InboundMail | None:
    """Give a mail its one outcome; None where another has done so. Files lie in the store already.

    `checked` says whether it is from the address it names.
    """
    row = _mine(s, id)
    if row is None:
        return None
    row.content_key, row.mail_id, row.subject = mail.content_key, mail.message_id, mail.subject or None
    row.sender = mail.sender.address if mail.sender else None
    row.charset = text.one_line(mail.charset, most=100) or None
    row.verdict, row.verdict_words = checked.verdict, text.one_line(checked.words, most=500)
    row.thread = None if mail.automatic or mail.sender is None else list(mail.thread)
    if _came_before(s, row, now):
        return row
    if reason := joining.not_for_us(mail, house):
        return _close(row, MailState.IGNORED, now, reason)
    if noted := reports.note(s, mail, house, id=row.id, now=now):
        row.ticket = noted.ticket
        return _close(row, MailState.IGNORED, now, noted.words)
    if checked.verdict is Verdict.FAIL and row.released_at is None:
        return _hold(s, row, f"its sender could not be verified: {checked.words}", now)
    return _deliver(s, row, mail, files, house=house, gate=gate, now=now)


def quarantine(s: Session, id: int, reason: str, original: File, *, gate: bool, now: datetime) -> InboundMail | None:
    """Put a mail that can't be processed before a person: as a ticket that says why, with the original attached."""
    row = _mine(s, id)
    if row is None:
        return None
    row.content_key = row.content_key or row.raw_sha256
    if _came_before(s, row, now):
        return row
    if row.ticket is None:
        subject = f"Unreadable mail: {row.subject}" if row.subject else "Unreadable mail"
        row.ticket = _stand_in(s, subject, _unreadable(row, reason), [original], gate=gate, now=now).number
    audit.record(s, Event.MAIL_QUARANTINED, now=now, ticket=row.ticket, mail=row.id, reason=reason)
    log.warning("a mail could not be processed; a ticket shows it", extra={"mail": row.id, "reason": reason})
    return _close(row, MailState.QUARANTINED, now, reason)


def withheld(s: Session, id: int, header: Mail | None, *, gate: bool, now: datetime) -> InboundMail | None:
    """Tell a person of a mail that the server lists but does not give, with what is known of it."""
    row = _mine(s, id)
    if row is None:
        return None
    row.content_key = ids.sha256(f"not given: {row.id}".encode())
    if header:
        row.mail_id, row.subject = header.message_id, header.subject or None
        row.sender = header.sender.address if header.sender else None
    known = f"Its header says that it is from {row.sender or 'nobody'}: {row.subject or 'no subject'}\n\n" if header else ""
    said = (
        f"The mailbox {row.mailbox.name} has a mail that its server does not give: {row.refusal}\n\n{known}"
        f"It is asked for again every 6 hours, and becomes a ticket of its own when it is given. Until then it can only be found "
        f"in the folder {row.mailbox.folder} itself (UID {row.uid}). It is number {row.id} of the mail ledger.\n"
        f"When nobody has to look at it any more: atum mail drop {row.id}"
    )
    subject = f"Mail that can't be fetched: {row.subject}" if row.subject else "Mail that can't be fetched"
    row.ticket = _stand_in(s, subject, said, [], gate=gate, now=now).number
    reason = f"its server does not give it: {row.refusal}"
    audit.record(s, Event.MAIL_QUARANTINED, now=now, ticket=row.ticket, mail=row.id, reason=reason)
    log.warning("a mail is not given by its server; a ticket says so", extra={"mail": row.id, "reason": row.refusal})
    return _close(row, MailState.QUARANTINED, now, reason)


def give_up(s: Session, id: int, reason: str, *, now: datetime) -> None:
    """Set a mail aside for which not even a ticket could be made. It waits in the ledger."""
    if row := _mine(s, id):
        log.error("a mail could not be processed; it waits in the ledger", extra={"mail": row.id, "reason": reason})
        _close(row, MailState.QUARANTINED, now, reason)


def _hold(s: Session, row: InboundMail, reason: str, now: datetime, *, ticket: int | None = None) -> InboundMail:
    """Keep a mail from becoming anything before a person has looked at it. Nobody outside is told."""
    row.ticket = ticket
    audit.record(s, Event.MAIL_QUARANTINED, now=now, ticket=ticket, mail=row.id, reason=reason)
    log.warning("a mail waits for a person", extra={"mail": row.id, "reason": reason})
    return _close(row, MailState.QUARANTINED, now, reason)


def _mine(s: Session, id: int) -> InboundMail | None:
    row = s.get(InboundMail, id, with_for_update={"of": InboundMail, "skip_locked": True}, populate_existing=True)
    return row if row and row.state is MailState.NEW else None


def _came_before(s: Session, row: InboundMail, now: datetime) -> bool:
    """Whether this very mail has its outcome under another number; then this row says so and is done."""
    locks.take_in_transaction(s, f"mail:{row.mailbox_id}:{row.content_key}")
    twin = s.scalar(
        select(InboundMail).where(
            InboundMail.mailbox_id == row.mailbox_id,
            InboundMail.content_key == row.content_key,
            InboundMail.state.in_((MailState.DONE, MailState.QUARANTINED)),
            InboundMail.id != row.id,
        )
    )
    if twin is None:
        return False
    row.ticket = twin.ticket
    _close(row, MailState.DUPLICATE, now, f"the same mail came before; it is number {twin.id} of the ledger")
    return True


def _deliver(
    s: Session, row: InboundMail, mail: Mail, files: Sequence[File], *, house: House, gate: bool, now: datetime
) -> InboundMail:
    sender = _sender(s, mail, now)
    if not mail.automatic:
        suppression.lift(s, sender.email, mail=row.id, now=now)
    late = now - row.received_at > LATE
    source = Source(Channel.MAIL, mail_id=mail.message_id, inbound_mail_id=row.id, auto=bool(mail.automatic), late=late)
    body = _body(row, mail)
    place = joining.place_of(s, mail, sender, house, mailbox_id=row.mailbox_id, verified=row.verdict is Verdict.PASS)
    joined = place.ticket if place and place.worth is Worth.JOIN else None
    if joined and (twin := _twin_on(s, row, joined)):
        row.ticket = joined.number
        return _close(row, MailState.DUPLICATE, now, f"it came to another mailbox too; it is number {twin} of the ledger")
    flood = None if joined else floods.collecting(s, sender, row.mailbox, now=now)
    if ticket := joined or flood:
        landed = tickets.customer_reply(s, ticket, by=sender, body=body, source=source, files=files, now=now, gate=gate)
    else:
        landed = tickets.open(
            s,
            requester=sender,
            by=None,
            subject=mail.subject,
            body=body,
            source=source,
            files=files,
            now=now,
            gate=gate,
            priority=row.mailbox.priority,
            team_id=row.mailbox.team_id,
            desk_address=row.mailbox.address,
            acknowledge=mail.sender is not None and not mail.automatic,
        )
    row.ticket = landed.number
    row.message_id = s.scalar(select(Message.id).where(Message.inbound_mail_id == row.id))
    return _close(row, MailState.DONE, now, FLOOD if flood else mail.automatic or (None if mail.sender else "it names no sender"))


def _twin_on(s: Session, row: InboundMail, ticket: Ticket) -> int | None:
    """The same mail, as it came to another mailbox and stands on the same ticket."""
    return s.scalar(
        select(InboundMail.id).where(
            InboundMail.content_key == row.content_key,
            InboundMail.state == MailState.DONE,
            InboundMail.mailbox_id != row.mailbox_id,
            InboundMail.ticket.in_((ticket.number, ticket.conversation or ticket.number)),
        )
    )


def _sender(s: Session, mail: Mail, now: datetime) -> Person:
    """Who wrote it; a mail without a sender's address still gets before a person."""
    if mail.sender is None:
        return accounts.known_sender(s, email=NOBODY, name="Unknown sender", now=now)
    return accounts.known_sender(s, email=mail.sender.address, name=mail.sender.name, now=now)


def _body(row: InboundMail, mail: Mail) -> Body:
    said, folds = (mail.text, mail.folds) if mail.text.strip() else (NO_TEXT, ())
    if row.header_only:
        folds = ()
        said = (
            f"[This mail is too large to be fetched ({row.size / 1e6:.0f} MB). It is still in the mailbox "
            f"{row.mailbox.name}; only what its header says was taken.]"
        )
    return Body(said, mail.html or None, mail.html_policy, folds)


def _unreadable(row: InboundMail, reason: str) -> str:
    return (
        f"A mail came that could not be read: {reason}.\n\n"
        f"It is attached as it came; open it with care. It is number {row.id} of the mail ledger "
        f"(atum mail show {row.id}), and is processed again by: atum mail replay {row.id}\n"
        f"When nobody has to look at it any more: atum mail drop {row.id}"
    )


def _stand_in(s: Session, subject: str, said: str, files: Sequence[File], *, gate: bool, now: datetime) -> Ticket:
    nobody = accounts.known_sender(s, email=NOBODY, name="Unknown sender", now=now)
    return tickets.open(
        s,
        requester=nobody,
        by=None,
        subject=subject,
        body=Body(said),
        source=Source(Channel.MAIL, auto=True),
        files=files,
        now=now,
        gate=gate,
        acknowledge=False,
    )


def _close(row: InboundMail, state: MailState, now: datetime, reason: str | None) -> InboundMail:
    row.state, row.processed_at = state, now
    row.reason = text.one_line(reason, most=500) if reason else None
    return row

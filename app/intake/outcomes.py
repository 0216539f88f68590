"""The one outcome of a mail: a ticket, an answer on one, a duplicate, ignored, or put before a person as it came."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.accounts import actions as accounts
from app.accounts import queries
from app.accounts.models import Person
from app.accounts.rules import Verb, may
from app.audit import actions as audit
from app.audit.models import Event
from app.core import ids, text
from app.core.errors import Conflict, Invalid, TooMany
from app.db import locks
from app.db.session import Session
from app.files.actions import File
from app.intake import canary, floods, joining, landing, oversize, reports, senders, suggestions
from app.intake.authentication import NOT_CHECKED
from app.intake.joining import Place
from app.intake.landing import Arrived
from app.intake.models import InboundMail
from app.intake.rules.authentication import Checked, Verdict
from app.intake.rules.mail import Card, Mail
from app.intake.rules.seal import IN_PART
from app.intake.rules.signs import Hand, Worth
from app.intake.rules.states import MailState
from app.outbox import suppression
from app.outbox.house import House
from app.tickets import actions as tickets
from app.tickets import watchers
from app.tickets.actions import Body, Source
from app.tickets.models import Channel, Ticket

NOBODY = "unknown@sender.invalid"
MANY = "its sender has many new tickets within an hour already"
FLOOD = f"{MANY}; it stands on the last one that is open"
MOST_COPIES = 10  # that one mail puts in copy
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

    `checked` says whether it is from the address that its From names.
    """
    row = _mine(s, id)
    if row is None:
        return None
    mail, checked = senders.named(s, mail, checked, by=row.mailbox.sender_from, house=house)
    row.content_key, row.mail_id, row.subject = mail.content_key, mail.message_id, mail.subject or None
    row.sender = mail.sender.address if mail.sender else None
    row.charset = text.one_line(mail.charset, most=100) or None
    row.verdict, row.verdict_words = checked.verdict, text.one_line(checked.words, most=500)
    seal = IN_PART if mail.seal and row.header_only and not mail.seal.encrypted else mail.seal
    row.seal, row.seal_words = seal.told(row.sender or "") if seal else (None, None)
    row.thread = None if mail.automatic or mail.sender is None else list(mail.thread)
    if _came_before(s, row, now):
        return row
    if not mail.in_reply_to and (probe := house.probe_in(mail.subject)):
        return landing.close(row, MailState.IGNORED, now, canary.came_back(s, *probe, now=now))
    if reason := joining.not_for_us(mail, house):
        return landing.close(row, MailState.IGNORED, now, reason)
    if noted := reports.note(s, mail, house, id=row.id, now=now):
        row.ticket = noted.ticket
        return landing.close(row, MailState.IGNORED, now, noted.words)
    taken = row.released_at is not None or senders.may_be_taken(s, mail, row.mailbox.disowned)
    if checked.verdict is Verdict.FAIL and not taken:
        return landing.hold(s, row, f"its sender could not be verified: {checked.words}", now)
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
    return landing.close(row, MailState.QUARANTINED, now, reason)


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
    return landing.close(row, MailState.QUARANTINED, now, reason)


def give_up(s: Session, id: int, reason: str, *, now: datetime) -> None:
    """Set a mail aside for which not even a ticket could be made. It waits in the ledger."""
    if row := _mine(s, id):
        log.error("a mail could not be processed; it waits in the ledger", extra={"mail": row.id, "reason": reason})
        landing.close(row, MailState.QUARANTINED, now, reason)


def _mine(s: Session, id: int) -> InboundMail | None:
    row = s.get(InboundMail, id, with_for_update={"of": InboundMail, "skip_locked": True}, populate_existing=True)
    return row if row and row.state is MailState.NEW else None


def _came_before(s: Session, row: InboundMail, now: datetime) -> bool:
    """Whether this very mail has its outcome under another number; then this row says so and is done.

    Whoever was sent a copy can send it on, under the same Message-ID and in another name: that is not this mail. Nor does one
    that was only marked as disowned stand for the same one verified.
    """
    twin = _twin(s, row)
    if twin is not None and twin.sender != row.sender and twin.raw_sha256 != row.raw_sha256:
        row.content_key = ids.sha256(f"{row.content_key} of {row.sender}".encode())
        twin = _twin(s, row)
    if twin is not None and row.verdict is Verdict.PASS and twin.state is MailState.DONE and landing.is_disowned(twin):
        row.content_key = ids.sha256(f"{row.content_key} verified".encode())
        twin = _twin(s, row)
    twin = twin or _passed_over(s, row)
    if twin is None or _gives_way(s, twin, row, now):
        return False
    row.ticket = twin.ticket
    landing.close(row, MailState.DUPLICATE, now, f"the same mail came before; it is number {twin.id} of the ledger")
    return True


def _twin(s: Session, row: InboundMail) -> InboundMail | None:
    """The mail with the same content that has its outcome. Nobody else gives one to such a mail before this transaction ends."""
    locks.take_in_transaction(s, f"mail:{row.mailbox_id}:{row.content_key}")
    return s.scalar(
        select(InboundMail).where(
            InboundMail.mailbox_id == row.mailbox_id,
            InboundMail.content_key == row.content_key,
            InboundMail.state.in_((MailState.DONE, MailState.QUARANTINED)),
            InboundMail.id != row.id,
        )
    )


def _passed_over(s: Session, row: InboundMail) -> InboundMail | None:
    """The very same bytes, of which nothing came, by a rule or somebody's say. Not asked of what is processed again by hand."""
    if row.mail_id is None or row.server_acked_at is not None:
        return None
    same = (InboundMail.mail_id == row.mail_id, InboundMail.raw_sha256 == row.raw_sha256, InboundMail.id != row.id)
    here = (InboundMail.mailbox_id == row.mailbox_id, InboundMail.state == MailState.IGNORED)
    return s.scalar(select(InboundMail).where(*same, *here).limit(1))


def _gives_way(s: Session, twin: InboundMail, row: InboundMail, now: datetime) -> bool:
    """Whether a mail that is held because its sender could not be verified gives way to this very mail, come again verified.

    A forwarder's copy, which lost its signature, is often here before the one that came straight.
    """
    if twin.verdict is not Verdict.FAIL or row.verdict is not Verdict.PASS:
        return False
    held = s.get(InboundMail, twin.id, with_for_update={"of": InboundMail, "skip_locked": True}, populate_existing=True)
    if held is None or held.state is not MailState.QUARANTINED:  # a person has had a say this moment
        return False
    landing.close(
        held, MailState.DUPLICATE, now, f"it came again with its sender verified; that one is number {row.id} of the ledger"
    )
    s.flush()
    return True


def _deliver(
    s: Session, row: InboundMail, mail: Mail, files: Sequence[File], *, house: House, gate: bool, now: datetime
) -> InboundMail:
    sender, verified, disowned = _sender(s, mail, now), row.verdict is Verdict.PASS, landing.is_disowned(row)
    if not mail.automatic and not disowned:
        suppression.heard_from(s, sender.email, mail=row.id, verified=verified, now=now)
    arrived = Arrived(row, sender, _body(row, mail), files, auto=bool(mail.automatic), late=landing.is_late(row, now))
    known: dict[str, Any] = {"mailbox_id": row.mailbox_id, "verified": verified, "disowned": disowned}
    place = joining.place_of(s, mail, sender, house, **known)
    if place and place.issued_to:
        number, whose = place.ticket.number, place.issued_to
        audit.record(s, Event.MAIL_BORROWED, now=now, ticket=number, mail=row.id, sender=sender.email, issued_to=whose)
    if place and (done := _placed(s, arrived, place, said=mail.automatic or None, gate=gate, now=now)):
        ticket = place.ticket if place.worth is Worth.JOIN else None
    elif (flood := floods.collecting(s, sender, row.mailbox, now=now)) and disowned:
        return landing.hold(s, row, f"its sender could not be verified: {row.verdict_words}; and {MANY}", now)
    elif flood:
        ticket = landing.customer_reply(s, arrived, flood, gate=gate, now=now)
        done = landing.landed(s, row, ticket.number, now, FLOOD)
    else:
        acknowledge = not (mail.sender is None or mail.automatic or mail.cards or disowned or oversize.is_told(arrived))
        ticket = landing.own_ticket(s, arrived, acknowledge=acknowledge, gate=gate, now=now)
        done = landing.landed(s, row, ticket.number, now, mail.automatic or (None if mail.sender else "it names no sender"))
    if ticket and not disowned and oversize.is_told(arrived) and done.state is MailState.DONE:
        oversize.tell(s, arrived, ticket, now=now)
    if verified and ticket and ticket.requester_id == sender.id:
        _copies(s, ticket, mail, sender, house, now)
    return done


def _placed(s: Session, mail: Arrived, place: Place, *, said: str | None, gate: bool, now: datetime) -> InboundMail | None:
    """What becomes of a mail that shows a sign of a ticket; None for one that is a matter of its own after all."""
    row, ticket = mail.row, place.ticket
    if place.worth is Worth.JOIN:
        if twin := _twin_on(s, row, ticket):
            return _double(row, ticket, twin, now)
        answered = landing.customer_reply(s, mail, ticket, gate=gate, now=now)
        return landing.landed(s, row, answered.number, now, said)
    if place.worth is Worth.NOTE and _may_note(mail.sender, ticket):
        note = tickets.note(s, ticket, by=mail.sender, body=mail.body, source=mail.source, files=mail.files, now=now)
        return landing.landed(s, row, note.ticket, now, "an internal note: it is from one of the staff")
    if row.released_at is not None:
        return None
    if place.hand is Hand.STAFF:
        return landing.hold(s, row, _not_as_staff(mail.sender, place), now, ticket=ticket.number)
    if twin := _twin_on(s, row, ticket, waiting=True):
        return _double(row, ticket, twin, now)
    return suggestions.suggest(s, mail, place, now=now) if suggestions.room_on(s, ticket) else None


def _may_note(sender: Person, ticket: Ticket) -> bool:
    return sender.disabled_at is None and ticket.trashed_at is None and may(sender, Verb.NOTE, ticket)


def _not_as_staff(sender: Person, place: Place) -> str:
    if place.worth is Worth.NOTE:
        return f"{sender.email} may not note on ticket {place.ticket.number} any more"
    return (
        f"it is about ticket {place.ticket.number} and from {sender.email}, who works here and answers on the ticket's page;"
        " a mail leaves a note only where its sender is in copy and verified"
    )


def _copies(s: Session, ticket: Ticket, mail: Mail, sender: Person, house: House, now: datetime) -> None:
    """Who is in copy of a customer's verified mail and of the same organization gets later answers, and nothing from before."""
    if mail.automatic or sender.staff or sender.organization_id is None:
        return
    named = dict.fromkeys(one.address for one in (*mail.to, *mail.cc))
    for address in [one for one in named if one != sender.email and not house.is_own(one)][:MOST_COPIES]:
        known = queries.by_email(s, address)
        theirs = known.organization_id if known else accounts.organization_of(s, address)
        if theirs != sender.organization_id or (known and (known.staff or known.disabled_at)):
            continue
        with suppress(Conflict, Invalid, TooMany):  # no room, or no address that can be written to: the mail counts all the same
            watchers.copy_to(s, ticket, address, ours=(house.address, *house.others), by=sender, now=now)


def _double(row: InboundMail, ticket: Ticket, twin: int, now: datetime) -> InboundMail:
    row.ticket = ticket.number
    return landing.close(row, MailState.DUPLICATE, now, f"it came to another mailbox too; it is number {twin} of the ledger")


def _twin_on(s: Session, row: InboundMail, ticket: Ticket, *, waiting: bool = False) -> int | None:
    """The same mail, as it came to another mailbox and stands on the same ticket, or waits there."""
    return s.scalar(
        select(InboundMail.id).where(
            InboundMail.content_key == row.content_key,
            InboundMail.state.in_((MailState.DONE, MailState.QUARANTINED) if waiting else (MailState.DONE,)),
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
        return oversize.body(row, mail)
    return Body(said, mail.html or None, mail.html_policy, folds, [_event(card) for card in mail.cards])


def _event(card: Card) -> dict[str, Any]:
    return {**asdict(card), "answers": [{"who": who, "answer": answer} for who, answer in card.answers]}


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

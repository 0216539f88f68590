"""Which ticket a mail belongs to (MAIL.md, "Threading"): its requester's own, and that of customers who are in copy."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select

from app.accounts.models import Person
from app.core import text
from app.db.session import Session
from app.intake import queries as ledger
from app.intake.rules import signs
from app.intake.rules.mail import Mail
from app.intake.rules.signs import Hand, Sign, Worth
from app.outbox import queries as letters
from app.outbox.house import House
from app.tickets import queries
from app.tickets.models import Ticket, Watcher
from app.tickets.rules import WatcherKind


@dataclass(frozen=True)
class Place:
    """A ticket, locked, that a mail refers to; by which sign, whose it is, and what that is worth.

    `issued_to` is whose address was shown, if it is somebody else's.
    """

    ticket: Ticket
    sign: Sign
    hand: Hand
    worth: Worth
    issued_to: str | None


def place_of(
    s: Session, mail: Mail, sender: Person, house: House, *, mailbox_id: int, verified: bool, disowned: bool = False
) -> Place | None:
    """Where this mail goes; None for a new matter. For a ticket that was merged it is what it is part of now.

    Signs can be forwarded or guessed, so what each is worth depends on who shows it: see `signs.worth`. `verified` says
    whether it is known that the sender's address is no made-up one; whose mail is `disowned` takes part in nothing.
    """
    best: tuple[Ticket, Sign, Hand, Worth, str | None] | None = None
    for number, sign, issued_to in _signs(s, mail, sender, house, mailbox_id):
        ticket = queries.by_number(s, number)
        if ticket is None:
            continue
        hand = Hand.OUTSIDER if disowned else _hand(s, ticket, sender)
        worth = signs.worth(sign, hand, verified=verified, in_from=mail.sender_field == "from")
        if worth is not Worth.NOTHING and (best is None or _ORDER[worth] < _ORDER[best[3]]):
            best = (ticket, sign, hand, worth, issued_to)
            if worth is Worth.JOIN:
                break
    return Place(_held(s, best[0]), *best[1:]) if best else None


def not_for_us(mail: Mail, house: House) -> str:
    """Why this mail must not become anything, in words: it is our own, come back. Empty for everybody else's."""
    if mail.message_id and house.ticket_of_mail_id(mail.message_id) is not None:
        return "it is our own mail, come back: its Message-ID is one of ours"
    if mail.sender and house.is_own(mail.sender.address):
        return f"it is from our own address, {mail.sender.address}"
    return ""


Shown = tuple[int, Sign, str | None]  # a ticket, how it is referred to, and whose address that took
_ORDER = {worth: place for place, worth in enumerate(Worth)}


def _signs(s: Session, mail: Mail, sender: Person, house: House, mailbox_id: int) -> Iterator[Shown]:
    """The tickets that a mail refers to, by falling certainty of the sign."""
    for address in mail.recipients:
        yield from _of_address(s, address, sender, house)
    answered = (*mail.in_reply_to, *reversed(mail.references))
    for mail_id in answered:
        if (number := house.ticket_of_mail_id(mail_id)) is not None:
            yield number, Sign.OURS, None
    if mail.automatic:
        return
    for number in queries.with_mail_of(s, answered, requester_id=sender.id):
        yield number, Sign.THEIRS, None
    related = mail.thread if mail.message_id is None else (*mail.thread, mail.message_id)
    for number in ledger.in_thread_of(s, related, mailbox_id=mailbox_id, requester_id=sender.id):
        yield number, Sign.THEIRS, None
    for number in signs.tagged(mail.subject):
        yield number, Sign.TAG, None


def _of_address(s: Session, address: str, sender: Person, house: House) -> Iterator[Shown]:
    """An address of ours: one for answers, or where machines answer to (RFC 3834 section 4): somebody is away."""
    if (number := house.ticket_of_address(address, sender.email)) is not None:
        yield number, Sign.ISSUED, None
    elif (number := house.claimed(address)) is not None:
        whose = next((one for one in _known_on(s, number) if house.ticket_of_address(address, one) == number), None)
        if whose is not None:
            yield number, Sign.BORROWED, whose
    letter = letters.by_return_address(s, address, house)
    if letter and letter.ticket:
        to = text.address(letter.to_address)
        yield letter.ticket, *((Sign.ISSUED, None) if to == sender.email else (Sign.BORROWED, to))


def _known_on(s: Session, number: int) -> Iterator[str]:
    """Everybody who was ever given an address for answers on this ticket."""
    ticket = queries.by_number(s, number)
    if ticket:
        yield ticket.requester.email
        yield from letters.addressees(s, number)
        yield from s.scalars(select(Person.email).join(Watcher, Watcher.person_id == Person.id).where(Watcher.ticket == number))


def _hand(s: Session, ticket: Ticket, sender: Person) -> Hand:
    if ticket.requester_id == sender.id:
        return Hand.REQUESTER
    if sender.staff:
        return Hand.STAFF
    return Hand.IN_COPY if sender.disabled_at is None and _in_copy(s, ticket, sender) else Hand.OUTSIDER


def _in_copy(s: Session, ticket: Ticket, sender: Person) -> bool:
    here = Watcher.ticket.in_((ticket.number, ticket.conversation or ticket.number))
    query = select(Watcher.person_id).where(here, Watcher.person_id == sender.id, Watcher.kind == WatcherKind.CC)
    return s.scalar(query.limit(1)) is not None


def _held(s: Session, ticket: Ticket) -> Ticket:
    """The ticket whose conversation this one's is, locked alone: a merge holds both, in order of number. One that is merged or
    unmerged while we wait is looked at again, so that nothing lands on a ticket it no longer belongs to.
    """
    while True:
        end = ticket.conversation or ticket.number
        held = queries.by_number(s, end, lock=True)
        s.refresh(ticket, ["conversation"])
        if held is not None and (ticket.conversation or ticket.number) == end:
            return held

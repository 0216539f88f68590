"""Which ticket a mail belongs to (MAIL.md, "Threading"): its requester's own, and that of customers who are in copy."""

from collections.abc import Iterator

from sqlalchemy import select

from app.accounts.models import Person
from app.core import text
from app.db.session import Session
from app.intake.rules.mail import Mail
from app.outbox import queries as letters
from app.outbox.house import House
from app.outbox.models import Letter
from app.tickets import queries
from app.tickets.models import Ticket, Watcher
from app.tickets.rules import WatcherKind


def ticket_for(s: Session, mail: Mail, sender: Person, house: House) -> Ticket | None:
    """The ticket that this mail goes on, locked; None for a new matter. For one that was merged it is what it is part of now.

    Whoever is not the requester opens a ticket of their own, whatever signs of ours they show: an address or a Message-ID
    can be forwarded, and must not open another's ticket. Customers in copy join it by the address that was issued to them, as
    long as they are in copy. Staff never do: their words would look like the desk's, and anybody can write as anybody.
    """
    issued = {number for address in mail.recipients if (number := house.ticket_of_address(address, sender.email)) is not None}
    for number in _candidates(s, mail, sender, house):
        ticket = queries.by_number(s, number)
        if ticket and (ticket.requester_id == sender.id or (number in issued and _in_copy(s, ticket, sender))):
            return _held(s, ticket)
    return None


def not_for_us(mail: Mail, house: House) -> str:
    """Why this mail must not become anything, in words: it is our own, come back. Empty for everybody else's."""
    if mail.message_id and house.ticket_of_mail_id(mail.message_id) is not None:
        return "it is our own mail, come back: its Message-ID is one of ours"
    if mail.sender and house.is_own(mail.sender.address):
        return f"it is from our own address, {mail.sender.address}"
    return ""


def returned(s: Session, mail: Mail, house: House) -> tuple[int, Letter | None] | None:
    """The ticket whose mail this report is about, and the letter, locked, where it can be told; None for anything that doesn't
    name a mail of ours. What it names must be signed by us: anybody can write a report.
    """
    if mail.bounce is None:
        return None
    for address in mail.recipients:
        letter = _letter_of(s, address, house, lock=True)
        if letter and letter.ticket:
            return letter.ticket, letter
    for mail_id in (*mail.bounce.mail_ids, *mail.in_reply_to, *reversed(mail.references)):
        if (bare := house.bare(mail_id)) and (ticket := house.ticket_of_mail_id(mail_id)):
            return ticket, letters.by_mail_id(s, bare, to=mail.bounce.recipient)
    return None


def _candidates(s: Session, mail: Mail, sender: Person, house: House) -> Iterator[int]:
    """Tickets by falling certainty: the address we gave this very sender, our own Message-IDs, then the sender's own."""
    for address in mail.recipients:
        if (number := house.ticket_of_address(address, sender.email)) is not None:
            yield number
        letter = _letter_of(s, address, house)  # where machines answer to (RFC 3834 section 4): somebody is away
        if letter and letter.ticket and text.address(letter.to_address) == sender.email:
            yield letter.ticket
    answered = (*mail.in_reply_to, *reversed(mail.references))
    for mail_id in answered:
        if (number := house.ticket_of_mail_id(mail_id)) is not None:
            yield number
    if answered and not mail.automatic and (ticket := queries.by_mail_id(s, list(answered))):
        yield ticket.number


def _letter_of(s: Session, address: str, house: House, *, lock: bool = False) -> Letter | None:
    id = house.letter_of_address(address)
    return s.get(Letter, id, with_for_update=lock or None) if id is not None else None


def _in_copy(s: Session, ticket: Ticket, sender: Person) -> bool:
    if sender.staff or sender.disabled_at is not None:
        return False
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

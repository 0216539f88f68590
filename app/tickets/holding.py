"""Tickets held for a change: locked, several of them in order of their numbers, and only by somebody who may work on them."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, or_, select, true
from sqlalchemy.orm import aliased

from app.accounts.models import Person
from app.accounts.rules import Verb, may
from app.core.errors import Conflict, Forbidden, NotFound
from app.db.session import InUse, Session
from app.tickets import queries
from app.tickets.models import Ticket


class InTrash(Conflict):
    """This ticket is in the trash. Take it out first."""

    slug = "in-trash"


class Merged(Conflict):
    """This ticket was merged into another. Change that one, or unmerge this first."""

    slug = "merged"

    def __init__(self, ticket: Ticket) -> None:
        super().__init__(
            f"Ticket {ticket.number} is part of ticket {ticket.conversation}. Change that one, or unmerge this first."
        )
        self.more = {"conversation": ticket.conversation}


class Moved(InUse):
    """This ticket was merged into another at this moment; nothing was changed. Try again."""


def locked(s: Session, numbers: Iterable[int], condition: ColumnElement[bool] | None = None) -> dict[int, Ticket]:
    """Those of these tickets that there are (and for which `condition` holds), by number."""
    query = select(Ticket).where(Ticket.number.in_(sorted(set(numbers))), true() if condition is None else condition)
    held = query.order_by(Ticket.number).with_for_update(of=Ticket, key_share=True).execution_options(populate_existing=True)
    return {ticket.number: ticket for ticket in s.scalars(held)}


def with_its_end(s: Session, number: int) -> Ticket | None:
    """A ticket, locked together with the one it is part of, where it was merged: an answer lands there.

    Raises Moved where it was merged while we waited into one whose turn to be locked was before its own.
    """
    other = aliased(Ticket)
    end = select(other.conversation).where(other.number == number).scalar_subquery()
    query = select(Ticket).where(or_(Ticket.number == number, Ticket.number == end)).order_by(Ticket.number)
    held = query.with_for_update(of=Ticket, key_share=True).execution_options(populate_existing=True)
    found = {ticket.number: ticket for ticket in s.scalars(held)}
    ticket = found.get(number)
    if ticket and ticket.conversation is not None and ticket.conversation not in found:
        if ticket.conversation < number:
            raise Moved
        locked(s, [ticket.conversation])
    return ticket


def hold(s: Session, by: Person, *numbers: int) -> list[Ticket]:
    """These tickets, in the order asked for, for somebody who may work on all of them. Raises NotFound, Forbidden, InTrash."""
    found = locked(s, numbers)
    return [for_work(found.get(number), number, by) for number in numbers]


def for_work(ticket: Ticket | None, number: int, by: Person) -> Ticket:
    """The ticket, if there is one for this person and they may work on it. Raises NotFound, Forbidden, InTrash."""
    ticket = may_work(ticket, number, by)
    if ticket.trashed_at is not None:
        raise InTrash(f"Ticket {number} is in the trash. Take it out first.")
    return ticket


def may_work(ticket: Ticket | None, number: int, by: Person) -> Ticket:
    """The same for one that may be in the trash. Raises NotFound, Forbidden."""
    if ticket is None or not may(by, Verb.SEE, ticket):
        raise NotFound(f"There is no ticket {number} here.")
    if not may(by, Verb.WORK, ticket):
        raise Forbidden(f"You may not {Verb.WORK} (ticket {number}): it belongs to a team you don't work in.")
    return ticket


def end_of(s: Session, ticket: Ticket) -> Ticket:
    """The ticket at the end of the chain, locked: where whatever is said on a merged one belongs."""
    while ticket.conversation is not None:
        end = queries.by_number(s, ticket.conversation, lock=True)
        assert end is not None
        ticket = end
    return ticket


def refuse_merged(ticket: Ticket) -> None:
    """Raises Merged for a ticket that is part of another."""
    if ticket.merged_into is not None:
        raise Merged(ticket)

"""What happens when a deadline passes: the managers are told, in the transaction that noticed."""

from sqlalchemy import select

from app.accounts import queries as accounts
from app.db.session import Session, now
from app.outbox import actions as outbox
from app.sla import actions as sla
from app.sla.rules import Kind
from app.tickets import facts, notices
from app.tickets.models import Ticket


def process_due(s: Session) -> int:
    """Act on the clocks that are due and answer how many there were; call again until it answers 0.

    Tickets are read and never locked here: whoever changes one holds its row and then wants its clocks.
    """
    fired = sla.fire_due(s, facts.of_many)
    missed = [one for one in fired if one.kind is Kind.BREACH]
    if missed:
        managers = accounts.managers(s)
        tickets = {t.number: t for t in s.scalars(select(Ticket).where(Ticket.number.in_({one.ticket for one in missed})))}
        for one in missed:
            for manager in managers if one.ticket in tickets else ():
                outbox.put(s, notices.deadline(tickets[one.ticket], one, manager), now=now(s))
    return len(fired)

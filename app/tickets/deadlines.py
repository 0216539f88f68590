"""What happens when a deadline passes: the managers are told, in the transaction that noticed."""

from app.accounts import queries as accounts
from app.db.session import Session, now
from app.outbox import actions as outbox
from app.sla import actions as sla
from app.tickets import notices, queries


def process_due(s: Session) -> int:
    """Act on the clocks that are due and answer how many there were; call again until it answers 0."""
    fired = sla.fire_due(s)
    missed = [one for one in fired if one.kind == "breach"]
    managers = accounts.managers(s) if missed else []
    for one in missed:
        ticket = queries.by_number(s, one.ticket)
        if ticket is None:
            continue
        for manager in managers:
            outbox.put(s, notices.deadline(ticket, one, manager), now=now(s))
    return len(fired)

"""What happens when a deadline passes: it is noticed, in time, and who is to be told of it is told after."""

from app.db.session import Session
from app.sla import actions as sla
from app.sla.actions import Fired
from app.tickets import facts


def process_due(s: Session) -> list[Fired]:
    """Deal with the clocks that are due and answer what there was to tell of; call again until that is nothing.

    Tickets are read and never locked here: whoever changes one holds its row and then wants its clocks.
    """
    return sla.fire_due(s, facts.of_many)

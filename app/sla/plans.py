"""What is promised now to the tickets of some clocks."""

from collections.abc import Callable, Collection, Iterable, Mapping

from app.core.priority import Priority
from app.db.session import Session
from app.sla import queries, rules
from app.sla.models import Clock
from app.sla.rules import Facts
from app.sla.rules.policies import PRIORITY

FactsOf = Callable[[Session, Collection[int]], Mapping[int, Facts]]  # of tickets by number, read without locking them


def plans_of(s: Session, clocks: Iterable[Clock], facts: FactsOf) -> dict[int, rules.Plan]:
    """By ticket. The clocks are locked, so that nobody changes anything about that meanwhile.

    `facts` is asked only where some policy depends on more than the priority, which a clock knows.
    """
    priorities = {clock.ticket: clock.priority for clock in clocks}
    offers = queries.offers(s, Priority)
    known = facts(s, priorities) if rules.asked(offers) - {PRIORITY} else {}
    return {n: rules.chosen(offers, known.get(n, {PRIORITY: (priority,)})) for n, priority in priorities.items()}

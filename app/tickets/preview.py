"""What other promises would have come to, and would come to: lives of tickets reckoned again, and nothing written."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import lazyload

from app.audit.attempts import attempt
from app.core.errors import DeskError
from app.core.priority import Priority
from app.db.session import Session
from app.sla import queries as sla
from app.sla import rules
from app.sla.rules import Facts, Instant, Metric, Moment, Offer
from app.sla.rules.preview import Difference, Key, Standing, Verdict, differences, standings
from app.tickets import facts
from app.tickets.models import Ticket
from app.tickets.rules import OPEN

MOST_TICKETS = 20_000  # the newest: a preview answers while somebody waits
MOST_TOLD = 500  # tickets that are named, the newest first

Life = Sequence[Instant]
_BEGINNINGS = {Moment.CREATED, Moment.ARISEN}


@dataclass(frozen=True)
class Ticketed:
    """A ticket whose promises would stand differently."""

    number: int
    subject: str
    differences: list[Difference]


@dataclass
class Preview:
    """How `tickets` tickets stand today and would stand then, counted by metric and verdict. `differing` names those that
    differ, `left_out` says how many more there are, `cut` whether older tickets were not looked at.
    """

    tickets: int = 0
    cut: bool = False
    today: dict[Metric, dict[Verdict, int]] = field(default_factory=dict)
    then: dict[Metric, dict[Verdict, int]] = field(default_factory=dict)
    differing: list[Ticketed] = field(default_factory=list)
    left_out: int = 0


def offers(s: Session) -> list[Offer]:
    """What is promised now, whatever the priority."""
    return sla.offers(s, Priority)


class _TakenBack(DeskError):
    """What was tried is over."""


def trial(s: Session, draft: Callable[[], None], *, days: int, now: datetime) -> Preview:
    """Save a draft as people would, see what is promised then, and take it back; what it comes to is reckoned after that.

    Raises what saving it raises.
    """
    today = then = offers(s)
    with suppress(_TakenBack), attempt(s):
        draft()
        then = offers(s)
        raise _TakenBack
    return compare(s, today, then, days=days, now=now)


def compare(s: Session, today: Sequence[Offer], then: Sequence[Offer], *, days: int, now: datetime) -> Preview:
    """The tickets of the last so many days and all open ones, under what is promised today and under what might be.

    Both are reckoned from what happened to them, as if it had been promised all along, to tickets that were always what they
    are now. Those that began before any of this was kept are left out.
    """
    found = Preview()
    wanted = or_(Ticket.status.in_(OPEN), Ticket.created_at > now - timedelta(days=days))
    newest = select(Ticket).where(wanted).order_by(Ticket.number.desc()).limit(MOST_TICKETS + 1).options(lazyload("*"))
    tickets = s.scalars(newest).all()
    found.cut = len(tickets) > MOST_TICKETS
    for chunk in _chunks(tickets[:MOST_TICKETS]):
        subjects = {ticket.number: ticket.subject for ticket in chunk}
        for number, known, life in lives(s, chunk):
            sides = [standings(life, rules.chosen(offers, known), now) for offers in (today, then)]
            _add(found, Ticketed(number, subjects[number], differences(*sides)), *sides)
    return found


def lives(s: Session, tickets: Collection[Ticket]) -> Iterator[tuple[int, Facts, Life]]:
    """Number, facts and life of each of these tickets whose life is known from its beginning on."""
    known = sla.lives(s, [ticket.number for ticket in tickets])
    for ticket in tickets:
        life = known.get(ticket.number, [])
        if life and _BEGINNINGS.intersection(life[0].moments):
            yield ticket.number, facts.of(ticket), life


def _add(found: Preview, ticket: Ticketed, *sides: Mapping[Key, Standing]) -> None:
    found.tickets += 1
    for counts, side in zip((found.today, found.then), sides, strict=True):
        for (metric, _), standing in side.items():
            by_verdict = counts.setdefault(metric, {})
            by_verdict[standing.verdict] = by_verdict.get(standing.verdict, 0) + 1
    if ticket.differences and len(found.differing) == MOST_TOLD:
        found.left_out += 1
    elif ticket.differences:
        found.differing.append(ticket)


def _chunks(tickets: Sequence[Ticket]) -> Iterator[Sequence[Ticket]]:
    for start in range(0, len(tickets), 500):
        yield tickets[start : start + 500]

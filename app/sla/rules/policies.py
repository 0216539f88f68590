"""Which policy is a ticket's: the first whose conditions fit what is known of it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from app.core.priority import Priority
from app.sla.rules.timeline import NO_PLAN, Plan

Facts = Mapping[str, Collection[str]]  # a fact's name -> the words that are true of the ticket
Match = Mapping[str, Collection[str]]  # a fact's name -> the words of which one has to be

PRIORITY = "priority"
NAMES = (PRIORITY, "team", "organization", "tag", "channel")
FIELD = "field:"  # and then the key of a custom field


@dataclass(frozen=True)
class Offer:
    """What one policy would promise, by priority."""

    match: Match
    plans: Mapping[Priority, Plan]


def fits(match: Match, facts: Facts) -> bool:
    """Whether a policy's conditions hold: of each fact that it names some word is one of those it lists."""
    return all(any(word in words for word in facts.get(name, ())) for name, words in match.items())


def chosen(offers: Iterable[Offer], facts: Facts) -> Plan:
    """What the first offer that fits promises; `NO_PLAN` where none does."""
    fitting = next((offer for offer in offers if fits(offer.match, facts)), None)
    if fitting is None:
        return NO_PLAN
    return next((fitting.plans[Priority(word)] for word in facts[PRIORITY] if word in fitting.plans), NO_PLAN)


def asked(offers: Iterable[Offer]) -> frozenset[str]:
    """The facts that decide which one fits."""
    return frozenset(name for offer in offers for name in offer.match)

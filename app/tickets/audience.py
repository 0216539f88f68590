"""Whom a step of a ladder means, decided at the moment it tells: never a customer, and nobody who may not see the ticket.

A webhook that takes nothing tells nobody, so then people are told why.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import undefer

from app.accounts import queries as accounts
from app.accounts.models import Membership, Person
from app.accounts.rules import Role, Verb, may
from app.core import text
from app.core.errors import Invalid
from app.db.session import Session
from app.outbox import webhooks
from app.outbox.models import Topic, Webhook
from app.sla.rules.ladder import PERSON, WEBHOOK, Rung
from app.tickets.models import Ticket
from app.tickets.notices import Addressee

INSTEAD = "You are told because nobody else could be: {names}."
BESIDES = "Not everybody could be told: {names}."
_NOBODY = {"team": "the ticket's team has no members", "assignee": "nobody is assigned", "managers": "there is no manager"}


@dataclass(frozen=True)
class Reached:
    """Who is told, and which programs; `why` is what was amiss, if anything."""

    people: list[Addressee]
    webhooks: list[Webhook]
    why: str | None


def checked(s: Session, rungs: Sequence[Rung]) -> Sequence[Rung]:
    """Steps whose webhooks there are, and which are told of deadlines. Raises Invalid."""
    for number, rung in enumerate(rungs, 1):
        for id in _hooks(rung.recipients).values():
            webhook = s.get(Webhook, id)
            if webhook is None:
                raise Invalid(f"Step {number}: there is no webhook {id}. List them at /api/v1/webhooks.")
            if not _takes_deadlines(webhook):
                raise Invalid(f"Step {number}: webhook {id} is not told of deadlines. Add {Topic.TICKET_DEADLINE} to its events.")
    return rungs


class Audience:
    """Who there is, asked for once for all that is told in one go."""

    def __init__(self, s: Session) -> None:
        self._s = s
        self._managers = cache(lambda: accounts.managers(s))
        self._admins = cache(lambda: accounts.administrators(s))
        self._members = cache(lambda team: _people(s, Person.id.in_(select(Membership.person_id).filter_by(team_id=team))))
        self._person = cache(lambda id: next(iter(_people(s, Person.id == id)), None))
        self._known = cache(lambda address: accounts.by_email(s, address))
        self._webhook = cache(lambda id: webhooks.named(s, id))

    def of(self, ticket: Ticket, names: Sequence[str]) -> Reached:
        """Everybody once; and where that is nobody, the managers, or else the administrators, and why it is them. A webhook that
        takes nothing at present is told, and somebody besides.
        """
        hooks = {name: self._webhook(id) for name, id in _hooks(names).items()}
        amiss = {name: f"{name.replace(':', ' ')} {why}" for name, hook in hooks.items() if (why := _amiss(hook))}
        told = [hook for hook in hooks.values() if hook and not hook.off_at and _takes_deadlines(hook)]
        found = {each.address: each for name in names if name not in hooks for each in self._named(ticket, name)}
        if found or hooks.keys() - amiss.keys():
            return Reached(list(found.values()), told, BESIDES.format(names=", ".join(amiss.values())) if amiss else None)
        nobody = ", ".join((_NOBODY | amiss).get(name, f"{name} can't be told") for name in names)
        return Reached([_addressee(p) for p in self._managers()], told, INSTEAD.format(names=nobody))

    def _named(self, ticket: Ticket, name: str) -> Iterable[Addressee]:
        if name == "managers":
            return [_addressee(p) for p in self._managers() if p.role is Role.MANAGER]
        if name == "admins":
            return [_addressee(p) for p in self._admins()]
        if name == "team":
            return self._may_see(ticket, self._members(ticket.team_id) if ticket.team_id else ())
        if name == "assignee":
            return self._may_see(ticket, [ticket.assignee] if ticket.assignee else ())
        if person := PERSON.fullmatch(name):
            return self._may_see(ticket, [self._person(int(person[1]))])
        return self._address(ticket, text.address(name))

    def _address(self, ticket: Ticket, address: str) -> Iterable[Addressee]:
        person = self._known(address)
        return [Addressee(address)] if person is None else self._may_see(ticket, [self._person(person.id)])

    @staticmethod
    def _may_see(ticket: Ticket, people: Iterable[Person | None]) -> list[Addressee]:
        return [_addressee(p) for p in people if p and not p.disabled_at and may(p, Verb.SEE_NOTES, ticket)]


def _hooks(names: Iterable[str]) -> dict[str, int]:
    """The numbers of the webhooks among these."""
    return {name: int(found[1]) for name in names if (found := WEBHOOK.fullmatch(name))}


def _takes_deadlines(webhook: Webhook) -> bool:
    return Topic.TICKET_DEADLINE in webhook.topics


def _amiss(webhook: Webhook | None) -> str | None:
    if webhook is None:
        return "was removed"
    if webhook.off_at:
        return "is switched off"
    if not _takes_deadlines(webhook):
        return "is told of no deadlines any more"
    return "takes nothing at present" if webhook.next_try_at else None


def _people(s: Session, which: ColumnElement[bool]) -> Sequence[Person]:
    found = select(Person).where(which, Person.disabled_at.is_(None)).order_by(Person.id).options(undefer(Person.parts))
    return s.scalars(found, execution_options={"populate_existing": True}).all()


def _addressee(person: Person) -> Addressee:
    return Addressee(person.email, person.name, person.id, person.zone)

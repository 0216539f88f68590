"""Whom a step of a ladder means, decided at the moment it tells: never a customer, and nobody who may not see the ticket."""

from collections.abc import Iterable, Sequence
from functools import cache

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import undefer

from app.accounts import queries as accounts
from app.accounts.models import Membership, Person
from app.accounts.rules import Role, Verb, may
from app.core import text
from app.db.session import Session
from app.sla.rules.ladder import PERSON
from app.tickets.models import Ticket
from app.tickets.notices import Addressee

INSTEAD = "You are told because nobody else could be: {names}."
_NOBODY = {"team": "the ticket's team has no members", "assignee": "nobody is assigned", "managers": "there is no manager"}


class Audience:
    """Who there is, asked for once for all that is told in one go."""

    def __init__(self, s: Session) -> None:
        self._s = s
        self._managers = cache(lambda: accounts.managers(s))
        self._admins = cache(lambda: accounts.administrators(s))
        self._members = cache(lambda team: _people(s, Person.id.in_(select(Membership.person_id).filter_by(team_id=team))))
        self._person = cache(lambda id: next(iter(_people(s, Person.id == id)), None))
        self._known = cache(lambda address: accounts.by_email(s, address))

    def of(self, ticket: Ticket, names: Sequence[str]) -> tuple[list[Addressee], str | None]:
        """Everybody once; and where that is nobody, the managers, or else the administrators, and why it is them."""
        found = {each.address: each for name in names for each in self._named(ticket, name)}
        if found:
            return list(found.values()), None
        nobody = ", ".join(_NOBODY.get(name, f"{name} can't be told") for name in names)
        return [_addressee(p) for p in self._managers()], INSTEAD.format(names=nobody)

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


def _people(s: Session, which: ColumnElement[bool]) -> Sequence[Person]:
    found = select(Person).where(which, Person.disabled_at.is_(None)).order_by(Person.id).options(undefer(Person.parts))
    return s.scalars(found, execution_options={"populate_existing": True}).all()


def _addressee(person: Person) -> Addressee:
    return Addressee(person.email, person.name, person.id)

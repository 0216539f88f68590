"""A ticket to try things on."""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.accounts.models import Membership, Person, Team
from app.accounts.rules import Part
from app.db.session import Session
from app.sla.models import Clock
from app.tickets import actions, field_list
from app.tickets.actions import Body, Source
from app.tickets.models import Channel, Field, Ticket
from app.tickets.rules import FieldKind, Required
from tests.cast import Cast

BY_API = Source(Channel.API)
BY_MAIL = Source(Channel.MAIL)


def opened(
    s: Session, cast: Cast, now: datetime, *, by: Person | None = None, accepted: bool = False, team: Team | None = None
) -> Ticket:
    """Carol's printer."""
    ticket = actions.open(
        s,
        requester=by or cast.carol,
        by=None,
        subject="Printer",
        body=Body("It burns."),
        source=BY_MAIL,
        now=now,
        gate=not accepted,
        team_id=team.id if team else None,
    )
    s.flush()
    return ticket


def told(s: Session, ticket: Ticket) -> list[tuple[str, dict[str, Any]]]:
    """What the audit will say of this ticket, without its opening."""
    waiting = [e for e in s.info.get("audit", []) if e["ticket"] == ticket.number and e["kind"] != "ticket.opened"]
    return [(str(e["kind"]), {k: v for k, v in e["data"].items() if k != "revision"}) for e in waiting]


def joins(s: Session, person: Person, team: Team, now: datetime, part: Part = Part.MEMBER) -> None:
    s.add(Membership(team_id=team.id, person_id=person.id, part=part, joined_at=now))
    s.flush()
    s.expire(person, ["parts"])


def field(s: Session, cast: Cast, now: datetime, key: str, kind: FieldKind = FieldKind.TEXT, **more: Any) -> Field:
    given: dict[str, Any] = {
        "label": key.title(),
        "team_id": None,
        "choices": [],
        "required": Required.NEVER,
        "shown_to_customers": False,
        "position": 0,
    }
    return field_list.add(s, by=cast.bob, now=now, key=key, kind=kind, **(given | more))


def clocks(s: Session, ticket: Ticket) -> dict[str, Clock]:
    """The ticket's clocks by what they measure."""
    s.flush()
    found = s.scalars(select(Clock).where(Clock.ticket == ticket.number).execution_options(populate_existing=True))
    return {clock.metric.value: clock for clock in found}

"""Tickets by the API, and by whom."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from httpx2 import Response

from app.accounts.models import Membership, Person, Team
from app.accounts.rules import Part
from app.db.session import now as database_now
from app.tickets import actions as tickets
from app.tickets import queries
from tests.web.conftest import Web


@dataclass(frozen=True)
class Desk:
    """The desk, asked by somebody."""

    web: Web

    def __getattr__(self, name: str) -> Any:
        return getattr(self.web.cast, name)

    def ask(self, who: Person | None, method: str, path: str, json: Any = None, **headers: str) -> Response:
        """What the API answers this person."""
        return self.web.program(who).request(method, f"/api/v1{path}", json=json, headers=headers)

    def done(self, who: Person, method: str, path: str, json: Any = None, **headers: str) -> dict[str, Any]:
        """The same, where it has to work."""
        answer = self.ask(who, method, path, json, **headers)
        assert answer.is_success, answer.text
        body: dict[str, Any] = answer.json() if answer.content else {}
        return body

    def told(self, number: int) -> dict[str, Any]:
        """A ticket as the administrator reads it."""
        return self.done(self.root, "GET", f"/tickets/{number}")

    def events(self, number: int) -> list[str]:
        """What happened to it."""
        return [e["kind"] for e in self.done(self.root, "GET", f"/tickets/{number}/events")["items"]]

    def give(self, number: int, team: Team) -> None:
        """Hand a ticket over to a team."""
        with self.web.desk.db.transaction() as s:
            ticket = queries.by_number(s, number, lock=True)
            assert ticket
            tickets.hand_over(s, ticket, to=s.merge(team), by=s.merge(self.bob), now=database_now(s))

    def joins(self, person: Person, team: Team, part: Part) -> None:
        """Make somebody a member, in another part than before."""
        with self.web.desk.db.transaction() as s:
            now: datetime = database_now(s)
            s.merge(Membership(team_id=team.id, person_id=person.id, part=part, joined_at=now))


@pytest.fixture
def at(web: Web) -> Desk:
    """The desk."""
    return Desk(web)

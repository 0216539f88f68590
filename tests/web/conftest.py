"""The whole application on a database of the test's own, and its people at their browsers and programs."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from app import config
from app.accounts import actions as accounts
from app.accounts import sessions, tokens
from app.accounts.models import Person, Team
from app.accounts.rules import Door, Scope
from app.core.signing import Signer
from app.db.redis import Counters
from app.db.session import Database, Session
from app.db.session import now as database_now
from app.files.disk import Blobs
from app.ops.health import Watch
from app.sla import actions as sla
from app.tickets import actions as tickets
from app.tickets import queries
from app.tickets.actions import Body, Source
from app.tickets.models import Channel, Ticket
from app.web.app import create
from app.web.desk import Desk
from app.web.door import COOKIE
from tests.cast import Cast, assemble
from tests.web.browser import Browser

NO_REDIS = "redis://127.0.0.1:1/0"
BY_MAIL = Source(Channel.MAIL)


@dataclass(frozen=True)
class Web:
    """A desk that answers, and who is there."""

    app: FastAPI
    desk: Desk
    cast: Cast

    def routes(self) -> list[APIRoute]:
        """Every route there is."""
        found: list[APIRoute] = []
        waiting = list(self.app.router.routes)
        while waiting:
            route = waiting.pop()
            waiting += getattr(getattr(route, "original_router", None), "routes", [])
            if isinstance(route, APIRoute):
                found.append(route)
        return found

    def browser(self, person: Person | None = None) -> Browser:
        """At a browser, signed in as `person`."""
        return Browser(self.app, {COOKIE: self.token(person, Door.PAGE)} if person else None)

    def program(self, person: Person | None = None) -> TestClient:
        """A program that speaks to the API for `person`."""
        headers = {"Authorization": f"Bearer {self.token(person, Door.API)}"} if person else None
        return TestClient(self.app, base_url="https://localhost", follow_redirects=False, headers=headers)

    def ticket(self, by: Person, subject: str = "Printer", text: str = "It smokes.", *, accepted: bool = False) -> int:
        """The number of a new ticket that came by mail."""
        with self.desk.db.transaction() as s:
            person, now = s.merge(by), database_now(s)
            made = tickets.open(s, requester=person, by=None, subject=subject, body=Body(text), source=BY_MAIL, now=now)
            if accepted:
                tickets.accept(s, made, by=s.merge(self.cast.alice), now=now)
            return made.number

    def note(self, number: int, text: str) -> None:
        """Alice's note on a ticket."""
        with self.desk.db.transaction() as s:
            alice = s.merge(self.cast.alice)
            tickets.note(s, self._found(s, number), by=alice, body=Body(text), source=BY_MAIL, now=database_now(s))

    def to_team(self, number: int, team: Team) -> None:
        """Make a ticket a team's, past all rules."""
        with self.desk.db.transaction() as s:
            self._found(s, number).team_id = team.id

    def status(self, number: int) -> str:
        """Where a ticket stands."""
        with self.desk.db.transaction() as s:
            return self._found(s, number).status.value

    def said(self, number: int) -> list[tuple[str, bool]]:
        """What was said on a ticket, and whether it is internal."""
        with self.desk.db.transaction() as s:
            return [(m.text, m.internal) for m in queries.messages(s, self._found(s, number), notes=True)]

    def set_password(self, person: Person, password: str) -> None:
        """Let somebody sign in by the front door."""
        with self.desk.db.transaction() as s:
            accounts.set_password(s, s.get_one(Person, person.id), password, by=None, now=database_now(s))

    def token(self, person: Person, door: Door) -> str:
        """What a session of this person's shows."""
        with self.desk.db.transaction() as s:
            return sessions.sign_in(s, s.get_one(Person, person.id), door=door, source="test", now=database_now(s)).access

    def api_token(self, person: Person, scopes: list[str]) -> str:
        """A program's key in somebody's name."""
        with self.desk.db.transaction() as s:
            wanted = [Scope(scope) for scope in scopes]
            return tokens.make(s, s.get_one(Person, person.id), name="test", scopes=wanted, days=None, now=database_now(s))[1]

    @staticmethod
    def _found(s: Session, number: int) -> Ticket:
        found = queries.by_number(s, number)
        assert found is not None
        return found


@pytest.fixture
def furnished(database: Database) -> Cast:
    """Everybody, and the standard service level, on a database of the test's own."""
    with database.transaction() as s:
        now: datetime = database_now(s)
        sla.ensure_defaults(s, now=now)
        return assemble(s, now)


@pytest.fixture
def web(database: Database, furnished: Cast, tmp_path: Path) -> Web:
    """The application. There is no Redis: whoever counts, counts alone."""
    environ = {"DATABASE_URL": database.dsn, "REDIS_URL": NO_REDIS, "DATA_DIR": str(tmp_path), "RUN_DIR": str(tmp_path)}
    settings = config.load(environ | {"UPLOAD_MAX": "1M"}, secrets=tmp_path / "none")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "secret_key").write_text("ab" * 32)
    counters = Counters(settings.redis_dsn)
    desk = Desk(
        settings=settings,
        db=database,
        counters=counters,
        signer=Signer(b"a key that only this test has, 32"),
        blobs=Blobs(tmp_path / "files"),
        watch=Watch(settings, database, counters),
    )
    return Web(create(desk), desk, furnished)

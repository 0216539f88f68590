"""Two organizations and two teams that must not learn of each other, on one desk on which nothing lasts."""

from collections.abc import Iterator

import pytest
from anyio.from_thread import start_blocking_portal
from sqlalchemy import Engine, update

from app.accounts import actions as accounts
from app.accounts.models import Membership, Person, Team
from app.accounts.rules import Door, Part, Role
from app.db.redis import Counters
from app.db.session import now as database_now
from tests.web.attacks import books
from tests.web.attacks.attackers import OUTSIDERS_WORDS, SECRET_KINDS, STAFF_WORDS, Attacker, Field
from tests.web.attacks.estate import SECRET, Owner, estate, marked, number_apart
from tests.web.conftest import Web
from tests.web.trial import Trial


@pytest.fixture
def unhindered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand tries in a minute are what throttling is for; these tests ask what is answered without it."""
    monkeypatch.setattr(Counters, "add", lambda *_, **__: 1)


@pytest.fixture
def attacked(web: Web, owner: Engine, unhindered: None) -> Iterator[Field]:
    """Carol's tickets are the team Support's, whose Alice is. Mallory, Mike and Erin are after them."""
    number_apart(owner)
    support, mike = _support_and_mike(web)
    marked(web, web.cast.carol)
    theirs = estate(web, Owner(web.cast.carol, web.cast.alice, support, SECRET))
    their_rows = books.rows(owner)
    attackers = [
        Attacker(
            "mallory", web.cast.mallory, estate(web, Owner(web.cast.mallory, web.cast.mallory)), OUTSIDERS_WORDS, frozenset()
        ),
        Attacker("mike", mike, estate(web, Owner(mike, mike)), OUTSIDERS_WORDS, frozenset()),
        Attacker("erin", web.cast.erin, estate(web, Owner(web.cast.carol, web.cast.erin, web.cast.billing)), STAFF_WORDS),
    ]
    for name, person in [*((each.name, each.person) for each in attackers), ("alice", web.cast.alice), ("root", web.cast.root)]:
        theirs.tokens[name], theirs.cookies[name] = web.token(person, Door.API), web.token(person, Door.PAGE)
    at_first = books.rows(owner)
    assert not their_rows - at_first
    numbers = frozenset(theirs.tickets.values()) | {theirs.things[kind] for kind in SECRET_KINDS & set(theirs.things)}
    trial = Trial(web, theirs)
    with start_blocking_portal(**trial.program.async_backend) as portal:
        trial.program.portal = portal  # one event loop for all
        yield Field(trial, theirs, attackers, their_rows, at_first, numbers)


def _support_and_mike(web: Web) -> tuple[Team, Person]:
    with web.desk.db.transaction() as s:
        now = database_now(s)
        support = Team(name="Support", created_at=now)
        mike = accounts.add(s, email="mike@evil.example", name="Mike", role=Role.CUSTOMER, now=now)
        mike.organization = s.merge(web.cast.mallory).organization
        s.add(support)
        s.flush()
        s.add(Membership(team_id=support.id, person_id=web.cast.alice.id, part=Part.MEMBER, joined_at=now))
        s.execute(update(Membership).where(Membership.person_id == web.cast.erin.id).values(part=Part.LEAD))
    return support, mike

"""How much a list reads, in a desk of some thousand tickets: what grows with the desk shows here, long before it takes time."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, text

from app.accounts.models import Membership, Person
from app.accounts.rules import Part
from app.db.session import Session
from app.sla import actions as sla
from app.tickets import queries
from app.tickets.rules import Status
from app.tickets.search import arms, listing, names, rules, views
from app.tickets.search.values import Around
from tests.cast import Cast
from tests.db.search.crowd import crowd
from tests.db.search.test_listing import everybody, walked

MANY = 16_000
LIMIT = 20
# Every eighth number, the larger the newer, so that there are many stretches. Only the oldest quarter is about the `retired`.
_FILL = """
INSERT INTO ticket (number, subject, status, priority, channel, requester_id, organization_id, team_id, assignee_id,
    created_at, updated_at)
SELECT 8 * n, 'Ticket ' || n, CASE WHEN n % 50 = 0 THEN 'new' ELSE 'closed' END, 'low', 'mail', :carol, :acme,
    CASE n % 4 WHEN 0 THEN :billing WHEN 1 THEN :hidden END, CASE n % 3 WHEN 0 THEN :alice WHEN 1 THEN :bob END,
    TIMESTAMPTZ '2026-01-01 00:00Z' + n * interval '1 min', TIMESTAMPTZ '2026-01-01 00:00Z' + n * interval '1 min'
FROM generate_series(1, :many) n;
INSERT INTO ticket_text (ticket, shown, whole)
SELECT number, words, words FROM (
    SELECT number, desk_marks(number, requester_id, organization_id, team_id)
        || to_tsvector('simple', concat_ws(' ', 'word' || number, CASE WHEN number <= 8 * :many / 4 THEN 'retired' END,
            CASE number / 8 % 2 WHEN 0 THEN 'even' ELSE 'odd' END, CASE WHEN number = 56 THEN 'rare' END)) AS words
    FROM ticket
) made;
INSERT INTO person (email, name, role, created_at)
SELECT 'somebody' || n || '@example.org', 'Somebody ' || n, 'customer', now() FROM generate_series(1, 2000) n;
"""


@pytest.fixture
def desk(s: Session, cast: Cast, now: datetime) -> Session:
    sla.ensure_defaults(s, now=now)
    hidden = s.execute(text("INSERT INTO team (name, created_at) VALUES ('Hidden', now()) RETURNING id")).scalar_one()
    ids = {"carol": cast.carol.id, "acme": cast.carol.organization_id, "billing": cast.billing.id, "hidden": hidden}
    ids |= {"alice": cast.alice.id, "bob": cast.bob.id, "many": MANY}
    s.add(Membership(team_id=cast.billing.id, person_id=cast.alice.id, part=Part.READER, joined_at=now))
    s.flush()
    s.expire(cast.alice, ["parts"])
    s.execute(text("SET LOCAL statement_timeout = 0"))  # what is measured is rows, on a machine however slow
    for statement in filter(str.strip, _FILL.split(";\n")):
        s.execute(text(statement), {name: value for name, value in ids.items() if f":{name}" in statement})
    s.execute(text("SET LOCAL ROLE NONE"))  # the owner's, whose it is to analyze
    for table in ("ticket", "ticket_text", "person", "team"):
        s.execute(text(f"ANALYZE {table}"))
    s.execute(text("SET LOCAL random_page_cost = 1.1"))
    return s


class Explaining:
    """A connection that adds up what its statements read instead of answering."""

    def __init__(self, c: Connection) -> None:
        self.driver: Any = c.connection.driver_connection
        self.rows = 0

    @property
    def connection(self) -> "Explaining":
        return self

    @property
    def driver_connection(self) -> "Explaining":
        return self

    def execute(self, statement: str, values: dict[str, Any]) -> "Explaining":
        plan = self.driver.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", values).fetchone()[0]
        self.rows += sum(_read(plan[0]["Plan"]))
        return self

    @property
    def pgresult(self) -> "Explaining":
        return self

    @property
    def ntuples(self) -> int:
        return 0


def _read(node: dict[str, Any]) -> Iterator[int]:
    """The rows that each scan of a table looked at; what an index names for a bitmap is read by the scan above."""
    if "Relation Name" in node:
        looked = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        yield round(looked * node["Actual Loops"])
    for below in node.get("Plans", []):
        yield from _read(below)


def cost(s: Session, who: Person, query: str, now: datetime, sort: str | None = None, cursor: str | None = None) -> int:
    read = names.understood(s.connection(), who, rules.parse(query, Around(now, staff=who.staff)))
    explaining = Explaining(s.connection())
    listing.listing(explaining, who, read, sort=sort, limit=LIMIT, cursor=cursor)  # type: ignore[arg-type]
    return explaining.rows


def deep(s: Session, who: Person, sort: str, now: datetime) -> str:
    """A cursor in the middle of a list, where another ticket's own place is."""
    read = rules.parse("", Around(now))
    page = json.loads(listing.listing(s.connection(), who, read, sort=sort, limit=LIMIT))
    for _ in range(3):
        page = json.loads(listing.listing(s.connection(), who, read, sort=sort, limit=100, cursor=page["next"]))
    return str(page["next"])


def test_a_page_reads_little_however_many_tickets_there_are(
    desk: Session, cast: Cast, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arms, "FEW", 500)
    words = {"retired": 2600, "rare": 30, "nothinglikeit": 30, "even odd": 30, "even": 300, "wor*": 300, "retired rare": 30}
    asked: list[tuple[str, str | None, int]] = [(query, None, most) for query, most in words.items()]
    asked += [("", sort, 1500) for sort in ("team", "-team")]
    asked += [("", sort, 200) for sort in ("number", "-updated", "created", "priority", "-status", "subject")]
    asked += [("", sort, 4000) for sort in ("assignee", "-assignee")]  # 2,000 people are asked whether they have any
    for who in (cast.alice, cast.bob):
        for query, sort, most in asked:
            for cursor in (None, deep(desk, who, sort, now)) if sort else (None,):
                assert cost(desk, who, query, now, sort, cursor) <= most, (who.email, query, sort, cursor)


def test_many_tickets_come_in_the_same_order_as_few(
    s: Session, cast: Cast, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    sla.ensure_defaults(s, now=now)
    crowd(s, cast, now)
    lists = [("", sort) for sort in ("team", "-team", "assignee", "-assignee")]
    lists += [(query, "-number") for query in ("printer", "slow OR invoice", "print*", "printer status:open", "vpn -slow")]
    for name, who in everybody(cast).items():
        for query, sort in lists:
            if "team" in sort and not who.staff:
                continue
            seen = []
            for few, limit in ((5000, 100), (0, 4)):
                monkeypatch.setattr(arms, "FEW", few)
                monkeypatch.setattr(arms, "NEWEST", few // 5)
                seen.append([row["number"] for row in walked(s, who, query, now, limit=limit, sort=sort)])
            assert seen[0] == seen[1], (name, query, sort)


def test_counts_stop_at_so_many_and_tell_nothing_of_other_teams(
    desk: Session, cast: Cast, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    c = desk.connection()
    monkeypatch.setattr(queries, "COUNTED", 400)
    assert queries.counts(c, cast.alice) == {each.value: 0 for each in Status} | {"new": 320, "closed": 401}
    monkeypatch.setattr(queries, "COUNTED", 20_000)
    hidden = desk.execute(text("SELECT count(*) FROM ticket t JOIN team ON team.id = t.team_id WHERE team.name = 'Hidden'"))
    assert queries.counts(c, cast.bob)["closed"] - queries.counts(c, cast.alice)["closed"] == hidden.scalar_one() == MANY / 4
    counted = views._counts(c, cast.alice, Around(now), {1: "retired", 2: "rare", 3: "even odd", 4: "wor*", 5: "status:new"})
    assert counted == {1: 101, 2: 1, 3: 0, 4: 101, 5: 101}

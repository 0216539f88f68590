"""Lists, against the plainest reading of what was asked; and from page to page."""

import base64
import json
import random
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text

from app.accounts.models import Person
from app.accounts.rules import Verb, may
from app.db.session import Session
from app.sla import actions as sla
from app.tickets import queries, words
from app.tickets.models import Ticket
from app.tickets.search import conditions, listing, names, orders, rules
from app.tickets.search.conditions import Bound
from app.tickets.search.values import Around
from tests.cast import Cast
from tests.db.search.crowd import Made, crowd, wanted

STAFF_QUERIES = [
    "",
    "status:open",
    "status:done",
    "status:new",
    "status:closed,new",
    "-status:open",
    "is:open",
    "is:done",
    "is:snoozed",
    "-is:snoozed",
    "status:open -is:snoozed",
    "is:merged",
    "-is:merged",
    "in:trash",
    "-in:trash",
    "is:breached",
    "-is:breached",
    "assignee:me",
    "assignee:none",
    "-assignee:me",
    "assignee:alice",
    "assignee:bob@desk.example",
    "assignee:me,none",
    "assignee:er*",
    "requester:carol",
    "requester:mallory@evil.example",
    "-requester:carol",
    "org:acme",
    'org:"Evil Corp"',
    "org:evil*",
    "-org:acme",
    "org:none",
    "team:billing",
    "team:none",
    "team:mine",
    "-team:billing",
    'team:"second line",none',
    "tag:vpn",
    "tag:vpn,old",
    "-tag:vpn",
    "tag:none",
    "tag:vpn tag:old",
    "priority:high",
    "priority>=high",
    "priority<high",
    "-priority>low",
    "channel:mail",
    "channel:mail,api",
    "created:7d",
    "created:<7d",
    "created:today",
    "-created:7d",
    "updated:>1d",
    "updated:2d..",
    "resolved:7d",
    "-resolved:7d",
    "closed:7d",
    "has:attachment",
    "-has:attachment",
    "watching:me",
    "-watching:me",
    "mentions:me",
    "watching:alice",
    "mentions:alice",
    "field.sev:3",
    "field.sev>1",
    "field.sev<=1",
    "field.floor:two",
    "field.floor:none",
    "field.day:2026-11-05",
    "field.day>2026-11-01",
    "field.ok:yes",
    "field.many:b",
    "-field.sev:3",
    "field.floor>2",
    "printer",
    "-printer",
    "printer router",
    "printer OR router",
    '"printer router"',
    "print*",
    "zoe",
    "ZOË",
    "price-list",
    '"list price"',
    "scan_2026.pdf",
    "bob",
    "carol@acme.example",
    "5003",
    "#70001",
    "printer -router",
    "-(printer router)",
    "(printer OR tag:vpn) status:open",
    "printer OR status:new",
    "-printer OR -tag:vpn",
    "printer team:mine",
    "printer assignee:me",
    "slow in:trash",
    "invoice priority>=high",
    "nothinglikeit",
]
CUSTOMER_QUERIES = [
    "",
    "status:open",
    "is:done",
    "-status:open",
    "requester:me",
    "requester:carol",
    "requester:mallory",
    "requester:nobody",
    "org:acme",
    'org:"Evil Corp"',
    "org:nowhere",
    "-org:acme",
    "priority:high",
    "created:7d",
    "has:attachment",
    "-has:attachment",
    "printer",
    "-printer",
    "bob",
    "print*",
    "printer OR slow",
    '"printer router"',
    "field.sev:3",
    "5003",
    "#70001",
    "channel:mail",
    "printer status:open",
]


@pytest.fixture
def tickets(s: Session, cast: Cast, now: datetime) -> list[Made]:
    sla.ensure_defaults(s, now=now)
    return crowd(s, cast, now)


def asked(s: Session, who: Person, query: str, now: datetime, **how: Any) -> dict[str, Any]:
    read = names.understood(s.connection(), who, rules.parse(query, Around(now, staff=who.staff)))
    found: dict[str, Any] = json.loads(listing.listing(s.connection(), who, read, **how))
    return found


def walked(s: Session, who: Person, query: str, now: datetime, *, limit: int, sort: str | None = None) -> list[dict[str, Any]]:
    """Every row of a list, in the order in which the pages gave them."""
    rows: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = asked(s, who, query, now, limit=limit, sort=sort, cursor=cursor)
        assert len(page["items"]) == limit or page["next"] is None
        rows += page["items"]
        cursor = page["next"]
        if cursor is None:
            return rows


def everybody(cast: Cast) -> dict[str, Person]:
    return {name: getattr(cast, name) for name in ("alice", "erin", "bob", "carol", "dave", "mallory")}


def test_every_query_finds_what_its_plainest_reading_finds(s: Session, cast: Cast, now: datetime, tickets: list[Made]) -> None:
    for name, who in everybody(cast).items():
        for query in STAFF_QUERIES if who.staff else CUSTOMER_QUERIES:
            read = names.understood(s.connection(), who, rules.parse(query, Around(now, staff=who.staff)))
            expected = sorted(
                each.ticket.number
                for each in tickets
                if wanted(each, read, who, now) and not (query.startswith("field") and not who.staff)
            )
            for sort in (None, "-updated"):
                found = [row["number"] for row in walked(s, who, query, now, limit=100, sort=sort)]
                assert sorted(found) == expected, (name, query, sort)


def test_every_list_walks_all_rows_exactly_once_in_every_order(
    s: Session, cast: Cast, now: datetime, tickets: list[Made]
) -> None:
    keys = {made.ticket.number: _keys(made) for made in tickets}
    for who in (cast.alice, cast.bob, cast.dave, cast.carol):
        all_of_them = sorted(row["number"] for row in walked(s, who, "", now, limit=100))
        for column in orders.COLUMNS:
            for sort in (column, f"-{column}"):
                if column == "team" and not who.staff:
                    continue
                rows = [walked(s, who, "", now, limit=limit, sort=sort) for limit in (1, 7, 100)]
                numbers = [[row["number"] for row in each] for each in rows]
                assert numbers[0] == numbers[1] == numbers[2]
                assert sorted(numbers[0]) == all_of_them, sort
                assert numbers[0] == _ordered(numbers[0], keys, column, down=sort.startswith("-")), sort


@pytest.mark.parametrize("query", ["printer", "slow OR invoice", "print*", "printer status:open", "-printer", "printer tag:vpn"])
def test_pages_of_words_are_whole_too(s: Session, cast: Cast, now: datetime, tickets: list[Made], query: str) -> None:
    for who in (cast.alice, cast.bob, cast.dave):
        if not who.staff and "tag" in query:
            continue
        whole = [row["number"] for row in walked(s, who, query, now, limit=100, sort="-number")]
        assert whole == sorted(whole, reverse=True)
        for limit in (1, 3, 10):
            assert [row["number"] for row in walked(s, who, query, now, limit=limit, sort="-number")] == whole


def _keys(made: Made) -> dict[str, Any]:
    t = made.ticket
    return {
        "number": t.number,
        "updated": t.updated_at,
        "created": t.created_at,
        "priority": ["low", "medium", "high", "urgent"].index(t.priority),
        "status": ["new", "accepted", "in_progress", "waiting_customer", "resolved", "closed", "cancelled"].index(t.status),
        "subject": t.subject.lower(),
        "requester": t.requester.name.lower(),
        "assignee": t.assignee.name.lower() if t.assignee else None,
        "organization": {"Acme": "acme", "Evil Corp": "evil corp"}[t.requester.organization.name]
        if t.organization_id and t.requester.organization
        else None,
        "team": t.team_id and ("billing" if t.team and t.team.name == "Billing" else "second line"),
        "due": made.due_at,
    }


def _ordered(numbers: list[int], keys: dict[int, dict[str, Any]], column: str, *, down: bool) -> list[int]:
    placed = [number for number in numbers if keys[number][column] is not None]
    rest = [number for number in numbers if keys[number][column] is None]
    return sorted(placed, key=lambda n: (keys[n][column], n), reverse=down) + sorted(rest, reverse=down)


def test_a_number_alone_has_its_ticket_first_even_where_lists_leave_it_out(
    s: Session, cast: Cast, now: datetime, tickets: list[Made]
) -> None:
    merged = next(made.ticket for made in tickets if made.ticket.merged_into and not made.ticket.trashed_at)
    newest = tickets[-1]
    for other in (newest, tickets[-2]):  # others that have the number as a word
        other.ticket.subject = f"see {merged.number}"
        other.ticket.trashed_at = other.ticket.merged_into = None
        s.flush()
        from_ = other.ticket.number
        words.refresh(s, from_)
    for limit in (1, 2, 50):
        rows, cursor = [], None
        while True:
            page = asked(s, cast.bob, f"#{merged.number}", now, limit=limit, cursor=cursor, number_first=True)
            rows += [row["number"] for row in page["items"]]
            if (cursor := page["next"]) is None:
                break
        assert rows[:3] == [merged.number, newest.ticket.number, tickets[-2].ticket.number]
        assert len(rows) == len(set(rows))
    assert merged.number not in [row["number"] for row in asked(s, cast.bob, f"#{merged.number}", now)["items"]]


def test_the_conditions_in_sql_say_the_same_as_the_rules(s: Session, cast: Cast, now: datetime, tickets: list[Made]) -> None:
    for who in everybody(cast).values():
        allowed = sorted(made.ticket.number for made in tickets if may(who, Verb.SEE, made.ticket))
        orm = s.query(Ticket.number).filter(queries.visible_to(who)).order_by(Ticket.number).all()
        assert [row.number for row in orm] == allowed
        assert _numbers(s, [conditions.visible(who, bound := Bound())], bound) == [allowed]
        apart = _numbers(s, conditions.apart(who, bound := Bound()), bound)
        assert sorted(number for part in apart for number in part) == allowed  # all of them, none of them twice
        marks = conditions.marks(who)
        marked = {number for made in tickets if (number := made.ticket.number) and _marked(s, number, marks)}
        assert set(allowed) <= marked


def _numbers(s: Session, parts: list[list[str]], bound: Bound) -> list[list[int]]:

    statements = ["SELECT t.number FROM ticket t WHERE " + (" AND ".join(part) or "true") + " ORDER BY 1" for part in parts]
    return [list(s.scalars(text(each), {k: v for k, v in bound.values.items() if f":{k}" in each})) for each in statements]


def _marked(s: Session, number: int, marks: str | None) -> bool:

    query = text("SELECT coalesce(whole @@ CAST(:marks AS tsquery), true) FROM ticket_text WHERE ticket = :number")
    return bool(s.scalar(query, {"marks": marks, "number": number}))


def test_a_row_is_what_the_staff_and_what_customers_may_know(s: Session, cast: Cast, now: datetime, tickets: list[Made]) -> None:
    more = {"team", "tags", "snoozed_until", "revision"}
    staff, customer = asked(s, cast.bob, "", now)["items"][0], asked(s, cast.dave, "", now)["items"][0]
    assert staff.keys() - customer.keys() == more
    assert more <= staff.keys()
    assert not customer.keys() - staff.keys()


@pytest.mark.parametrize(
    "sort", ["", "-", "--updated", "updatd", "team;drop table ticket", "t.number", "password_hash", "-updated,number"]
)
def test_an_unknown_order_is_refused(s: Session, cast: Cast, now: datetime, sort: str) -> None:
    with pytest.raises(orders.WrongSort):
        orders.order(sort, staff=True)


def test_customers_can_not_sort_by_team(s: Session, cast: Cast, now: datetime) -> None:
    with pytest.raises(orders.WrongSort, match="There is: number, updated"):
        asked(s, cast.dave, "", now, sort="team")


def test_a_cursor_is_good_for_its_own_order_alone(s: Session, cast: Cast, now: datetime, tickets: list[Made]) -> None:
    cursor = asked(s, cast.bob, "", now, limit=2)["next"]
    for sort in ("updated", "-created", "number", "subject"):
        with pytest.raises(orders.WrongCursor):
            asked(s, cast.bob, "", now, sort=sort, cursor=cursor)


def test_no_made_up_cursor_breaks_anything(s: Session, cast: Cast, now: datetime) -> None:

    chance = random.Random(7)
    keys: list[Any] = [
        None,
        1,
        -1,
        1.5,
        True,
        "x",
        "2026-11-01",
        "2026-11-01T00:00:00+00:00",
        "\0",
        "\ud800",
        [],
        {},
        2**70,
        "9" * 2000,
    ]
    for said in ("-updated", "number", "subject", "assignee", "due", "-priority"):
        for key in keys:
            for number in (1, 0, -5, 2**63, "1", None, True):
                cursor = base64.urlsafe_b64encode(json.dumps([said, key, number]).encode()).decode()
                with_luck = cursor if chance.random() < 0.9 else cursor[: len(cursor) // 2]
                try:
                    asked(s, cast.bob, "", now, sort=said, cursor=with_luck)
                except orders.WrongCursor:
                    continue


def test_a_row_is_the_json_that_postgresql_itself_would_write(s: Session, tickets: list[Made], cast: Cast, now: datetime) -> None:
    odd = 'He said "no" \\ {row} :limit %s \t\u2028 ü 🖨'
    s.execute(text("UPDATE ticket SET subject = :odd, tags = ARRAY[:odd]"), {"odd": odd})
    s.execute(text("UPDATE person SET name = :odd WHERE id = :id"), {"odd": odd, "id": cast.alice.id})
    for row in asked(s, cast.bob, "", now, limit=100)["items"]:
        assert (row["subject"], row["tags"]) == (odd, [odd])
        own = s.execute(
            text("""SELECT CAST(row_to_json(one) AS text) FROM (
                SELECT number, status, priority, channel, created_at, updated_at, resolved_at, closed_at, snoozed_until, revision,
                    (SELECT row_to_json(p) FROM (SELECT id, name, email FROM person WHERE id = requester_id) AS p) AS requester,
                    (SELECT row_to_json(p) FROM (SELECT id, name, email FROM person WHERE id = assignee_id) AS p) AS assignee,
                    (SELECT row_to_json(o) FROM (SELECT id, name FROM organization WHERE id = organization_id) AS o)
                        AS organization,
                    (SELECT row_to_json(g) FROM (SELECT id, name FROM team WHERE id = team_id) AS g) AS team
                FROM ticket WHERE number = :number
            ) AS one"""),
            {"number": row["number"]},
        ).scalar_one()
        assert {name: row[name] for name in json.loads(own)} == json.loads(own)

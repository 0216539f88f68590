"""Searching through the front door: what is refused, what leaks nothing, and what a search box proposes."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from app.accounts.models import Person
from app.db.session import now as database_now
from app.tickets import queries
from app.tickets.models import Ticket
from app.web.shapes import search as shapes
from tests.web.conftest import Web

SEARCH, TICKETS, SUGGEST = "/api/v1/search", "/api/v1/tickets", "/api/v1/search/suggestions"


def get(web: Web, who: Person, path: str, **params: Any) -> dict[str, Any]:
    answer = web.program(who).get(path, params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def numbers(web: Web, who: Person, q: str, path: str = SEARCH, **params: Any) -> list[int]:
    page = get(web, who, path, q=q, **params)
    shapes.TicketRows.model_validate(page)
    return [row["number"] for row in page["items"]]


def change(web: Web, number: int, how: Callable[[Ticket], None]) -> None:
    with web.desk.db.transaction() as s:
        how(web._found(s, number))


def test_everybody_finds_their_own(web: Web) -> None:
    carols, mallorys = web.ticket(web.cast.carol, "Printer"), web.ticket(web.cast.mallory, "Printer")
    cast = web.cast
    assert numbers(web, cast.alice, "printer") == numbers(web, cast.root, "printer", TICKETS) == [mallorys, carols]
    assert numbers(web, cast.carol, "printer") == numbers(web, cast.dave, "printer", TICKETS) == [carols]
    assert numbers(web, cast.mallory, "printer") == [mallorys]
    assert numbers(web, cast.frank, "printer") == []


@pytest.mark.parametrize("pasted", ["{}", "#{}", "Ticket#{}", "[#{}]", " #{} "])
def test_a_pasted_number_finds_its_ticket(web: Web, pasted: str) -> None:
    number = web.ticket(web.cast.carol)
    web.ticket(web.cast.carol, f"about {number}")
    assert numbers(web, web.cast.alice, pasted.format(number))[0] == number
    assert numbers(web, web.cast.carol, pasted.format(number))[0] == number
    assert numbers(web, web.cast.mallory, pasted.format(number)) == []


@pytest.mark.parametrize("path", [SEARCH, TICKETS])
def test_a_refusal_points_at_the_word(web: Web, path: str) -> None:
    answer = web.program(web.cast.alice).get(path, params={"q": "printer priorty:high"})
    assert answer.status_code == 422
    told = answer.json()
    assert told["type"] == "urn:atum-desk:problem:query"
    assert (told["start"], told["end"], told["word"], told["suggestion"]) == (8, 20, "priorty:high", "priority:high")


@pytest.mark.parametrize(
    ("q", "suggestion"),
    [("team:biling", "team:billing"), ("org:acm", "org:acme"), ("assignee:alic", "assignee:alice"), ("requester:zzz", None)],
)
def test_the_staff_is_told_of_a_name_that_nobody_has(web: Web, q: str, suggestion: str | None) -> None:
    answer = web.program(web.cast.alice).get(SEARCH, params={"q": q})
    assert answer.status_code == 422
    assert (answer.json()["word"], answer.json()["suggestion"]) == (q, suggestion)


def test_customers_learn_nothing_of_who_exists(web: Web) -> None:
    web.ticket(web.cast.mallory)
    answers = [
        web.program(web.cast.dave).get(SEARCH, params={"q": q}).text
        for q in (
            'org:"Evil Corp"',
            "org:nowhere",
            "requester:mallory",
            "requester:nobody",
            "requester:mallory@evil.example",
            "requester:alice",
        )
    ]
    assert set(answers) == {'{"items":[],"next":null}'}


@pytest.mark.parametrize(
    "q", ["assignee:me", "team:billing", "tag:vpn", "in:trash", "watching:me", "mentions:me", "is:snoozed", "-tag:vpn"]
)
def test_customers_have_no_filters_of_the_staff(web: Web, q: str) -> None:
    told = web.program(web.cast.carol).get(SEARCH, params={"q": q})
    unknown = web.program(web.cast.carol).get(SEARCH, params={"q": "zzzz:me"})
    assert told.status_code == unknown.status_code == 422
    assert told.json()["type"] == unknown.json()["type"]


def test_a_customers_list_and_search_tell_nothing_of_notes_and_tags(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    before = web.program(web.cast.carol).get(TICKETS).text
    web.note(number, "fraudster")
    change(web, number, lambda t: setattr(t, "tags", ["suspicious"]))
    for q in ("fraudster", "fraud*", "suspicious", "alice", "field.x:1", "-fraudster x"):
        assert numbers(web, web.cast.carol, q) == []
    assert numbers(web, web.cast.carol, "-fraudster") == [number]
    assert web.program(web.cast.carol).get(TICKETS).text == before
    assert numbers(web, web.cast.alice, "fraudster") == [number]


def test_an_agent_of_another_team_finds_nothing_of_it(web: Web) -> None:
    number = web.ticket(web.cast.carol, "Secretplan")
    change(web, number, lambda t: setattr(t, "team_id", web.cast.billing.id))
    for q in ("secretplan", "team:billing", f"#{number}", "status:open", "assignee:none", "", "secret*", "-nothing", "org:acme"):
        assert numbers(web, web.cast.alice, q) == [], q
        assert numbers(web, web.cast.erin, q) == [number], q
        assert numbers(web, web.cast.bob, q) == [number], q
    assert str(number) not in web.program(web.cast.alice).get(SUGGEST, params={"q": "secretp"}).text


def test_lists_leave_out_the_trash_the_merged_and_of_open_work_what_sleeps(web: Web) -> None:
    alive, trashed, merged, asleep = (web.ticket(web.cast.carol, "Thing") for _ in range(4))
    with web.desk.db.transaction() as s:
        now = database_now(s)
    change(web, trashed, lambda t: setattr(t, "trashed_at", now))
    for column in ("merged_into", "conversation"):
        change(web, merged, lambda t, column=column: setattr(t, column, alive))  # type: ignore[misc]
    change(web, asleep, lambda t: setattr(t, "snoozed_until", now.replace(year=now.year + 1)))
    alice, carol = web.cast.alice, web.cast.carol
    assert set(numbers(web, alice, "")) == set(numbers(web, alice, "thing")) == {alive, asleep}
    assert numbers(web, alice, "status:open") == [alive]
    assert numbers(web, alice, "is:snoozed") == [asleep]
    assert numbers(web, alice, "in:trash") == [trashed]
    assert numbers(web, alice, "is:merged") == [merged]
    assert set(numbers(web, carol, "status:open")) == {alive, asleep}


def test_the_parameters_of_old_still_work_and_join_the_query(web: Web) -> None:
    mine, other = web.ticket(web.cast.carol, "Printer", accepted=True), web.ticket(web.cast.carol, "Printer")
    change(web, mine, lambda t: setattr(t, "assignee_id", web.cast.alice.id))
    assert numbers(web, web.cast.alice, "printer", TICKETS, status=["accepted"]) == [mine]
    assert numbers(web, web.cast.alice, "printer", TICKETS, assignee_id=web.cast.alice.id) == [mine]
    assert numbers(web, web.cast.alice, "", TICKETS, status=["new", "accepted"]) == [other, mine]


EVIL = [
    "'",
    "' OR 1=1 --",
    "'; DROP TABLE ticket; --",
    "1) UNION SELECT 1",
    "\\",
    "%",
    "_",
    "$$",
    ":v0",
    "{where}",
    "%(v0)s",
    "pg_sleep(5)",
    "a\0b",
    "\ud800x",
    "🙂",
]
KEYS = [
    "{}",
    "tag:{}",
    "team:{}",
    'org:"{}"',
    "assignee:{}",
    "requester:{}*",
    "field.{}:x",
    "field.x:{}",
    "field.x>{}",
    "{}:x",
    "created:{}",
    "status:{}",
    "x{}*",
]


@pytest.mark.parametrize("evil", EVIL)
def test_sql_in_a_query_is_nothing_but_text(web: Web, evil: str) -> None:
    number = web.ticket(web.cast.carol)
    program = web.program(web.cast.alice)
    for key in KEYS:
        for path in (SEARCH, SUGGEST):
            began = time.monotonic()
            answer = program.get(path, params={"q": key.format(evil).encode(errors="surrogatepass")})
            assert answer.status_code in {200, 422}, (path, key, answer.text)
            assert time.monotonic() - began < 5
    for name in ("sort", "cursor"):
        assert program.get(TICKETS, params={name: evil.encode(errors="surrogatepass")}).status_code == 422
    assert number in numbers(web, web.cast.alice, "")


def test_no_text_at_all_breaks_the_search(web: Web) -> None:
    programs = [web.program(web.cast.alice), web.program(web.cast.dave)]
    web.ticket(web.cast.carol)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(some.text(max_size=80) | some.lists(some.sampled_from([*KEYS, *EVIL, " OR ", "-", "(", ")", '"', "*"])).map("".join))
    def tried(q: str) -> None:
        sent = {"q": q.encode(errors="surrogatepass")}
        for program in programs:
            for path in (SEARCH, SUGGEST):
                assert program.get(path, params=sent).status_code in {200, 422}, q

    tried()


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=1000000000",
        "limit=-1",
        "sort=updatd",
        "sort=",
        "cursor=x",
        f"q={'a' * 60000}",
        f"q={'(' * 1000}",
    ],
)
def test_what_no_list_can_answer_is_refused(web: Web, query: str) -> None:
    expected = {200} if query == "sort=" else {422}
    assert web.program(web.cast.alice).get(f"{TICKETS}?{query}").status_code in expected


def test_a_list_and_a_search_are_one_statement_after_who_asks(web: Web, statements: list[str]) -> None:
    for n in range(12):
        web.ticket(web.cast.carol, f"Printer {n}")
    program = web.program(web.cast.alice)

    def sent(path: str, q: str) -> list[str]:
        statements.clear()
        assert program.get(path, params={"q": q}).status_code == 200
        return [said for said in statements if "token_hash" not in said]  # who asks

    for path, q in (
        (TICKETS, ""),
        (TICKETS, "status:open printer"),
        (SEARCH, "printer"),
        (SUGGEST, "print"),
        (SUGGEST, "requester:c"),
    ):
        assert len(sent(path, q)) == 1, (path, q, statements)
    assert len(sent(SEARCH, "org:acme requester:carol printer")) == 2  # what the names mean, and the answer


def texts(web: Web, who: Person, q: str) -> list[str]:
    page = get(web, who, SUGGEST, q=q)
    shapes.Suggestions.model_validate(page)
    return [item["text"] for item in page["items"]]


def test_a_search_box_proposes_what_may_follow(web: Web) -> None:
    number = web.ticket(web.cast.carol, "Printer smokes")
    alice, carol, dave = web.cast.alice, web.cast.carol, web.cast.dave
    assert "status:" in texts(web, alice, "printer sta")
    assert texts(web, alice, "status:wai") == ["status:waiting_customer"]
    assert texts(web, alice, "x -assignee:al") == ["-assignee:alice@desk.example"]
    assert texts(web, alice, "org:ev") == ['org:"Evil Corp"']
    assert texts(web, web.cast.erin, "team:bil") == ["team:Billing"]
    assert texts(web, alice, "prin") == [f"#{number}"]
    assert texts(web, alice, f"#{number}") == [f"#{number}"]
    assert texts(web, dave, "requester:") == [
        "requester:carol@acme.example",
        "requester:dave@acme.example",
        "requester:frank@acme.example",
    ]
    assert texts(web, carol, "requester:") == ["requester:carol@acme.example"]


@pytest.mark.parametrize(
    "q",
    [
        "requester:",
        "requester:al",
        "requester:mal",
        "org:",
        "org:ev",
        "tag:",
        "team:",
        "assignee:",
        "assignee:a",
        "evil",
        "mallory",
        "is:s",
        "mentions:",
        "desk",
        "secr",
    ],
)
def test_a_search_box_proposes_nothing_of_others(web: Web, q: str) -> None:
    web.ticket(web.cast.mallory, "Secret of Evil Corp")
    for who in (web.cast.carol, web.cast.dave):
        told = web.program(who).get(SUGGEST, params={"q": q}).text
        assert not re.search("evil|mallory|desk.example|billing|snoozed|vpn", told, re.IGNORECASE)


def test_the_list_says_more_than_so_many_where_it_stops_counting(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    billed = [web.ticket(who) for who in (web.cast.carol, web.cast.dave, web.cast.mallory)][-1]
    change(web, billed, lambda ticket: setattr(ticket, "team_id", web.cast.billing.id))
    seen = {}
    for most in (1000, 2, 1):
        monkeypatch.setattr(queries, "COUNTED", most)
        for who in (web.cast.bob, web.cast.alice):
            words = web.browser(who).page("/tickets").text
            seen[most, who.name] = re.findall(r"(Open|New|Closed|All) ([\d,]+\+?)", words)[:4]
    assert seen == {
        (1000, "Bob"): [("Open", "3"), ("New", "3"), ("Closed", "0"), ("All", "3")],
        (1000, "Alice"): [("Open", "2"), ("New", "2"), ("Closed", "0"), ("All", "2")],
        (2, "Bob"): [("Open", "2+"), ("New", "2+"), ("Closed", "0"), ("All", "2+")],
        (2, "Alice"): [("Open", "2"), ("New", "2"), ("Closed", "0"), ("All", "2")],
        (1, "Bob"): [("Open", "1+"), ("New", "1+"), ("Closed", "0"), ("All", "1+")],
        (1, "Alice"): [("Open", "1+"), ("New", "1+"), ("Closed", "0"), ("All", "1+")],
    }

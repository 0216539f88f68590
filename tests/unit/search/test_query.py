"""The language of queries: what people would guess works, what can't be understood is pointed at, nothing ever breaks it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.core.priority import Priority
from app.tickets.rules import OPEN, Status
from app.tickets.search import rules
from app.tickets.search.nodes import All, Either, FieldValue, Filter, Node, Not, Query, Span, Words
from app.tickets.search.rules import QueryWrong, parse
from app.tickets.search.values import Around
from tests import cpu

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HERE = Around(NOW)
CUSTOMER = Around(NOW, staff=False)
OPEN_ONES = tuple(each.value for each in Status if each in OPEN)


def day(month: int, day: int) -> datetime:
    return datetime(2026, month, day, tzinfo=UTC)


def parts(query: str, around: Around = HERE) -> tuple[Node, ...]:
    return parse(query, around).wanted.of


def wrong(query: str, around: Around = HERE) -> QueryWrong:
    with pytest.raises(QueryWrong) as refused:
        parse(query, around)
    return refused.value


def test_the_query_of_the_manual_is_understood() -> None:
    query = 'status:open assignee:me team:billing priority>=high org:"Acme" tag:vpn created:>2026-11-01 "exact phrase" -word'
    assert parts(query) == (
        Filter("status", OPEN_ONES),
        Filter("assignee", ("me",)),
        Filter("team", ("billing",)),
        Filter("priority", ("high", "urgent")),
        Filter("org", ("acme",)),
        Filter("tag", ("vpn",)),
        Filter("created", (Span(since=day(11, 2)),)),
        Words("exact phrase"),
        Not(Words("word")),
    )


@pytest.mark.parametrize("query", ["", "   ", "-", "--- !?", "()", '""', "AND"])
def test_what_says_nothing_asks_for_everything(query: str) -> None:
    wanted = [each for each in parts(query) if each != All(())]
    assert wanted == []


@pytest.mark.parametrize("query", ["123", "#123", "Ticket#123", "ticket #123", "[#123]", "[Ticket#123]"])
def test_a_pasted_number_is_that_ticket_and_the_word(query: str) -> None:
    found = parse(query.replace("ticket #", "ticket#"), HERE)
    assert (found.number, found.wanted) == (123, All((Words("123"),)))


def test_a_number_among_other_things_is_a_word() -> None:
    assert parse("#123 printer", HERE).number is None
    assert parse('-"123"', HERE).number is None
    assert parse("9" * 19, HERE).number is None


def test_a_beginning_ends_with_a_star() -> None:
    assert parts("print*") == (Words("print", beginning=True),)
    assert parts('"print*"') == (Words("print*"),)
    assert "3 letters" in wrong("pr*").message


def test_either_and_parentheses() -> None:
    a, b, c = (Words(each) for each in "abc")
    assert parts("a OR b c") == (Either((All((a,)), All((b, c)))),)
    assert parts("(a OR b) c") == (Either((All((a,)), All((b,)))), c)
    assert parts("-(a b)") == (Not(All((a, b))),)
    assert parts("NOT a AND b") == (Not(a), b)
    assert parts("a or b") == (a, Words("or"), b)


@pytest.mark.parametrize("query", ["https://x.example/a?b=1", "10:30", "a>b", "print() now", "Re: printer", "c++", "x=5"])
def test_what_only_looks_like_a_filter_is_words(query: str) -> None:
    assert all(isinstance(each, Words) for each in parts(query))


def test_words_and_values_may_be_listed_and_quoted() -> None:
    assert parts("tag:a,b") == (Filter("tag", ("a", "b")),)
    assert parts('tag:"a b",c') == (Filter("tag", ("a b", "c")),)
    assert parts('assignee:"me"') == (Filter("assignee", ('"me',)),)
    assert parts("STATUS:In-Progress") == (Filter("status", ("in_progress",)),)
    assert parts("-tag:vpn") == (Not(Filter("tag", ("vpn",))),)


@pytest.mark.parametrize("priority", list(Priority))
def test_priorities_are_compared_by_how_much_they_hurry(priority: Priority) -> None:
    ranks = [each.value for each in Priority]
    for sign, kept in {">=": ranks[ranks.index(priority) :], "<=": ranks[: ranks.index(priority) + 1]}.items():
        assert parts(f"priority{sign}{priority}") == parts(f"priority:{sign}{priority}") == (Filter("priority", tuple(kept)),)
    assert "above" in wrong("priority>urgent").message
    assert "below" in wrong("priority:<low").message


@pytest.mark.parametrize(
    ("said", "since", "until"),
    [
        ("2026-11-01", day(11, 1), day(11, 2)),
        (">2026-11-01", day(11, 2), None),
        (">=2026-11-01", day(11, 1), None),
        ("<2026-11-01", None, day(11, 1)),
        ("<=2026-11-01", None, day(11, 2)),
        ("2026-11-01..2026-11-10", day(11, 1), day(11, 11)),
        ("2026-11-01..", day(11, 1), None),
        ("..2026-11-10", None, day(11, 11)),
        ("2026-10", day(10, 1), day(11, 1)),
        (">2026-10", day(11, 1), None),
        ("2026", day(1, 1), datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-11-01T10:30", day(11, 1) + timedelta(hours=10, minutes=30), day(11, 1) + timedelta(hours=10, minutes=31)),
        ("today", day(11, 23), day(11, 24)),
        ("yesterday", day(11, 22), day(11, 23)),
        ("7d", NOW - timedelta(days=7), None),
        (">7d", NOW - timedelta(days=7), None),
        ("<7d", None, NOW - timedelta(days=7)),
        ("2w..1d", NOW - timedelta(weeks=2), NOW - timedelta(days=1)),
    ],
)
def test_dates_are_what_they_look_like(said: str, since: datetime | None, until: datetime | None) -> None:
    assert parts(f"created:{said}") == (Filter("created", (Span(since, until),)),)


def test_a_day_is_a_day_where_the_desk_is() -> None:
    berlin = Around(NOW, ZoneInfo("Europe/Berlin"))
    assert parts("created:2026-11-01", berlin) == (
        Filter("created", (Span(day(11, 1) - timedelta(hours=1), day(11, 2) - timedelta(hours=1)),)),
    )


def test_fields_are_named_after_a_dot() -> None:
    assert parts("field.severity>=3") == (Filter("field", (FieldValue("severity", ">=", "3"),)),)
    assert parts('field.floor:"second one"') == (Filter("field", (FieldValue("floor", "=", "second one"),)),)
    assert "numbers and dates" in wrong("field.floor>second").message


@pytest.mark.parametrize(
    ("query", "word", "suggestion"),
    [
        ("printer priorty:high now", "priorty:high", "priority:high"),
        ("printer status:opne", "status:opne", "status:open"),
        ('x teem:"our team"', 'teem:"our team"', 'team:"our team"'),
        ("is:snoozd", "is:snoozd", "is:snoozed"),
        ("tag>5", "tag>5", "tag:"),
        ("x foo:bar", "foo:bar", None),
        ("created:2026-13-01", "created:2026-13-01", None),
        ("created:>1d..2d", "created:>1d..2d", None),
        ("created:1d..2d", "created:1d..2d", "created:2d..1d"),
        ("created:0000-01-01", "created:0000-01-01", None),
        ("a tag: b", "tag:", None),
        ("a OR", "OR", None),
        ("OR b", "OR", None),
        ("a (b", "(", None),
        ('a "b c', '"b c', None),
        ("a\0b", "\0", None),
        ("a \ud800", "?", None),
    ],
)
def test_a_refusal_points_at_the_word(query: str, word: str, suggestion: str | None) -> None:
    more = wrong(query).more
    assert (more["word"], more["suggestion"]) == (word, suggestion)
    assert query.encode(errors="replace").decode()[more["start"] : more["end"]] == word


@pytest.mark.parametrize(
    "query", ["assignee:me", "team:mine", "tag:vpn", "in:trash", "watching:me", "mentions:me", "is:snoozed", "is:merged"]
)
def test_what_only_the_staff_knows_does_not_exist_for_customers(query: str) -> None:
    name = query.partition(":")[0]
    parts(query)
    assert (
        "none of open, done" in wrong(query, CUSTOMER).message
        if name == "is"
        else f"no filter '{name}'" in wrong(query, CUSTOMER).message
    )


@given(some.text(alphabet=some.characters(codec=None), max_size=300))
def test_no_text_breaks_it(query: str) -> None:
    _read(query)


WORDS = [
    "status",
    "priority",
    "created",
    "field.x",
    "tag",
    ":",
    ">=",
    "<",
    "..",
    "-",
    "(",
    ")",
    '"',
    ",",
    "*",
    "OR",
    " ",
    "open",
    "me",
    "7d",
]


@given(some.lists(some.sampled_from([*WORDS, "2026-11-01", "high", "#1", "é"]), max_size=40).map("".join))
def test_nothing_like_a_query_breaks_it(query: str) -> None:
    _read(query)


def _read(query: str) -> Query | None:
    try:
        return parse(query, HERE)
    except QueryWrong as refused:
        start, end = refused.more["start"], refused.more["end"]
    assert 0 <= start <= end <= len(query)
    return None


EVIL = [
    "(" * 65536,
    '"' * 65535,
    "a:" * 32768,
    "-" * 65536,
    "a OR " * 13107,
    "[ticket #" * 7000,
    "tag:" + "," * 65000,
    " " * 65536,
]


@pytest.mark.parametrize("query", EVIL, ids=lambda query: repr(query[:8]))
@pytest.mark.parametrize("length", [65536, rules.LONGEST])
def test_evil_text_costs_next_to_nothing(query: str, length: int) -> None:
    assert cpu.least(lambda: _read(query[:length])) < 0.1


def test_too_long_too_much_and_too_deep_are_refused() -> None:
    assert "2000" in wrong("a" * 2001).message
    assert "40 words" in wrong("a " * 41).message
    assert "8 deep" in wrong("(" * 1000).message
    assert parts("(" * 8 + "a" + ")" * 8)

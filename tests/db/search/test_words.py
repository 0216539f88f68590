"""How words become findable, whatever they are; and that nothing anybody writes can keep a message from being stored."""

import random
from datetime import datetime

import pytest
from sqlalchemy import select, text

from app.db.session import Session
from app.files.actions import File
from app.sla import actions as sla
from app.tickets import actions, words
from app.tickets.actions import Body, Source
from app.tickets.models import Channel, Message, Ticket
from tests.cast import Cast

BY_API = Source(Channel.API)


@pytest.fixture
def ticket(s: Session, cast: Cast, now: datetime) -> Ticket:
    sla.ensure_defaults(s, now=now)
    return actions.open(s, requester=cast.carol, by=None, subject="Printer", body=Body("It burns."), source=BY_API, now=now)


def say(s: Session, ticket: Ticket, cast: Cast, now: datetime, said: str) -> Message:
    return actions.note(s, ticket, by=cast.bob, body=Body(said), source=BY_API, now=now)


def found(s: Session, ticket: Ticket, query: str, *, column: str = "whole", beginning: bool = False) -> bool:
    s.flush()
    looked = text(
        "SELECT shown @@ desk_query(:query, :beginning), whole @@ desk_query(:query, :beginning)"
        " FROM ticket_text WHERE ticket = :t"
    )
    shown, whole = s.execute(looked, {"query": query, "beginning": beginning, "t": ticket.number}).one()
    return bool(whole if column == "whole" else shown)


@pytest.mark.parametrize(
    ("said", "query"),
    [
        ("Übermäßig café", "uebermassig"),
        ("Übermäßig", "ubermassig"),
        ("Übermäßig", "UBERMÄSSIG"),
        ("Zürich Łódź København", "lodz"),
        ("see price-list_2026.pdf", "price"),
        ("see price-list_2026.pdf", "price-list_2026.pdf"),
        ("see price-list_2026.pdf", "2026"),
        ("the order ABC-123", "123"),
        ("the order ABC-123", "abc-123"),
        ("from 10.0.0.17/24 to x", "10.0.0.17"),
        ("a@b.example wrote", "a@b.example"),
        ("a path /usr/local/bin", "local"),
        ("sup\u00adport", "support"),
        ("ﬁle \uff12\uff10\uff12\uff16", "file 2026"),
        ("<b>bold</b>&amp;", "bold"),
        ("it's", "it's"),
    ],
)
def test_a_word_is_found_however_it_is_written(
    s: Session, cast: Cast, now: datetime, ticket: Ticket, said: str, query: str
) -> None:
    say(s, ticket, cast, now, said)
    assert found(s, ticket, query) is (query != "uebermassig")


def test_notes_are_found_by_the_staff_alone(s: Session, cast: Cast, now: datetime, ticket: Ticket) -> None:
    say(s, ticket, cast, now, "fraudster")
    assert found(s, ticket, "fraudster")
    assert not found(s, ticket, "fraudster", column="shown")
    words.refresh(s, ticket.number)
    assert found(s, ticket, "fraudster")
    assert not found(s, ticket, "fraudster", column="shown")


def test_the_number_the_subject_and_who_asks_are_found(s: Session, ticket: Ticket) -> None:
    for query in (str(ticket.number), "printer", "carol", "carol@acme.example", "acme", "burns"):
        assert found(s, ticket, query, column="shown"), query


def test_files_are_found_by_their_names(s: Session, cast: Cast, now: datetime, ticket: Ticket) -> None:
    file = File(name="price-list_2026.pdf", media_type="application/pdf", size=1, blob="0" * 64)
    actions.note(s, ticket, by=cast.bob, body=Body("here"), source=BY_API, files=[file], now=now)
    assert found(s, ticket, "list_2026")
    words.refresh(s, ticket.number)
    assert found(s, ticket, "list_2026")


def _hostile() -> dict[str, str]:
    chance = random.Random(3)
    return {
        "many words": " ".join(f"w{n}x{chance.random()}" for n in range(60_000)),
        "one word": "x" * 1_000_000,
        "grows eighteenfold": "\ufdfa" * 100_000,
        "long words": " ".join(f"{n}" + "é" * 3000 for n in range(300)),
        "signs": "'\\:*&|!()<->" * 50_000,
        "every character": "".join(chr(n) for n in range(1, 0x11000) if not 0xD800 <= n <= 0xDFFF),
        "marks": "'/a1' /r1 /t0 /o0" * 10,
        "combining": "a" + "\u0300" * 200_000,
        "spaces": " \u3000\u1680\u180e" * 20_000,
    }


@pytest.mark.parametrize("name", list(_hostile()))
def test_no_text_keeps_a_message_from_being_stored(s: Session, cast: Cast, now: datetime, ticket: Ticket, name: str) -> None:
    said = _hostile()[name]
    if name == "spaces":
        said += "end"
    made = [say(s, ticket, cast, now, said) for _ in range(3)][-1]
    assert s.scalar(select(Message.id).where(Message.id == made.id)) == made.id
    words.refresh(s, ticket.number)
    assert found(s, ticket, "printer")


def test_a_text_that_is_too_much_is_found_by_its_beginning(s: Session, cast: Cast, now: datetime, ticket: Ticket) -> None:
    say(s, ticket, cast, now, "needle " + "\ufdfa" * 100_000)
    assert found(s, ticket, "needle")


@pytest.mark.parametrize(
    "query", ["", "   ", "'", "\\", "a'b", "a\\b", "a & | ! b", "<->", ":*", "a:*", "\u1680", "a\u1680b", "🙂", "'/r1'", "%_"]
)
@pytest.mark.parametrize("beginning", [True, False])
def test_no_word_breaks_the_search(s: Session, ticket: Ticket, query: str, beginning: bool) -> None:
    found(s, ticket, query, beginning=beginning)


def test_nobody_finds_the_marks(s: Session, cast: Cast, now: datetime, ticket: Ticket) -> None:
    for query in (f"/r{cast.carol.id}", "'/t0'", f"r{cast.carol.id}", "a0", "c0", "t0"):
        assert not found(s, ticket, query), query
        assert not found(s, ticket, query, beginning=True), query


def marked(s: Session, ticket: Ticket) -> set[str]:
    s.flush()
    both = s.execute(
        text("SELECT tsvector_to_array(shown), tsvector_to_array(whole) FROM ticket_text WHERE ticket = :t"), {"t": ticket.number}
    ).one()
    shown, whole = ({each for each in words if each.startswith("/")} for words in both)
    assert shown == whole
    return shown


def test_the_marks_go_with_whose_a_ticket_is(s: Session, cast: Cast, now: datetime, ticket: Ticket) -> None:
    n = ticket.number
    stretches = {f"/a{n >> 10}", f"/b{n >> 13}"}
    assert marked(s, ticket) == stretches | {f"/r{cast.carol.id}", f"/o{cast.carol.organization_id}", "/t0"}

    ticket.team_id, ticket.requester, ticket.organization_id = cast.billing.id, cast.mallory, None
    after = stretches | {f"/r{cast.mallory.id}", "/o0", f"/t{cast.billing.id}"}
    assert marked(s, ticket) == after
    words.refresh(s, n)
    assert marked(s, ticket) == after
    assert found(s, ticket, "burns")

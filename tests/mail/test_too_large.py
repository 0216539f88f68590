"""A mail that is too large to be fetched whole: its words come, its files stay where they are, and its sender may be told."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.core import clock
from app.intake import actions, stubborn
from app.intake.rules import structure
from app.intake.rules.states import MailState
from app.outbox.models import Kind, Letter
from app.tickets.models import Message, Ticket
from tests.mail.conftest import Desk
from tests.mail.imap_server import Server, eventually
from tests.unit.intake.letters import mail, multipart, part

LARGE = 20_000
PDF = part("x" * LARGE, "application/pdf; name=plan.pdf", Content_Disposition="attachment; filename=plan.pdf")
PLAIN, PAGE = part("The plan is attached."), part("<p>The <b>plan</b> is attached.</p>", "text/html; charset=utf-8")


@pytest.fixture(autouse=True)
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stubborn, "LARGEST", LARGE)


def come(desk: Desk) -> str:
    """Fetch and process what there is; the text of the last message."""
    with desk.watching():
        eventually(lambda: desk.ledger() and desk.mailbox().last_uid, within=30)
    desk.process()
    with desk.database.transaction() as s:
        return s.scalars(select(Message).order_by(Message.id.desc())).first().text  # type: ignore[union-attr]


def letters(desk: Desk) -> list[Letter]:
    with desk.database.transaction() as s:
        return list(s.scalars(select(Letter).where(Letter.kind == Kind.ACKNOWLEDGEMENT).order_by(Letter.id)))


@pytest.fixture(params=[[PLAIN, PDF], [PAGE, PDF], [PDF, PLAIN]], ids=["plain", "html", "plain last"])
def large(request: pytest.FixtureRequest) -> bytes:
    return multipart(*request.param)


def test_what_it_says_is_on_the_ticket_and_its_files_are_not_fetched(desk: Desk, peer: Server, large: bytes) -> None:
    [uid] = peer.add(large)
    text = come(desk)
    assert text.startswith("[This mail is too large to be fetched (0 MB). It is still in the mailbox support@desk.example.")
    assert text.endswith("]\n\nThe plan is attached.")
    [row] = desk.ledger()
    assert (row.header_only, row.size, row.state) == (True, len(large), MailState.DONE)
    assert uid in peer.mails
    assert not any(b"xxx" in asked.encode() or "BODY.PEEK[]" in asked for asked in peer.asked)
    assert len(row.raw_sha256) == 64


def test_the_same_mail_numbered_anew_is_the_same(desk: Desk, peer: Server, large: bytes) -> None:
    peer.add(large)
    come(desk)
    peer.renumber()
    with desk.watching():
        eventually(lambda: len(desk.ledger()) == 2)
    desk.process()
    assert desk.count(Ticket) == 1


def test_an_answer_that_is_too_large_lands_on_its_ticket(desk: Desk, peer: Server) -> None:
    peer.add(mail("First"))
    come(desk)
    peer.add(multipart(PLAIN, PDF, mail_id="<2@acme.example>", In_Reply_To="<1@acme.example>"))
    with desk.watching():
        eventually(lambda: len(desk.ledger()) == 2)
    desk.process()
    assert (desk.count(Ticket), desk.count(Message)) == (1, 2)


def test_of_a_text_without_an_end_a_megabyte_is_taken(desk: Desk, peer: Server) -> None:
    peer.add(mail("line of it\r\n" * 200_000))
    text = come(desk)
    assert "line of it\nline of it" in text
    with desk.database.reading() as c:
        raw = actions.raw(c, desk.settings(), desk.ledger()[0].id) or b""
    assert structure.MOST < len(raw) < structure.MOST + 1_000


NONSENSE = {
    "nothing": b"NIL",
    "a number": b"7",
    "one side of it": b'("TEXT" "PLAIN"',
    "too many sides": b'("TEXT" "PLAIN"))))',
    "no sections": b'("TEXT")',
    "deeper than anybody looks": b"(" * 5_000 + b'"TEXT" "PLAIN"' + b")" * 5_000,
    "a literal without a text": b"({99}\r\n)",
    "parts that aren't there": b"((" + b'("TEXT" "PLAIN" NIL NIL NIL "7BIT" 5 1 NIL NIL NIL NIL)' * 9 + b' "MIXED") "MIXED")',
    "more than is read": b'("A" ' + b'"B" ' * 200_000 + b")",
}


@pytest.mark.parametrize("said", NONSENSE.values(), ids=NONSENSE)
def test_where_the_server_makes_no_sense_of_it_the_header_is_all(
    desk: Desk, peer: Server, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr("app.intake.wire.PATIENCE", 0.5)
    [uid] = peer.add(multipart(PLAIN, PDF))
    peer.structures[uid] = said
    assert come(desk).endswith("Of it only what its header says was taken.]")
    [row] = desk.ledger()
    assert (row.header_only, row.refusal, row.state, row.subject) == (True, None, MailState.DONE, "Help")


@pytest.mark.parametrize("how", ["refused", "broken"])
def test_where_it_is_refused_or_the_line_is_cut_the_header_is_all(desk: Desk, peer: Server, how: str) -> None:
    [uid] = peer.add(multipart(PLAIN, PDF))
    peer.stubborn[uid] = how
    assert come(desk).endswith("Of it only what its header says was taken.]")
    assert desk.ledger()[0].refusal is None


class TestTheSender:
    @pytest.fixture
    def tells(self, desk: Desk) -> Desk:
        desk.boot()
        desk.pretend(tells_too_large=True)
        return desk

    def test_gets_the_ordinary_acknowledgement_unless_the_mailbox_tells_them(self, desk: Desk, peer: Server) -> None:
        peer.add(multipart(PLAIN, PDF))
        come(desk)
        assert [letter.subject for letter in letters(desk)] == ["We received your message [#1]"]

    def test_is_told_once_how_large_a_mail_may_be_and_hears_none_of_their_own_words(self, tells: Desk, peer: Server) -> None:
        peer.add(multipart(PLAIN, PDF, sender="Buy now <carol@acme.example>", subject="Cheap pills"))
        come(tells)
        [letter] = letters(tells)
        assert (letter.subject, letter.to_address, letter.to_name) == (
            "Your message was too large [#1]",
            "carol@acme.example",
            "",
        )
        assert "a mail may have up to 0 MB" not in letter.text
        assert "a mail may have up to 60 MB" in letter.text
        assert not any(word in letter.text + letter.subject for word in ("plan", "pills", "Buy"))

    def test_is_told_of_an_answer_that_is_too_large_as_well(self, tells: Desk, peer: Server) -> None:
        peer.add(mail("First", sender="dave@acme.example", mail_id="<1@x>"))
        come(tells)
        with tells.database.transaction() as s:
            for letter in s.scalars(select(Letter)):
                letter.created_at -= timedelta(hours=2)
                letter.dedupe_key += " long ago"
        peer.add(multipart(PLAIN, PDF, sender="dave@acme.example", mail_id="<2@x>", In_Reply_To="<1@x>"))
        with tells.watching():
            eventually(lambda: len(tells.ledger()) == 2)
        tells.process()
        assert [letter.subject for letter in letters(tells)][1:] == ["Your message was too large [#1]"]

    @pytest.mark.parametrize(
        "fields",
        [
            {"Auto_Submitted": "auto-replied"},
            {"Precedence": "bulk"},
            {"X_Loop": "support@desk.example"},
            {"Return_Path": "<>"},
            {"sender": None},
        ],
        ids=str,
    )
    def test_is_told_nothing_where_a_machine_wrote_or_nobody_did(self, tells: Desk, peer: Server, fields: dict[str, str]) -> None:
        peer.add(multipart(PLAIN, PDF, **fields))
        come(tells)
        assert letters(tells) == []

    def test_is_told_no_more_often_than_mails_are_acknowledged(self, tells: Desk, peer: Server) -> None:
        peer.add(
            *(multipart(PLAIN, PDF, mail_id=f"<{n}@acme.example>") for n in range(3)), mail("small", mail_id="<9@acme.example>")
        )
        with tells.watching():
            eventually(lambda: len(tells.ledger()) == 4)
        tells.process()
        assert len(letters(tells)) == 1

    def test_of_more_than_a_day_ago_is_told_nothing(self, tells: Desk, peer: Server) -> None:
        tells.pretend(created_at=clock.now() - timedelta(days=9), import_since=clock.now() - timedelta(days=9))
        peer.add(multipart(PLAIN, PDF), at=clock.now() - timedelta(days=2))
        come(tells)
        assert letters(tells) == []

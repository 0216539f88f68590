"""Two whole desks that write to each other: a machine's answer is never answered for long."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import select, update

from app.core.signing import Signer
from app.db.session import Database
from app.db.session import now as database_now
from app.files.disk import Blobs
from app.intake import actions, outcomes
from app.intake.folder import Fetched
from app.intake.models import InboundMail, Mailbox
from app.intake.rules import read
from app.intake.rules.states import MailState
from app.outbox.delivery import process_one
from app.outbox.house import House
from app.outbox.models import Letter
from app.outbox.rules import Outcome, Verdict
from app.outbox.smtp import Account
from app.tickets.models import Message
from tests.db.intake.conftest import a_mailbox
from tests.unit.intake.letters import mail

NAMES = rb"auto-submitted|x-auto-response-suppress|precedence|x-loop|references|in-reply-to|thread-[a-z]*"
MARKS = rb"(?im)^(?:" + NAMES + rb"):.*\r\n(?:[ \t].*\r\n)*"


@dataclass
class Sent:
    """A letter on its way: the return path that is tried first, and the mail."""

    path: str
    content: bytes


@dataclass
class Bag:
    """A carrier that keeps what it is given."""

    account: Account = field(default_factory=lambda: Account("mx.example", 25, "none", None, None, "desk.example"))
    letters: list[Sent] = field(default_factory=list)

    def deliver(self, senders: tuple[str, ...], recipient: str, content: bytes) -> Outcome:
        self.letters.append(Sent(senders[0], content))
        return Outcome(Verdict.SENT)


class Whole:
    """A desk with a database, a mailbox and an outbox of its own."""

    def __init__(self, database: Database, domain: str, folder: Path) -> None:
        self.db, self.blobs = database, Blobs(folder / domain)
        self.address = f"support@{domain}"
        self.house = House(f"https://{domain}", "Desk", self.address, domain, Signer(domain.encode() * 4))
        with database.transaction() as s:
            self.mailbox: Mailbox = a_mailbox(s, database_now(s), self.address)
        self.uid, self.sent = 0, 0

    def receive(self, raw: bytes) -> MailState:
        """From the bytes to the outcome."""
        self.uid += 1
        with self.db.transaction() as s:
            now = database_now(s)
            fetched = Fetched(self.uid, raw, len(raw), now)
            actions.take(s, self.mailbox, [fetched], uidvalidity=1, large=self.blobs, now=now)
            id = s.scalars(select(InboundMail.id).where(InboundMail.uid == self.uid)).one()
        with self.db.transaction() as s:
            row = outcomes.settle(s, id, read.mail(raw)[0], [], house=self.house, gate=True, now=database_now(s))
            assert row
            return row.state

    def letters(self) -> list[Sent]:
        """What is in the outbox leaves it."""
        bag = Bag()
        while process_one(self.db, self.house, bag, self.blobs):
            pass
        self.sent += len(bag.letters)
        return bag.letters

    def said(self) -> int:
        with self.db.transaction() as s:
            return len(s.scalars(select(Message.id)).all())


@pytest.fixture
def desks(database: Database, other_database: Database, tmp_path: Path) -> "list[Whole]":
    return [Whole(database, "one.example", tmp_path), Whole(other_database, "two.example", tmp_path)]


def untouched(raw: bytes, n: int) -> bytes:
    return raw


def dumb(raw: bytes, n: int) -> bytes:
    """What is left of it where nothing says any more that a machine wrote it: a new mail with a subject of its own."""
    plain = re.sub(MARKS, b"", raw)
    plain = re.sub(rb"(?im)^message-id:.*\r\n(?:[ \t].*\r\n)*", f"Message-ID: <{n}@dumb.example>\r\n".encode(), plain)
    return re.sub(rb"(?im)^subject:.*\r\n(?:[ \t].*\r\n)*", f"Subject: Thank you for {n}\r\n".encode(), plain)


@pytest.mark.parametrize(("way", "most"), [(untouched, 1), (dumb, 2)])
def test_two_desks_fall_silent_after_two_automatic_mails_at_most(desks: list[Whole], way: object, most: int) -> None:
    one, two = desks
    one.receive(mail("Hello", sender=f"Other desk <{two.address}>", to=one.address, mail_id="<first@two.example>"))
    n = 0
    for _ in range(20):
        for here, there in ((one, two), (two, one)):
            for letter in here.letters():
                n += 1
                assert letter.path == ""
                assert b"Auto-Submitted: auto-replied" in letter.content
                assert here.address.encode() in letter.content.partition(b"X-Loop: ")[2].partition(b"\r\n")[0]
                assert there.receive(way(letter.content, n)) is MailState.DONE  # type: ignore[operator]
    assert n == one.sent + two.sent == most
    assert one.said() + two.said() == 1 + n


def test_a_robot_that_answers_everything_gets_one_answer(desks: list[Whole]) -> None:
    one, _ = desks
    robot = "robot@dumb.example"
    one.receive(mail("Hello", sender=robot, mail_id="<0@dumb.example>"))
    answered = 0
    for _ in range(20):
        for _ in one.letters():
            answered += 1
            raw = mail("Thank you!", sender=robot, mail_id=f"<{answered}@dumb.example>", subject=f"Fresh {answered}")
            assert one.receive(raw) is MailState.DONE
    assert (one.sent, one.said()) == (1, 2)


def test_what_comes_back_to_the_desk_that_wrote_it_becomes_nothing(desks: list[Whole]) -> None:
    one, _ = desks
    one.receive(mail("Hello", sender="carol@acme.example"))
    [letter] = one.letters()
    assert one.receive(letter.content) is MailState.IGNORED
    with one.db.transaction() as s:
        s.execute(update(Letter).values(last_error=None))
    assert one.letters() == []

"""The proof: the whole corpus of difficult mails, shuffled and replayed, and no mail stands on another organization's ticket.

Everybody at a mail domain is one organization. Half of the mails come as they are. Most of the others are given signs of
tickets of other organizations: our Message-IDs, reply addresses that were issued to their customers, return addresses of
letters to them, numbers in the subject. Some get those of their own, so that it is known that signs do join. Then mails come
again, also to a second mailbox. ATUM_JOINING_SEEDS says how many shuffles there are; one is enough for every day.
"""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from app.accounts import public_mail
from app.accounts.models import Organization, OrganizationDomain, Person
from app.db.session import Database, Session
from app.intake import actions, outcomes
from app.intake.folder import Fetched
from app.intake.models import InboundMail, Mailbox
from app.intake.reader import Reader
from app.intake.rules.authentication import Checked, Verdict
from app.intake.rules.mail import Mail
from app.intake.rules.states import MailState
from app.outbox import actions as outbox
from app.outbox.models import Letter
from app.tickets.models import Message, Ticket, Watcher
from app.tickets.rules import WatcherKind
from scripts.load.scores import CORPUS, mails
from tests.db.intake.conftest import a_mailbox
from tests.unit.outbox.letters import a_house

HOUSE = a_house()
SEEDS = range(1, 1 + int(os.environ.get("ATUM_JOINING_SEEDS") or 1))

pytestmark = [
    pytest.mark.skipif(not CORPUS.exists(), reason=f"the mail corpus is not at {CORPUS}; set ATUM_MAIL_CORPUS"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def corpus() -> list[tuple[bytes, Mail]]:
    """Every mail, as it came and as the limited child reads it."""
    with Reader() as reader:
        return [(raw, reader.read(raw, lambda *_: None)) for raw in (path.read_bytes() for path in mails())]


@pytest.fixture
def reader() -> Iterator[Reader]:
    with Reader() as made:
        yield made


def organization(address: str) -> str:
    """Whose mail it is, by the test's own reckoning: the domain, or the address alone where anybody can have one there."""
    domain = address.rpartition("@")[2]
    return address if public_mail.is_public(domain) else domain


@dataclass
class Known:
    """A ticket of the first half, and what can be shown to refer to it."""

    ticket: int
    requester: str
    mail_id: str | None
    letter: int | None
    colleague: str | None

    def signs(self, chance: random.Random) -> dict[str, str]:
        ours = HOUSE.mail_id(outbox.new_mail_id(self.ticket, 1))
        reply_to = HOUSE.reply_address(self.ticket, chance.choice([self.requester, self.colleague or self.requester]))
        every = {
            "References": f"<a@b.example> {ours}",
            "In-Reply-To": ours,
            "To": reply_to,
            "Cc": f"Desk <{reply_to}>",
            "Subject": f"Re: Help [#{self.ticket}]",
        }
        if self.letter:
            every["Delivered-To"] = HOUSE.return_address(self.letter)
        if self.mail_id:
            every["References"] += f" {self.mail_id}"
        return {name: every[name] for name in chance.sample(sorted(every), chance.randint(1, len(every)))}


def given(raw: bytes, fields: dict[str, str]) -> bytes:
    """The mail with more header fields before its own; an mbox line stays first."""
    first = raw.find(b"\n") + 1 if raw.startswith((b"From ", b">From ")) else 0
    return raw[:first] + "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode() + raw[first:]


@dataclass
class Trial:
    """One desk, and what is done to it."""

    database: Database
    chance: random.Random
    boxes: list[Mailbox] = field(default_factory=list)
    uid: int = 0
    sent: dict[int, Mail] = field(default_factory=dict)

    def set_up(self, found: list[tuple[bytes, Mail]]) -> None:
        now = datetime.now(UTC)
        names = {organization(mail.sender.address) for _, mail in found if mail.sender}
        with self.database.transaction() as s:
            self.boxes = [a_mailbox(s, now, name) for name in ("support@desk.example", "sales@desk.example")]
            for name in sorted(name for name in names if "@" not in name):
                made = Organization(name=name, created_at=now)
                s.add(made)
                s.flush()
                s.add(OrganizationDomain(domain=name, organization_id=made.id, added_at=now))

    def deliver(self, raw: bytes, mail: Mail, *, box: int = 0) -> None:
        self.uid += 1
        with self.database.transaction() as s:
            now, box_row = datetime.now(UTC), self.boxes[box]
            fetched = [Fetched(self.uid, raw[:1000], len(raw), now)]
            actions.take(s, box_row, fetched, uidvalidity=1, large=None, now=now, move=False)  # type: ignore[arg-type]
            query = select(InboundMail.id).where(InboundMail.mailbox_id == box_row.id, InboundMail.uid == self.uid)
            id = s.scalars(query).one()
            checked = Checked(self.chance.choice([Verdict.PASS, Verdict.NONE]), "by the test's chance")
            outcomes.settle(s, id, mail, [], house=HOUSE, gate=True, checked=checked, now=now)
        self.sent[id] = mail

    def known(self) -> list[Known]:
        """The tickets there are; some get somebody of the same organization in copy."""
        with self.database.transaction() as s:
            tickets = [t for t in s.scalars(select(Ticket).order_by(Ticket.number)) if t.requester.email != outcomes.NOBODY]
            return [self._known(s, ticket) for ticket in tickets]

    def _known(self, s: Session, ticket: Ticket) -> Known:
        letter = s.scalar(select(Letter.id).where(Letter.ticket == ticket.number))
        mail_id = s.scalar(select(Message.mail_id).where(Message.ticket == ticket.number))
        others = select(Person).where(Person.organization_id == ticket.organization_id, Person.id != ticket.requester_id)
        colleague = s.scalars(others.limit(1)).first() if ticket.organization_id and self.chance.random() < 0.3 else None
        if colleague:
            s.merge(Watcher(ticket=ticket.number, person_id=colleague.id, kind=WatcherKind.CC, added_at=datetime.now(UTC)))
        return Known(ticket.number, ticket.requester.email, mail_id, letter, colleague.email if colleague else None)

    def signed(self, raw: bytes, mail: Mail, known: list[Known], reader: Reader) -> tuple[bytes, Mail]:
        """Perhaps with signs: mostly a stranger's, now and then the sender's own or a colleague's."""
        kind = self.chance.random()
        mine = organization(mail.sender.address) if mail.sender else ""
        own = kind > 0.7
        choice = [one for one in known if (organization(one.requester) == mine) is own]
        if kind < 0.1 or not choice:
            return raw, mail
        raw = given(raw, self.chance.choice(choice).signs(self.chance))
        return raw, reader.read(raw, lambda *_: None)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_mail_joins_another_organization_s_ticket(
    database: Database, corpus: list[tuple[bytes, Mail]], reader: Reader, seed: int
) -> None:
    trial = Trial(database, random.Random(seed))
    trial.set_up(corpus)
    order = list(corpus)
    trial.chance.shuffle(order)
    first, second = order[: len(order) // 2], order[len(order) // 2 :]
    for raw, mail in first:
        trial.deliver(raw, mail)
    known = trial.known()
    assert len(known) > 300
    changed = [trial.signed(raw, mail, known, reader) for raw, mail in second]
    for raw, mail in changed:
        trial.deliver(raw, mail)
    replayed = trial.chance.sample([*first, *changed], 500)
    for raw, mail in replayed:
        trial.deliver(raw, mail, box=trial.chance.randrange(2))

    judge(trial, corpus)


def judge(trial: Trial, corpus: list[tuple[bytes, Mail]]) -> None:
    """Every mail has an outcome, every ticket is one organization's alone, and signs of one's own did join."""
    with trial.database.transaction() as s:
        rows = {row.id: row for row in s.scalars(select(InboundMail))}
        said = [(m.ticket, m.inbound_mail_id or 0) for m in s.scalars(select(Message))]
        requesters = {t.number: t.requester.email for t in s.scalars(select(Ticket))}
    assert len(rows) == len(trial.sent)
    assert all(row.state is not MailState.NEW for row in rows.values())
    joined = 0
    on: dict[int, list[str]] = {}
    for ticket, id in said:
        sender = trial.sent[id].sender
        on.setdefault(ticket, []).append(organization(sender.address if sender else outcomes.NOBODY))
    for ticket, organizations in on.items():
        assert set(organizations) == {organization(requesters[ticket])}, f"ticket {ticket}"
        joined += len(organizations) - 1
    assert joined > len(corpus) / 50
    delivered = {id for _, id in said}
    for id, row in rows.items():  # nothing is lost: each stands somewhere, or its twin does, or the ledger says why not
        assert id in delivered or row.state is not MailState.DONE
        assert row.state is MailState.DONE or row.reason

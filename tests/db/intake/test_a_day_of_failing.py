"""A mailbox that can't be read for a day: few tries, few lines, one banner, one notice; and well again at the next try."""

import logging
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from app.accounts.models import Person
from app.config import load
from app.db.session import Session
from app.intake import mailboxes, queries
from app.intake.failure import MailboxFailure
from app.intake.models import Mailbox
from app.intake.rules.states import FailureClass, MailboxState
from app.outbox.models import Letter
from app.web.agent import trouble
from tests.cast import Cast
from tests.db.intake.conftest import a_mailbox

DAY = timedelta(hours=24)
SETTINGS = load({"SMTP_HOST": "smtp.desk.example", "SMTP_FROM": "support@desk.example"})
MOST = dict.fromkeys(FailureClass, 60) | {FailureClass.TRANSPORT: 600}


@pytest.fixture
def mailbox(s: Session, now: datetime, cast: Cast) -> Mailbox:
    return a_mailbox(s, now)


def a_day(s: Session, mailbox: Mailbox, kind: FailureClass, begins: datetime) -> int:
    """Fails at every try from then on; how often it was tried."""
    at, tries = begins, 0
    while at < begins + DAY:
        mailboxes.failed(s, mailbox.id, MailboxFailure(kind, "the server says no"), now=at)
        s.flush()
        tries += 1
        assert mailbox.next_try_at is not None
        at = max(mailbox.next_try_at, at + timedelta(milliseconds=100))
    return tries


def notices(s: Session) -> list[tuple[str, str]]:
    found = s.execute(
        select(Letter.to_address, Letter.subject).where(Letter.dedupe_key.startswith("mailbox:")).order_by(Letter.id)
    )
    return [(address, subject) for address, subject in found]


@pytest.mark.parametrize("kind", list(FailureClass))
def test_a_day_of_it(s: Session, mailbox: Mailbox, now: datetime, kind: FailureClass, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="app")

    tries = a_day(s, mailbox, kind, now)

    assert tries <= MOST[kind]
    assert len(caplog.records) <= 40
    assert notices(s) == [("root@desk.example", "Mail to support@desk.example is not coming in")]
    [banner] = trouble.words(s.connection(), SETTINGS)
    assert banner == "Mail to support@desk.example is not coming in: the server says no"
    mailboxes.works(s, mailbox.id, now=now + DAY)
    s.flush()
    assert (mailbox.state, mailbox.reason, mailbox.next_try_at) == (MailboxState.OK, None, None)
    assert trouble.words(s.connection(), SETTINGS) == []


def test_a_short_trouble_is_told_to_nobody(s: Session, mailbox: Mailbox, now: datetime) -> None:
    for seconds in (0, 1, 3, 300, 890):
        mailboxes.failed(s, mailbox.id, MailboxFailure(FailureClass.TRANSPORT, "gone"), now=now + timedelta(seconds=seconds))
    mailboxes.works(s, mailbox.id, now=now + timedelta(minutes=16))
    mailboxes.failed(s, mailbox.id, MailboxFailure(FailureClass.TRANSPORT, "gone"), now=now + timedelta(minutes=17))
    assert notices(s) == []


def test_another_trouble_is_told_again(s: Session, mailbox: Mailbox, now: datetime) -> None:
    for begins in (now, now + timedelta(days=2)):
        a_day(s, mailbox, FailureClass.AUTH, begins)
        mailboxes.works(s, mailbox.id, now=begins + DAY)
    assert len(notices(s)) == 2


def test_a_disabled_administrator_is_told_nothing(s: Session, mailbox: Mailbox, now: datetime, cast: Cast) -> None:
    s.get_one(Person, cast.root.id).disabled_at = now
    s.flush()
    a_day(s, mailbox, FailureClass.AUTH, now)
    assert notices(s) == []
    assert queries.mailbox_states(s)[0]["state"] == "blocked"

"""Addresses that get no more mail: what brings them there, what they still get, and how it ends."""

import argparse
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from app import config
from app.audit.models import Entry, Event
from app.config import Settings
from app.core.errors import NotFound
from app.db.session import now as time_of
from app.entry import cli_mail
from app.outbox import actions, queries, suppression
from app.outbox.models import Cause, Kind, Letter, State, Suppression
from tests.db.outbox.conftest import Outbox
from tests.db.outbox.sink import Sink

CAROL = "carol@acme.example"


def suppressed(outbox: Outbox) -> list[tuple[str, Cause]]:
    with outbox.database.transaction() as s:
        return [(row["address"], row["cause"]) for row in queries.suppressed(s, limit=10)]


def refuse(outbox: Outbox, sink: Sink, words: str, key: str = "reply:9", **different: Any) -> None:
    """The server that carries our mail refuses a letter."""
    sink.rcpt.append(words)
    outbox.put(key, **different)
    outbox.process(sink.account())


@pytest.mark.parametrize("code", ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"])
def test_one_refusal_is_enough_where_nobody_is_there(outbox: Outbox, sink: Sink, code: str) -> None:
    refuse(outbox, sink, f"550 {code} No such user")
    assert suppressed(outbox) == [(CAROL, Cause.HARD)]


@pytest.mark.parametrize(
    "words", ["552 5.2.2 Mailbox full", "550 5.7.1 We don't like you", "550 No such user here", "554 5.0.0 x"]
)
def test_any_other_refusal_is_only_counted(outbox: Outbox, sink: Sink, words: str) -> None:
    refuse(outbox, sink, words)
    assert outbox.letter().state is State.FAILED
    assert suppressed(outbox) == []


def yesterday(outbox: Outbox, *, days: int = 1) -> None:
    """Let so much time pass."""
    with outbox.database.transaction() as s:
        s.execute(update(Suppression).values(failed_at=Suppression.failed_at - timedelta(days=days)))


def test_on_the_fifth_day_of_failures_it_is_enough(outbox: Outbox, sink: Sink) -> None:
    for day in range(5):
        assert suppressed(outbox) == []
        refuse(outbox, sink, "552 5.2.2 Mailbox full", f"morning of {day}", ticket=day + 1)
        refuse(outbox, sink, "552 5.2.2 Mailbox full", f"evening of {day}", ticket=day + 1)
        yesterday(outbox)
    assert suppressed(outbox) == [(CAROL, Cause.SOFT)]


def test_failures_long_ago_are_forgotten(outbox: Outbox, sink: Sink) -> None:
    for day in range(4):
        refuse(outbox, sink, "552 5.2.2 Mailbox full", f"day {day}")
        yesterday(outbox)
    yesterday(outbox, days=14)
    refuse(outbox, sink, "552 5.2.2 Mailbox full", "two weeks later")
    assert suppressed(outbox) == []


def test_a_letter_to_a_suppressed_address_fails_at_once_and_says_why_since_when_and_how_to_lift_it(
    outbox: Outbox, sink: Sink
) -> None:
    refuse(outbox, sink, "550 5.1.1 No such user")
    outbox.put("next", ticket=8, message_id=4)
    assert outbox.process(sink.account()) == 0
    with outbox.database.transaction() as s:
        today = f"{time_of(s):%Y-%m-%d}"
        words = queries.fates(s, 8, configured=True)[4].words
    assert words == (
        f"not delivered: no mail is sent to {CAROL} since {today}: 550 5.1.1 No such user. It is sent again as soon as somebody "
        f"writes to us from there, or after: atum mail unsuppress {CAROL}"
    )
    assert len(outbox.not_delivered()) == 2


def test_what_waits_for_the_address_fails_with_it(outbox: Outbox, sink: Sink) -> None:
    outbox.put("other ticket", ticket=8)
    with outbox.database.transaction() as s:
        s.execute(update(Letter).values(next_at=time_of(s) + timedelta(hours=1)))
    refuse(outbox, sink, "550 5.1.1 No such user")
    assert outbox.letter("other ticket").state is State.FAILED
    outbox.later()
    assert outbox.process(sink.account()) == 0


def complain(outbox: Outbox) -> None:
    outbox.put("the first")
    with outbox.database.transaction() as s:
        suppression.complained(s, s.scalars(select(Letter)).one(), now=time_of(s))


@pytest.mark.parametrize(
    ("different", "state"),
    [
        ({"kind": Kind.REPLY}, State.QUEUED),
        ({"kind": Kind.ACKNOWLEDGEMENT}, State.FAILED),
        ({"kind": Kind.NOTICE}, State.FAILED),
        ({"kind": Kind.NOTICE, "link": "reset"}, State.QUEUED),
    ],
)
def test_whoever_complained_gets_only_what_a_person_wrote_or_they_asked_for(
    outbox: Outbox, different: dict[str, Any], state: State
) -> None:
    complain(outbox)
    outbox.put("next", **different)
    assert outbox.letter("next").state is state


def test_of_two_reasons_the_stronger_one_counts(outbox: Outbox, sink: Sink) -> None:
    complain(outbox)
    outbox.later()
    refuse(outbox, sink, "550 5.1.1 No such user")
    assert suppressed(outbox) == [(CAROL, Cause.HARD)]
    with outbox.database.transaction() as s:
        suppression.complained(s, s.scalars(select(Letter).order_by(Letter.id)).first() or Letter(), now=time_of(s))
    assert suppressed(outbox) == [(CAROL, Cause.HARD)]


def test_lifting_forgets_what_failed_and_is_in_the_audit_as_its_beginning_is(
    outbox: Outbox, sink: Sink, settings: Settings
) -> None:
    refuse(outbox, sink, "550 5.1.1 No such user")
    asked = argparse.Namespace(json=True, limit=10, address=["CAROL@acme.example"])
    [row] = cli_mail.list_suppressed(settings, asked)[1]
    assert (row["address"], row["cause"], row["reason"]) == (CAROL, Cause.HARD, "550 5.1.1 No such user")
    assert isinstance(row["since"], datetime)
    assert CAROL in cli_mail.list_suppressed(settings, argparse.Namespace(json=False, limit=10))[1]
    assert cli_mail.unsuppress(settings, asked)[0] == 0
    assert cli_mail.list_suppressed(settings, argparse.Namespace(json=False, limit=10)) == (0, "Every address gets mail.")
    with pytest.raises(NotFound, match="is not suppressed"):
        cli_mail.unsuppress(settings, asked)
    outbox.put("next")
    outbox.process(sink.account())
    assert outbox.letter("next").state is State.SENT
    with outbox.database.transaction() as s:
        kinds = (Event.MAIL_SUPPRESSED, Event.MAIL_UNSUPPRESSED)
        told = s.execute(select(Entry.kind, Entry.ticket, Entry.data).where(Entry.kind.in_(kinds)).order_by(Entry.seq)).all()
    assert [(kind, ticket, data["to"]) for kind, ticket, data in told] == [(kinds[0], 7, CAROL), (kinds[1], None, CAROL)]


@pytest.fixture
def settings(outbox: Outbox, tmp_path: Path) -> Settings:
    return config.load({"DATABASE_URL": outbox.database.dsn, "DATA_DIR": str(tmp_path)}, secrets=tmp_path / "none")


def test_a_letter_that_nobody_was_asked_about_is_no_failure_of_its_address(outbox: Outbox) -> None:
    outbox.put("unknown", to_address="unknown@sender.invalid")
    with outbox.database.transaction() as s:
        assert s.scalars(select(Suppression)).all() == []
        assert actions.recover(s) == 0

"""Killed between any two steps, the next poller finds everything, once (the last line of the crash-consistent order)."""

from collections.abc import Callable
from typing import Any

import pytest

from app.intake import actions, outcomes
from app.intake.reader import Reader
from app.intake.rules.states import MailState
from app.tickets.models import Message, Ticket
from tests.mail.conftest import Desk
from tests.mail.imap_server import Server, eventually
from tests.unit.intake.letters import mail

MAILS = 3


class Killed(BaseException):
    """kill -9, as far as a test in one process can have it: nothing after this point happens."""


def killed_before(real: Callable[..., Any]) -> Callable[..., Any]:
    def dies(*args: Any, **kwargs: Any) -> Any:
        raise Killed

    return dies


def killed_after(real: Callable[..., Any]) -> Callable[..., Any]:
    """The work is done, and the transaction it was done in does not commit."""

    def dies(*args: Any, **kwargs: Any) -> Any:
        real(*args, **kwargs)
        raise Killed

    return dies


@pytest.fixture
def letters(peer: Server) -> list[int]:
    return peer.add(*(mail(f"It is broken, {n}.", mail_id=f"<{n}@acme.example>") for n in range(MAILS)))


def live(desk: Desk, peer: Server) -> None:
    """A poller's whole and undisturbed life."""
    with desk.watching() as watch:
        eventually(lambda: len(desk.ledger()) == MAILS)
        desk.process()
        watch.settled.set()
        eventually(lambda: all(row.server_acked_at for row in desk.ledger()))


def prove(desk: Desk, peer: Server, letters: list[int]) -> None:
    """Each mail is one row, one ticket, one message, and flagged."""
    assert [row.uid for row in desk.ledger()] == letters
    assert {row.state for row in desk.ledger()} == {MailState.DONE}
    assert len({row.ticket for row in desk.ledger()}) == desk.count(Ticket) == desk.count(Message) == MAILS
    assert peer.flagged(r"\Seen") == set(letters)


@pytest.mark.parametrize("killed", [killed_before, killed_after])
def test_killed_around_the_first_transaction(
    desk: Desk, peer: Server, letters: list[int], monkeypatch: pytest.MonkeyPatch, killed: Any
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(actions, "take", killed(actions.take))
        with pytest.raises(Killed):
            desk.watch().turn()
    assert desk.ledger() == []
    live(desk, peer)
    prove(desk, peer, letters)


def test_killed_between_the_first_transaction_and_the_cursor(
    desk: Desk, peer: Server, letters: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = desk.watch()
    with monkeypatch.context() as patch:
        patch.setattr(watch._arrived, "set", killed_before(watch._arrived.set))
        with pytest.raises(Killed):
            watch.turn()
    assert len(desk.ledger()) == MAILS
    assert desk.mailbox().uidvalidity is None
    live(desk, peer)
    prove(desk, peer, letters)


def test_killed_while_a_mail_is_read(desk: Desk, peer: Server, letters: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    with desk.watching():
        eventually(lambda: len(desk.ledger()) == MAILS)
    with monkeypatch.context() as patch:
        patch.setattr(Reader, "read", killed_before(Reader.read))
        with pytest.raises(Killed):
            desk.process()
    assert {row.attempts for row in desk.ledger()} == {0}
    live(desk, peer)
    prove(desk, peer, letters)


@pytest.mark.parametrize("killed", [killed_before, killed_after])
def test_killed_around_the_second_transaction(
    desk: Desk, peer: Server, letters: list[int], monkeypatch: pytest.MonkeyPatch, killed: Any
) -> None:
    with desk.watching():
        eventually(lambda: len(desk.ledger()) == MAILS)
    with monkeypatch.context() as patch:
        patch.setattr(outcomes, "settle", killed(outcomes.settle))
        with pytest.raises(Killed):
            desk.process()
    assert desk.count(Ticket) == 0
    live(desk, peer)
    prove(desk, peer, letters)


@pytest.mark.parametrize("killed", [killed_before, killed_after])
def test_killed_around_the_third_transaction(
    desk: Desk, peer: Server, letters: list[int], monkeypatch: pytest.MonkeyPatch, killed: Any
) -> None:
    with desk.watching():
        eventually(lambda: len(desk.ledger()) == MAILS)
    desk.process()
    with monkeypatch.context() as patch:
        patch.setattr(actions, "acknowledged", killed(actions.acknowledged))
        with pytest.raises(Killed):
            desk.watch().turn()
    assert peer.flagged(r"\Seen") == set(letters)
    assert [row.server_acked_at for row in desk.ledger()] == [None] * MAILS
    live(desk, peer)
    prove(desk, peer, letters)

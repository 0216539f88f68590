"""A mail whose bytes can't be had any more waits for a person, and keeps nobody else's waiting."""

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.entry.mail_poller import Poller
from app.files.disk import Blobs
from app.intake.rules.states import MailState
from tests.mail.conftest import Desk
from tests.mail.imap_server import Server, eventually
from tests.unit.intake.letters import mail


def unreadable(path: Path) -> None:
    """A bad sector can't be made; a folder can't be read either."""
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(("spoil", "becomes"), [(Path.unlink, MailState.QUARANTINED), (unreadable, MailState.NEW)])
def test_a_mail_whose_bytes_are_gone_stops_no_other(
    desk: Desk, peer: Server, spoil: Callable[[Path], None], becomes: MailState
) -> None:
    """What is not there any more is for a person; what the disk doesn't give just now may be there tomorrow, and waits."""
    settings = desk.boot()
    peer.add(mail("Large." + "x" * 1_100_000, mail_id="<large@acme.example>"))
    with desk.watching(settings):
        eventually(desk.ledger)
    spoil(Blobs(desk.folder / "mail").existing(desk.ledger()[0].blob or ""))
    peer.add(mail("Ordinary.", mail_id="<ordinary@acme.example>"))
    worker: Any = SimpleNamespace(settings=settings, stop=threading.Event(), beat=lambda: None)
    poller = Poller(worker, desk.database, desk.reader)

    def round_() -> list[MailState]:
        with suppress(IsADirectoryError):
            poller.once()
        return [row.state for row in desk.ledger()]

    try:
        eventually(lambda: round_() == [becomes, MailState.DONE], within=60)
    finally:
        poller.close()

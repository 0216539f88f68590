"""What administrators are told of their mailboxes, each by their own clocks."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from app.accounts.models import Person
from app.intake import notices
from app.intake.models import Mailbox
from app.intake.rules.states import MailboxState

DESK = ZoneInfo("America/Phoenix")
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "told"), [(None, "15 Jan 2026, 05:00 (America/Phoenix)"), ("Asia/Kathmandu", "15 Jan 2026, 17:45 (Asia/Kathmandu)")]
)
def test_since_when_a_mailbox_fails_or_is_silent_is_told_by_the_readers_clocks(zone: str | None, told: str) -> None:
    root = Person(email="root@desk.example", name="Root", zone=zone)
    box = Mailbox(name="support", state=MailboxState.FAILING, failing_since=NOON, reason="no answer")
    quiet = "Nothing has come to support since 2026-01-15 12:00 UTC."
    assert f"has not come in since {told}:" in notices.not_coming_in(box, root, DESK).text
    assert f"Nothing has come to support since {told}." in notices.too_quiet(box, quiet, NOON, root, DESK).text

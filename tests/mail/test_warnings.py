"""What is amiss is told once when it begins and once when it ends, to people and to programs, whoever looks and however often."""

import time
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Interval, literal, select, update

from app.audit.models import Entry, Event
from app.config import Settings
from app.db.session import now as database_now
from app.entry import webhooks
from app.intake import grants
from app.intake.models import Grant, Mailbox
from app.intake.rules import oauth as rules
from app.intake.rules.states import FailureClass, MailboxState, MailState
from app.ops import health, warnings
from app.ops.models import Warned
from app.outbox.models import Topic
from app.web.agent import trouble
from tests.db.outbox.conftest import receiver as receiver
from tests.db.outbox.hooked import Hooked
from tests.db.outbox.receiver import Receiver
from tests.mail.cloud import CLOUD, SECRET, Atum, access, found, pretend
from tests.mail.cloud import atum as atum
from tests.mail.cloud import cloud as cloud
from tests.mail.cloud import context as context
from tests.mail.cloud import mailbox as mailbox
from tests.mail.cloud import provider as provider
from tests.mail.cloud import settings as settings
from tests.mail.conftest import Desk
from tests.mail.imap_server import USER, Server, eventually
from tests.mail.test_canary import Quiet
from tests.mail.test_canary import quiet as quiet
from tests.mail.test_canary import sink as sink
from tests.mail.token_server import Tokens
from tests.unit.intake.letters import mail

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AT = datetime(2026, 12, 1, 12, tzinfo=UTC)


def look(desk: Desk, settings: Settings) -> None:
    """What the sender's process does twice a minute."""
    with desk.database.transaction() as s:
        warnings.look(s, settings)


def recorded(desk: Desk) -> list[tuple[str, str, str | None]]:
    """What was recorded as beginning or ending: which, of what kind, and about what."""
    kinds = (Event.DESK_WARNED, Event.DESK_WARNING_CLEARED)
    with desk.database.transaction() as s:
        entries = s.scalars(select(Entry).where(Entry.kind.in_(kinds)).order_by(Entry.seq)).all()
    return [(entry.kind.value.rpartition(".")[2], entry.data["name"], entry.data["about"]) for entry in entries]


def said(desk: Desk, settings: Settings) -> tuple[str, list[str]]:
    """What health and the banner say."""
    with desk.database.reading() as c:
        return health.mailboxes(c).reason or "", trouble.words(c, settings)


def test_a_silence_ends_in_one_post_to_the_receiver_and_its_end_in_another(quiet: Quiet, desk: Desk, receiver: Receiver) -> None:
    hooked = Hooked(desk.database, quiet.settings)
    _, secret = hooked.add(receiver, Topic.DESK_WARNING, Topic.DESK_WARNING_CLEARED)
    quiet.later(6 * HOUR)
    quiet.look()
    quiet.send()
    look(desk, quiet.settings)
    hooked.turn()
    assert receiver.heard == []
    quiet.later(timedelta(minutes=16))
    for _ in range(3):
        quiet.look()
        look(desk, quiet.settings)
        hooked.turn()
    [words] = quiet.said()
    [heard] = receiver.heard
    assert heard.signed_by(secret)
    assert {name: value for name, value in heard.told.items() if name in {"type", "warning"}} == {
        "type": "desk.warning",
        "warning": {"name": "mailbox-silent", "about": USER, "words": words},
    }
    quiet.deliver(mail())
    for _ in range(3):
        quiet.look()
        look(desk, quiet.settings)
        hooked.turn()
    assert receiver.types() == ["desk.warning", "desk.warning_cleared"]


def test_a_desk_that_was_away_has_time_to_do_what_waited_before_anything_is_amiss(
    quiet: Quiet, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.pretend(state=MailboxState.NEEDS_REAUTH, failure_class=FailureClass.GRANT, reason="revoked")
    monkeypatch.setattr(webhooks, "LOOK", 1.0)
    looking, *_ = webhooks.beside(desk.database, quiet.settings)
    began = time.monotonic()
    looking.start()
    eventually(lambda: recorded(desk))
    assert time.monotonic() - began >= 1.0
    looking.ending.set()
    looking.join()


def test_of_several_who_look_at_once_one_records_it(quiet: Quiet, desk: Desk) -> None:
    for state, known in ((MailboxState.NEEDS_REAUTH, 1), (MailboxState.OK, 2)):
        desk.pretend(state=state, failure_class=FailureClass.GRANT, reason="revoked")
        together = Barrier(6)

        def at_once(together: Barrier = together) -> None:
            together.wait()
            for _ in range(3):
                look(desk, quiet.settings)

        threads = [Thread(target=at_once) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(recorded(desk)) == known
    assert recorded(desk) == [("warned", "mailbox-stopped", USER), ("warning_cleared", "mailbox-stopped", USER)]


def test_a_server_that_is_away_for_a_moment_is_nothing_yet(quiet: Quiet, desk: Desk) -> None:
    with desk.database.transaction() as s:
        now = database_now(s)
    desk.pretend(state=MailboxState.FAILING, failure_class=FailureClass.TRANSPORT, reason="gone", failing_since=now - HOUR / 5)
    look(desk, quiet.settings)
    assert recorded(desk) == []
    desk.pretend(failing_since=now - HOUR / 3)
    look(desk, quiet.settings)
    look(desk, quiet.settings)
    assert recorded(desk) == [("warned", "mailbox-stopped", USER)]
    desk.pretend(paused_at=now)
    look(desk, quiet.settings)
    assert recorded(desk)[1:] == [("warning_cleared", "mailbox-stopped", USER)]


def test_mail_without_an_outcome_is_told_everywhere_until_it_has_one(quiet: Quiet, desk: Desk, peer: Server) -> None:
    peer.add(mail())
    with desk.watching(quiet.settings):
        eventually(desk.ledger)
    for minutes, known in ((14, 0), (2, 1), (60, 1)):
        quiet.later(timedelta(minutes=minutes))
        look(desk, quiet.settings)
        assert len(recorded(desk)) == known
        in_health, in_banner = said(desk, quiet.settings)
        assert ("1 mails have come and not been looked at" in in_health) == bool(known)
        assert [words[:20] for words in in_banner] == ["1 mails have come and"[:20]] * known
    desk.process()
    look(desk, quiet.settings)
    assert said(desk, quiet.settings) == ("", [])
    assert recorded(desk) == [("warned", "mail-waiting", None), ("warning_cleared", "mail-waiting", None)]
    assert [row.state for row in desk.ledger()] == [MailState.DONE]


def test_a_letter_that_waits_for_long_is_told_and_its_going_out_too(quiet: Quiet, desk: Desk) -> None:
    quiet.later(6 * HOUR)
    quiet.look()
    quiet.later(timedelta(minutes=16))
    look(desk, quiet.settings)
    look(desk, quiet.settings)
    quiet.send()
    look(desk, quiet.settings)
    assert recorded(desk) == [("warned", "letters-waiting", None), ("warning_cleared", "letters-waiting", None)]
    with desk.database.transaction() as s:
        assert s.scalars(select(Warned)).all() == []


class TestWhatEnds:
    """A sign-in whose provider says when it ends, and a client secret of which somebody said it."""

    def test_a_sign_in_is_told_of_a_week_ahead_and_no_more_when_it_was_allowed_again(
        self, desk: Desk, settings: Settings, mailbox: Mailbox, provider: Tokens
    ) -> None:
        provider.more = {"refresh_token_expires_in": 8 * 86_400}
        provider.rotates = False
        assert access(desk, mailbox, settings)
        look(desk, settings)
        assert self.told(desk, settings) == []
        later(desk, 1.1 * DAY)
        provider.more = {"refresh_token_expires_in": 7 * 86_400 - 8_640}  # the same end, by now
        assert access(desk, mailbox, settings)
        look(desk, settings)
        look(desk, settings)
        [words] = self.told(desk, settings)
        assert words.startswith(f"The sign-in of {CLOUD} ends at ")
        assert words.endswith(f"atum mailbox set {CLOUD} --sign-in-again")
        with desk.database.transaction() as s:
            offer = grants.offered(s, settings, s.get_one(Mailbox, mailbox.id))
        provider.more = {"refresh_token_expires_in": 90 * 86_400}
        offer = offer.tried()
        with desk.database.transaction() as s:
            grants.give(s, settings, s.get_one(Mailbox, mailbox.id), offer)
        look(desk, settings)
        assert self.told(desk, settings) == []
        assert recorded(desk) == [("warned", "sign-in-ends", CLOUD), ("warning_cleared", "sign-in-ends", CLOUD)]

    def test_an_end_that_moves_on_with_each_renewal_is_none(
        self, desk: Desk, settings: Settings, mailbox: Mailbox, provider: Tokens
    ) -> None:
        provider.more = {"refresh_expires_in": 1800}
        for _ in range(3):
            assert access(desk, mailbox, settings)
            later(desk, HOUR)
        assert self.told(desk, settings) == []

    def test_where_nothing_says_when_it_ends_nothing_is_told(
        self, desk: Desk, settings: Settings, mailbox: Mailbox, provider: Tokens
    ) -> None:
        assert access(desk, mailbox, settings)
        assert self.grant(desk).refresh_expires_at is None
        assert self.told(desk, settings) == []

    def test_a_client_secret_with_an_end_is_told_of_until_there_is_another(
        self, desk: Desk, settings: Settings, mailbox: Mailbox, provider: Tokens, atum: Atum
    ) -> None:
        with desk.database.transaction() as s:
            day = f"{database_now(s) + 6 * DAY:%Y-%m-%d}"
        atum("set", CLOUD, "--client-secret-until", day)
        [words] = self.told(desk, settings)
        assert words.startswith(f"The client secret of {CLOUD} ends at {day} 00:00 UTC")
        assert SECRET not in words
        atum("set", CLOUD, "--client-secret", "--client-secret-until", "2099-01-01", typed=["another secret"])
        assert self.told(desk, settings) == []
        assert f"{self.grant(desk).secret_expires_at:%Y}" == "2099"
        atum("set", CLOUD, "--client-secret", typed=["a third"])
        assert self.grant(desk).secret_expires_at is None

    def test_a_paused_mailbox_needs_no_sign_in(self, desk: Desk, settings: Settings, mailbox: Mailbox) -> None:
        with desk.database.transaction() as s:
            pretended = database_now(s) - DAY
        pretend(desk, refresh_expires_at=pretended)
        [words] = self.told(desk, settings)
        assert "ended at" in words
        with desk.database.transaction() as s:
            s.get_one(Mailbox, found(desk).id).paused_at = pretended
        assert self.told(desk, settings) == []

    @staticmethod
    def grant(desk: Desk) -> Grant:
        with desk.database.transaction() as s:
            return s.scalars(select(Grant)).one()

    @staticmethod
    def told(desk: Desk, settings: Settings) -> list[str]:
        in_health, in_banner = said(desk, settings)
        assert in_health == " ".join(in_banner)
        return in_banner


def later(desk: Desk, length: timedelta) -> None:
    """So much time passes for what a mailbox signs in with."""
    ago = literal(length, Interval())
    names = ("issued_at", "expires_at", "refresh_expires_at", "secret_expires_at")
    columns = Grant.__table__.c
    with desk.database.transaction() as s:
        s.execute(update(Grant).values({name: columns[name] - ago for name in names}))


seconds = st.integers(min_value=60, max_value=100 * 86_400)


@given(seconds, st.lists(st.tuples(st.integers(60, 3600), st.booleans()), max_size=20))
def test_however_often_it_is_renewed_a_fixed_end_stays_and_a_moving_one_is_forgotten(
    first: int, renewals: list[tuple[int, bool]]
) -> None:
    fixed = AT + timedelta(seconds=first)
    known = moving = rules.end_after(None, fixed, first=True, another=True)
    now = AT
    for pause, another in renewals:
        now += timedelta(seconds=pause)
        known = rules.end_after(known, fixed, first=False, another=another)
        moving = rules.end_after(moving, now + timedelta(seconds=first), first=False, another=True)
        assert known == fixed
        assert rules.end_after(known, None, first=False, another=False) == fixed
    assert (moving is None) == (now - AT > rules.SAME_END)

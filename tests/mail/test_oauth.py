"""Mailboxes that sign in by OAuth: the token is there in time, asked for by one, kept sealed, and never asked for in vain."""

import json
import logging
import re
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from app.accounts import actions as accounts
from app.accounts.rules import Role
from app.config import Settings
from app.db.locks import Keeper
from app.db.session import now as database_now
from app.intake import grants, imap, oauth, queries
from app.intake.failure import MailboxFailure
from app.intake.grants import Offer
from app.intake.models import Mailbox
from app.intake.rules.states import FailureClass, MailboxState
from app.intake.watch import Watch
from app.ops import health
from app.outbox.models import Letter
from tests.mail.cloud import CLOUD, SECRET, Atum, access, client, found, pretend, where
from tests.mail.cloud import atum as atum
from tests.mail.cloud import cloud as cloud
from tests.mail.cloud import context as context
from tests.mail.cloud import mailbox as mailbox
from tests.mail.cloud import provider as provider
from tests.mail.cloud import settings as settings
from tests.mail.conftest import Desk
from tests.mail.imap_server import Server, eventually
from tests.mail.test_misbehaving import letter
from tests.mail.test_poller import poller as poller
from tests.mail.test_poller import until
from tests.mail.token_server import Tokens


class TestShowingIt:
    """RFC 7628, and XOAUTH2."""

    @pytest.mark.parametrize("offered", ["AUTH=XOAUTH2", "AUTH=OAUTHBEARER", "AUTH=XOAUTH2 AUTH=OAUTHBEARER"])
    def test_a_good_token_gets_in(self, cloud: Server, offered: str) -> None:
        cloud.capabilities, cloud.tokens = f"IMAP4rev1 {offered}", {"good"}
        with imap.opened(where(cloud, token="good")) as folder:
            assert folder.uidvalidity == 1
        assert cloud.asked[1] == f"AUTHENTICATE {'OAUTHBEARER' if 'BEARER' in offered else 'XOAUTH2'}"

    @pytest.mark.parametrize("offered", ["AUTH=XOAUTH2", "AUTH=OAUTHBEARER"])
    def test_why_it_is_refused_is_acknowledged_and_the_refusal_read(self, cloud: Server, offered: str) -> None:
        cloud.capabilities, cloud.login_answer = f"IMAP4rev1 {offered}", "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)"
        with pytest.raises(MailboxFailure) as failure, imap.opened(where(cloud, token="bad")):
            pass
        assert (
            str(failure.value) == f"the server refused to sign {CLOUD} in: [AUTHENTICATIONFAILED] Invalid credentials (Failure)"
        )
        assert failure.value.kind is FailureClass.AUTH

    def test_a_busy_server_is_no_refusal(self, cloud: Server) -> None:
        cloud.login_answer = "NO [UNAVAILABLE] Try again later"
        with pytest.raises(MailboxFailure) as failure, imap.opened(where(cloud, token="bad")):
            pass
        assert failure.value.kind is FailureClass.OVERLOAD

    def test_a_server_that_takes_no_tokens_says_so(self, cloud: Server) -> None:
        cloud.capabilities = "IMAP4rev1"
        with pytest.raises(MailboxFailure, match="neither OAUTHBEARER nor XOAUTH2"), imap.opened(where(cloud, token="good")):
            pass


class TestRenewing:
    def test_it_is_asked_for_once_and_again_at_80_percent_of_its_life(
        self, desk: Desk, settings: Settings, mailbox: Mailbox, provider: Tokens
    ) -> None:
        assert [access(desk, mailbox, settings) for _ in range(3)] == ["access-1"] * 3
        now = datetime.now(UTC)
        pretend(desk, issued_at=now - timedelta(minutes=47), expires_at=now + timedelta(minutes=13))
        assert access(desk, mailbox, settings) == "access-1"
        pretend(desk, issued_at=now - timedelta(minutes=49), expires_at=now + timedelta(minutes=11))
        assert access(desk, mailbox, settings) == "access-2"
        assert provider.given == 2

    def test_the_refresh_token_that_comes_with_it_takes_the_place_of_the_old_one(
        self, desk: Desk, settings: Settings, mailbox: Mailbox, provider: Tokens
    ) -> None:
        for n in (1, 2, 3):
            pretend(desk, access_token=None)
            assert access(desk, mailbox, settings) == f"access-{n}"
        assert [asked["refresh_token"] for asked in provider.asked] == ["refresh-0", "refresh-1", "refresh-2"]

    def test_where_none_comes_the_old_one_stays(self, desk: Desk, settings: Settings, mailbox: Mailbox, provider: Tokens) -> None:
        provider.rotates = False
        for _ in range(2):
            pretend(desk, access_token=None)
            access(desk, mailbox, settings)
        assert [asked["refresh_token"] for asked in provider.asked] == ["refresh-0"] * 2

    def test_of_ten_who_ask_at_once_one_asks_and_all_have_the_answer(
        self, desk: Desk, settings: Settings, mailbox: Mailbox, provider: Tokens
    ) -> None:
        provider.delay = 0.3
        keepers = [Keeper(desk.database.dsn, name=f"process-{n}") for n in range(2)]
        got: list[str | None] = []

        def ask(keeper: Keeper) -> None:
            got.append(grants.access(desk.database, keeper, mailbox, settings))

        threads = [threading.Thread(target=ask, args=(keepers[n % 2],)) for n in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert got == ["access-1"] * 10
        assert provider.given == 1

    @pytest.mark.parametrize(
        ("refusal", "kind", "words"),
        [
            ((400, {"error": "invalid_grant", "error_description": "Revoked."}), FailureClass.GRANT, "invalid_grant: Revoked."),
            ((400, {"error": "interaction_required"}), FailureClass.GRANT, "atum mailbox set cloud@desk.example --sign-in-again"),
            (
                (401, {"error": "invalid_client", "error_description": "The secret is over."}),
                FailureClass.AUTH,
                "The secret is over.",
            ),
            ((429, {"error": "slow_down"}), FailureClass.OVERLOAD, "slow_down"),
            ((500, {"error": "server_error"}), FailureClass.TRANSPORT, "server_error"),
            ((503, b"<html>Down</html>"), FailureClass.TRANSPORT, "status 503"),
            ((302, b""), FailureClass.TRANSPORT, "status 302"),
            ((200, b"<html>Welcome to our hotel</html>"), FailureClass.TRANSPORT, "answered what is no token"),
            ((200, {"access_token": "x\r\nA1 DELETE INBOX"}), FailureClass.TRANSPORT, "answered what is no token"),
            ((200, {"access_token": "y" * 70_000}), FailureClass.TRANSPORT, "answered what is no token"),
            ((200, b"[" * 60_000), FailureClass.TRANSPORT, "answered what is no token"),
        ],
        ids=str,
    )
    def test_each_refusal_says_who_has_to_do_something(
        self,
        desk: Desk,
        settings: Settings,
        mailbox: Mailbox,
        provider: Tokens,
        refusal: Any,
        kind: FailureClass,
        words: str,
    ) -> None:
        provider.refusal = refusal
        with pytest.raises(MailboxFailure) as failure:
            access(desk, mailbox, settings)
        assert failure.value.kind is kind
        assert words in str(failure.value)
        assert "refresh-0" not in str(failure.value)

    def test_a_provider_that_is_down_or_silent_is_no_refusal(
        self, desk: Desk, settings: Settings, mailbox: Mailbox, provider: Tokens, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(oauth, "PATIENCE", 0.2)
        provider.delay = 1.0
        for url in (f"{provider.url}/token", "https://localhost:1/token", "https://nowhere.invalid/token"):
            pretend(desk, token_url=url)
            with pytest.raises(MailboxFailure, match="does not answer") as failure:
                access(desk, mailbox, settings)
            assert failure.value.kind is FailureClass.TRANSPORT

    def test_a_provider_that_nobody_vouches_for_is_given_nothing(
        self, desk: Desk, settings: Settings, mailbox: Mailbox, provider: Tokens, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(MailboxFailure, match=r"no TLS with localhost: .*certificate verify failed") as failure:
            access(desk, mailbox, settings)
        assert failure.value.kind is FailureClass.CERTIFICATE
        assert provider.asked == []

    def test_one_that_was_given_anew_meanwhile_is_what_counts(
        self, desk: Desk, settings: Settings, mailbox: Mailbox, provider: Tokens
    ) -> None:
        def meanwhile(path: str, form: dict[str, str]) -> Any:
            assert path == "/token"
            if form["refresh_token"] == "refresh-0":
                with desk.database.transaction() as s:
                    grants.give(s, settings, mailbox, Offer(client(provider), "given by hand"))
                return 400, {"error": "invalid_grant"}
            return 200, provider.tokens(form)

        provider.answer = meanwhile  # type: ignore[method-assign]
        assert access(desk, mailbox, settings) == "access-1"


class TestReading:
    def test_mail_comes_in_and_the_token_outlives_a_restart(
        self, desk: Desk, settings: Settings, mailbox: Mailbox, cloud: Server, provider: Tokens, poller: Any
    ) -> None:
        cloud.add(letter(1))
        until(poller, lambda: len(desk.ledger()) == 1)
        poller.close()
        cloud.add(letter(2))
        again = type(poller)(
            type("W", (), {"settings": settings, "stop": threading.Event(), "beat": lambda _=0: None}), desk.database, desk.reader
        )
        until(again, lambda: len(desk.ledger()) == 2)
        again.close()
        assert provider.given == 1

    def test_a_token_that_the_server_refuses_is_renewed_at_the_next_try(
        self, desk: Desk, settings: Settings, mailbox: Mailbox, cloud: Server, provider: Tokens
    ) -> None:
        access(desk, mailbox, settings)
        cloud.tokens.clear()
        watch = Watch(desk.database, settings, mailbox.id, stop=threading.Event(), arrived=threading.Event())
        watch.turn()
        assert (found(desk).state, found(desk).failure_class) == (MailboxState.FAILING, FailureClass.AUTH)
        desk.pretend(next_try_at=None)
        cloud.add(letter(1))
        thread = threading.Thread(target=watch.turn)
        thread.start()
        eventually(desk.ledger)
        watch._stop.set()
        thread.join()
        assert provider.given == 2

    def test_what_is_over_is_not_asked_for_again_and_told_once_and_the_others_go_on(
        self,
        desk: Desk,
        settings: Settings,
        mailbox: Mailbox,
        peer: Server,
        cloud: Server,
        provider: Tokens,
        poller: Any,
        caplog: pytest.LogCaptureFixture,
        atum: Atum,
    ) -> None:
        caplog.set_level(logging.INFO)
        with desk.database.transaction() as s:
            accounts.add(s, email="root@desk.example", name="Root", role=Role.ADMIN, now=database_now(s))
        provider.refresh = "another"
        until(poller, lambda: found(desk).state is MailboxState.NEEDS_REAUTH)
        peer.add(letter(1))
        until(poller, lambda: len(desk.ledger()) == 1)
        for _ in range(5):
            poller.once()
        assert (len(provider.asked), cloud.asked) == (1, [])
        assert str(found(desk).reason).endswith("allow it again: atum mailbox set cloud@desk.example --sign-in-again")
        with desk.database.transaction() as s:
            [notice] = s.scalars(select(Letter).where(Letter.to_address == "root@desk.example"))
            assert "The desk does not ask again until somebody has done that." in notice.text
            assert queries.mailbox_states(s)[1]["next_try_at"] is None
            assert health.mailboxes(s.connection()).status != "healthy"
        cloud.add(letter(2))
        atum("set", CLOUD, "--refresh-token", typed=["another"])
        until(poller, lambda: len(desk.ledger()) == 2 and found(desk).state is MailboxState.OK)
        assert len([r for r in caplog.records if r.levelno >= logging.ERROR]) == 1

    def test_a_grant_that_ends_while_mail_comes_in_is_told_while_it_does(
        self, desk: Desk, settings: Settings, mailbox: Mailbox, cloud: Server, provider: Tokens, poller: Any
    ) -> None:
        until(poller, lambda: found(desk).last_ok_at)
        provider.refusal = (500, {})
        now = datetime.now(UTC)
        pretend(desk, issued_at=now - timedelta(minutes=59), expires_at=now + timedelta(minutes=1))
        cloud.add(letter(1))
        until(poller, lambda: len(desk.ledger()) == 1)
        assert found(desk).state is MailboxState.OK
        cloud.add(letter(2))
        until(poller, lambda: len(desk.ledger()) == 2)
        provider.refusal = (400, {"error": "invalid_grant"})

        def told() -> bool:
            for thread in poller._mailboxes.values():  # as if it were five minutes later
                thread.watch._renew_at = 0.0
                thread.watch.settled.set()
            return found(desk).state is MailboxState.NEEDS_REAUTH

        until(poller, told)


def test_nothing_secret_is_stored_in_the_clear_logged_or_shown(
    desk: Desk,
    settings: Settings,
    mailbox: Mailbox,
    cloud: Server,
    provider: Tokens,
    atum: Atum,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    account = grants.account(desk.database, Keeper(desk.database.dsn, name="test"), mailbox, settings)
    with imap.opened(account):
        pass
    cloud.tokens.clear()
    with pytest.raises(MailboxFailure), imap.opened(account):
        pass
    with desk.database.transaction() as s:
        tables = ("mailbox", "mailbox_grant", "audit_event")
        rows = [row for table in tables for row in s.execute(text(f"SELECT CAST(t AS text) FROM {table} t")).scalars()]
        shown = json.dumps([queries.mailbox_states(s), health.mailboxes(s.connection())], default=str)
    everything = "\n".join([*rows, shown, caplog.text, repr(account), str(atum("list"))])
    for secret in ("access-1", "refresh-0", "refresh-1", SECRET):
        assert secret not in everything
        assert secret.encode().hex() not in everything
    assert not re.search(r"auth=Bearer", everything)

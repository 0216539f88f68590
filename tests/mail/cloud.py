"""A mailbox in somebody's cloud: a server that takes tokens alone, and a provider of them. Fixtures to import."""

import io
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.config import Settings
from app.db.locks import Keeper
from app.db.session import now as database_now
from app.entry import cli
from app.intake import grants, managed
from app.intake.grants import Offer
from app.intake.imap import Account
from app.intake.models import Grant, Mailbox
from app.intake.oauth import Client
from app.intake.rules import oauth as rules
from tests.appliance import certificates
from tests.mail.conftest import Desk
from tests.mail.imap_server import Server, running
from tests.mail.test_poller import poller as poller
from tests.mail.token_server import Tokens, providing

CLOUD = "cloud@desk.example"
SECRET = "the application's own"
Atum = Callable[..., Any]


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    certificate = certificates.make(tmp_path / "tls")[0]
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate, certificate.with_name("tls.key"))
    return made


@pytest.fixture
def cloud(context: ssl.SSLContext) -> Iterator[Server]:
    """A server that takes tokens alone."""
    with running(Server(user=CLOUD, capabilities="IMAP4rev1 IDLE AUTH=XOAUTH2"), tls=context) as made:
        yield made


@pytest.fixture
def provider(context: ssl.SSLContext, cloud: Server) -> Iterator[Tokens]:
    with providing(context) as made:
        made.on_token = cloud.tokens.add
        yield made


@pytest.fixture
def settings(desk: Desk) -> Settings:
    return desk.boot(DATABASE_URL=desk.database.dsn)


def client(provider: Tokens) -> Client:
    named = rules.custom(f"{provider.url}/token", "mail", f"{provider.url}/allow", f"{provider.url}/devicecode")
    return Client(named, "desk-1", SECRET)


def where(cloud: Server, **different: Any) -> Account:
    return replace(Account("localhost", cloud.port, True, CLOUD, "", "INBOX"), **different)


@pytest.fixture
def mailbox(desk: Desk, settings: Settings, cloud: Server, provider: Tokens) -> Mailbox:
    with desk.database.transaction() as s:
        offer = Offer(client(provider), provider.refresh)
        return managed.add(s, settings, where(cloud), address=CLOUD, offer=offer, now=database_now(s))


def found(desk: Desk) -> Mailbox:
    with desk.database.transaction() as s:
        return s.scalars(select(Mailbox).where(Mailbox.address == CLOUD)).one()


def access(desk: Desk, mailbox: Mailbox, settings: Settings) -> str | None:
    return grants.access(desk.database, Keeper(desk.database.dsn, name="test"), mailbox, settings)


def pretend(desk: Desk, **columns: Any) -> None:
    with desk.database.transaction() as s:
        grant = s.scalars(select(Grant)).one()
        for name, value in columns.items():
            setattr(grant, name, value)


@pytest.fixture
def atum(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Atum:
    """atum("add", …, typed=["…"]): what `atum mailbox` answers."""
    monkeypatch.setattr("app.entry.cli_oauth.time.sleep", lambda _: None)

    def run(*words: str, typed: list[str] | None = None) -> Any:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in typed or [])))
        given = cli._parser().parse_args(["mailbox", *words])
        return given.run(settings, given)[1]

    return run

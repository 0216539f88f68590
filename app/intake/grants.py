"""What a provider allowed the desk to do with a mailbox: kept sealed, renewed ahead of time, and by one at a time."""

import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import delete

from app import config
from app.config import Settings
from app.core.errors import Conflict
from app.core.sealing import Broken, Sealer
from app.core.signing import Signer
from app.db.locks import Keeper
from app.db.session import Database, Session
from app.db.session import now as database_now
from app.intake import mailboxes, oauth
from app.intake.failure import MailboxFailure
from app.intake.imap import Account
from app.intake.models import Grant, Mailbox
from app.intake.oauth import Client, Tokens
from app.intake.rules import oauth as rules
from app.intake.rules.oauth import Provider
from app.intake.rules.states import FailureClass

SEALED_FOR = "mailbox-grant"
LOST = "lost"
PATIENCE = 40.0  # seconds that somebody else may take to renew it
AGAIN = "allow it again: atum mailbox set {name} --sign-in-again"


def account(database: Database, keeper: Keeper, mailbox: Mailbox, settings: Settings) -> Account:
    """How to get into a mailbox now. Raises MailboxFailure."""
    token = access(database, keeper, mailbox, settings)
    return mailboxes.account(mailbox, settings, token=token)


def access(database: Database, keeper: Keeper, mailbox: Mailbox, settings: Settings) -> str | None:
    """A token that is good for a while, or None where the mailbox has a password. Raises MailboxFailure.

    Providers give another refresh token with every token: of two who ask at once, one asks and both have the answer.
    """
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        grant, now = _read(database, mailbox.id)
        if grant is None:
            return None
        if token := _good(grant, settings, now):
            return token
        with keeper.trying(f"grant:{mailbox.id}") as lock:
            if lock is not None and (renewed := _renewed(database, mailbox, settings)):
                return renewed
        time.sleep(0.05)
    raise MailboxFailure(FailureClass.TRANSPORT, f"somebody else has been renewing the sign-in of {mailbox.name} for too long")


@dataclass(frozen=True)
class Offer:
    """What a mailbox is to sign in with. `tokens` is what it was tried with, where it was."""

    client: Client
    refresh: str | None = field(repr=False)
    tokens: Tokens | None = field(default=None, repr=False)

    def tried(self) -> "Offer":
        """The same with tokens for it. Raises MailboxFailure."""
        tokens = oauth.renewed(self.client, self.refresh)
        return replace(self, tokens=tokens, refresh=self.refresh and (tokens.refresh or self.refresh))


def give(s: Session, settings: Settings, mailbox: Mailbox, offer: Offer) -> None:
    """Sign in with this from now on."""
    sealer, client = _sealer(settings), offer.client
    grant = s.get(Grant, mailbox.id) or Grant(mailbox_id=mailbox.id)
    for name in ("token_url", "authorize_url", "device_url", "scope"):
        setattr(grant, name, getattr(client.provider, name))
    grant.provider, grant.client_id = client.provider.name, client.id
    grant.client_secret = sealer.seal(SEALED_FOR, client.secret) if client.secret else None
    grant.refresh_token = sealer.seal(SEALED_FOR, offer.refresh) if offer.refresh else None
    grant.access_token = grant.issued_at = grant.expires_at = grant.refresh_expires_at = None
    grant.secret_expires_at = client.until if client.secret else None
    if offer.tokens is not None:
        _keep(grant, offer.tokens, sealer, database_now(s))
    s.add(grant)
    s.flush()


def offered(s: Session, settings: Settings, mailbox: Mailbox) -> Offer:
    """What it signs in with now. Raises Conflict where that is a password. What can't be opened any more is worth nothing."""
    grant = s.get(Grant, mailbox.id)
    if grant is None:
        raise Conflict(f"The mailbox {mailbox.name} signs in by a password, not by OAuth.")
    secret = _opened(grant.client_secret, settings) if grant.client_secret else None
    refresh = (_opened(grant.refresh_token, settings) or LOST) if grant.refresh_token else None
    return Offer(Client(_provider(grant), grant.client_id, secret, grant.secret_expires_at), refresh)


def take_away(s: Session, mailbox: Mailbox) -> None:
    """It has a password instead."""
    s.execute(delete(Grant).where(Grant.mailbox_id == mailbox.id))


def _client(grant: Grant, settings: Settings) -> Client:
    """What the desk is to the provider. Raises Broken."""
    secret = grant.client_secret and _sealer(settings).open(SEALED_FOR, grant.client_secret)
    return Client(_provider(grant), grant.client_id, secret or None)


def _provider(grant: Grant) -> Provider:
    return Provider(grant.provider, grant.token_url, grant.scope, grant.authorize_url, grant.device_url)


def _read(database: Database, mailbox_id: int) -> tuple[Grant | None, datetime]:
    with database.transaction() as s:
        return s.get(Grant, mailbox_id), database_now(s)


def _good(grant: Grant, settings: Settings, now: datetime) -> str | None:
    if grant.access_token is None or grant.issued_at is None or grant.expires_at is None:
        return None
    return None if rules.due(grant.issued_at, grant.expires_at, now) else _opened(grant.access_token, settings)


def _opened(sealed: bytes, settings: Settings) -> str | None:
    try:
        return _sealer(settings).open(SEALED_FOR, sealed)
    except Broken:
        return None


def _renewed(database: Database, mailbox: Mailbox, settings: Settings) -> str | None:
    """Ask for another token, for whoever holds the lock. None where somebody changed the grant meanwhile."""
    grant, now = _read(database, mailbox.id)
    if grant is None:
        return None
    if token := _good(grant, settings, now):
        return token
    again = AGAIN.format(name=mailbox.name)
    try:
        known = _client(grant, settings)
        refresh = _sealer(settings).open(SEALED_FOR, grant.refresh_token) if grant.refresh_token else None
    except Broken:
        words = "its sign-in was sealed with another key than this desk's"
        raise MailboxFailure(FailureClass.GRANT, f"{words}; {again}") from None
    try:
        tokens = oauth.renewed(known, refresh)
    except MailboxFailure as failure:
        if failure.kind is not FailureClass.GRANT:
            raise
        if _changed(database, grant):
            return None
        raise MailboxFailure(FailureClass.GRANT, f"{failure}; {again}") from None
    with database.transaction() as s:
        kept = s.get(Grant, mailbox.id, with_for_update=True)
        if kept is None or kept.refresh_token != grant.refresh_token:
            return None
        _keep(kept, tokens, _sealer(settings), database_now(s))
    return tokens.access


def _changed(database: Database, grant: Grant) -> bool:
    now, _ = _read(database, grant.mailbox_id)
    return now is None or (now.refresh_token, now.client_secret) != (grant.refresh_token, grant.client_secret)


def _keep(grant: Grant, tokens: Tokens, sealer: Sealer, now: datetime) -> None:
    said = now + timedelta(seconds=tokens.refresh_seconds) if tokens.refresh_seconds else None
    if grant.refresh_token is not None:
        new = {"first": grant.issued_at is None, "another": tokens.refresh is not None}
        grant.refresh_expires_at = rules.end_after(grant.refresh_expires_at, said, **new)
    grant.access_token = sealer.seal(SEALED_FOR, tokens.access)
    grant.issued_at, grant.expires_at = now, now + timedelta(seconds=tokens.seconds)
    if tokens.refresh and grant.refresh_token is not None:
        grant.refresh_token = sealer.seal(SEALED_FOR, tokens.refresh)


def _sealer(settings: Settings) -> Sealer:
    return Sealer(Signer(config.secret_key(settings)))

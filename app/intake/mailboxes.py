"""Mailboxes: the one that the settings name, who reads them, and how they are. Others are kept by `managed`."""

import logging
import random
from datetime import UTC, datetime, timedelta, tzinfo

from sqlalchemy import func, select, update

from app import config
from app.accounts import queries as accounts
from app.audit import actions as audit
from app.audit.models import Event
from app.config import Settings
from app.core import text
from app.core.errors import Conflict
from app.core.sealing import Broken, Sealer
from app.core.signing import Signer
from app.db.session import Session
from app.intake import notices
from app.intake.failure import MailboxFailure
from app.intake.imap import Account
from app.intake.models import Grant, Mailbox
from app.intake.rules import patience
from app.intake.rules.states import FailureClass, MailboxState
from app.outbox import actions as outbox

SEALED_FOR = "mailbox"
WITHOUT_SERVER = "takes its mail by SMTP: there is no server to sign in to"
TELL_AFTER = timedelta(minutes=15)
SEEN_WELL_EVERY = timedelta(seconds=30)

log = logging.getLogger(__name__)


class LeaseLost(Exception):
    """Another poller has taken this mailbox meanwhile."""


def ensure_mailbox(s: Session, settings: Settings, *, now: datetime) -> Mailbox | None:
    """The mailbox that the settings name, made where it is new; None where they name none. One they named before is set aside.

    Another server, user or folder is another mailbox. Another port, TLS or password is a new way into the same one: it gets
    one immediate try, however long the old one had to wait.
    """
    found = None
    if settings.imap_host and settings.imap_user:
        found = s.scalar(
            select(Mailbox).where(
                Mailbox.host == settings.imap_host,
                Mailbox.username == settings.imap_user,
                Mailbox.folder == settings.imap_folder,
            )
        ) or _new(s, settings, now)
        found.removed_at = None
        _renew(s, found, settings, now)
        found.password = None  # the settings' own comes first, also where somebody added the same mailbox by hand
    kept = found.id if found else 0
    of_settings = (Mailbox.password.is_(None), Mailbox.smtp_only.is_(False))
    s.execute(update(Mailbox).where(Mailbox.removed_at.is_(None), *of_settings, Mailbox.id != kept).values(removed_at=now))
    return found


def account(mailbox: Mailbox, settings: Settings, *, token: str | None = None) -> Account:
    """How to get into a mailbox: by this token, or by its password.

    Raises Conflict where it has no server, MailboxFailure where its password can't be opened.
    """
    if mailbox.smtp_only:
        raise Conflict(f"The mailbox {mailbox.name} {WITHOUT_SERVER}.")
    password = settings.imap_password or ""
    if token is None and mailbox.password is not None:
        try:
            password = Sealer(Signer(config.secret_key(settings))).open(SEALED_FOR, mailbox.password)
        except Broken:
            words = "its password was sealed with another key than this desk's; give it again: atum mailbox set"
            raise MailboxFailure(FailureClass.AUTH, f"{words} {mailbox.name} --password-stdin") from None
    way = (mailbox.host, mailbox.port, mailbox.tls, mailbox.username)
    return Account(*way, "" if token else password, mailbox.folder, mailbox.anywhere, token)


def lease(s: Session, mailbox_id: int) -> Mailbox:
    """Take over a mailbox, for whoever holds its lock: whoever held it before can't move its cursor any more."""
    mailbox = s.get_one(Mailbox, mailbox_id, with_for_update=True)
    mailbox.lease_epoch += 1
    s.flush()
    return mailbox


def move_cursor(s: Session, mailbox: Mailbox, *, uidvalidity: int, last_uid: int) -> None:
    """Everything up to `last_uid` is in the ledger. Raises LeaseLost."""
    last = func.greatest(Mailbox.last_uid, last_uid) if mailbox.uidvalidity == uidvalidity else last_uid
    moved = s.scalar(
        update(Mailbox)
        .where(Mailbox.id == mailbox.id, Mailbox.lease_epoch == mailbox.lease_epoch)
        .values(uidvalidity=uidvalidity, last_uid=last)
        .returning(Mailbox.last_uid)
        .execution_options(synchronize_session=False)
    )
    if moved is None:
        raise LeaseLost(f"Another poller reads {mailbox.name} now.")


def failed(s: Session, mailbox_id: int, failure: MailboxFailure, *, now: datetime, zone: tzinfo = UTC) -> None:
    """Remember that it can't be read, why, and when to ask again. Logged when that is news, and not at every try.

    What lasts is told to the administrators by mail, once; to who has no time zone in the desk's (`zone`).
    """
    mailbox = s.get_one(Mailbox, mailbox_id, with_for_update=True)
    before = (mailbox.state, mailbox.failure_class)
    mailbox.failures = mailbox.failures + 1 if mailbox.failure_class is failure.kind else 1
    mailbox.state = patience.state_after(failure.kind, mailbox.failures)
    mailbox.failure_class, mailbox.reason = failure.kind, str(failure)
    mailbox.failing_since = mailbox.failing_since or now
    wait = patience.before_next_try(failure.kind, mailbox.failures, chance=random.random())  # noqa: S311 (spreads load)
    mailbox.next_try_at = now + wait
    if failure.kind is FailureClass.AUTH:  # a token that is refused is not good for another try
        s.execute(update(Grant).where(Grant.mailbox_id == mailbox_id).values(access_token=None))
    if failure.kind is FailureClass.GRANT or now - mailbox.failing_since >= TELL_AFTER:
        outbox.put_all(s, [notices.not_coming_in(mailbox, person, zone) for person in accounts.administrators(s)], now=now)
    if (mailbox.state, mailbox.failure_class) != before:
        lasting = mailbox.state is MailboxState.NEEDS_REAUTH
        log.error(
            "the mailbox can't be read until somebody allows it again"
            if lasting
            else "the mailbox can't be read; trying again ever more rarely",
            extra={"mailbox": mailbox.name, "reason": mailbox.reason, "class": failure.kind, "state": mailbox.state},
        )


def works(s: Session, mailbox_id: int, *, now: datetime) -> Mailbox:
    """Remember that it was read just now. Answers it as it is by now."""
    mailbox = s.get_one(Mailbox, mailbox_id, populate_existing=True)
    if mailbox.state is MailboxState.OK and mailbox.last_ok_at and now - mailbox.last_ok_at < SEEN_WELL_EVERY:
        return mailbox
    if mailbox.state is not MailboxState.OK:
        log.info(
            "the mailbox can be read again",
            extra={"mailbox": mailbox.name, "failing_since": mailbox.failing_since, "tries": mailbox.failures},
        )
    mailbox.state, mailbox.failures, mailbox.last_ok_at = MailboxState.OK, 0, now
    mailbox.failure_class = mailbox.reason = mailbox.failing_since = mailbox.next_try_at = None
    return mailbox


def _new(s: Session, settings: Settings, now: datetime) -> Mailbox:
    user = settings.imap_user or ""
    address = text.address(user if "@" in user else settings.smtp_from or f"{user}@{settings.imap_host}")
    made = Mailbox(
        name=address if settings.imap_folder.upper() == "INBOX" else f"{address} ({settings.imap_folder})",
        address=address,
        host=settings.imap_host,
        port=settings.imap_port,
        tls=settings.imap_ssl,
        username=user,
        folder=settings.imap_folder,
        created_at=now,
    )
    s.add(made)
    s.flush()
    audit.record(s, Event.MAILBOX_CHANGED, now=now, mailbox=made.name, host=made.host, folder=made.folder, new=True)
    return made


def _renew(s: Session, mailbox: Mailbox, settings: Settings, now: datetime) -> None:
    fingerprint = Signer(config.secret_key(settings)).sign(
        "mailbox", f"{settings.imap_port}\0{settings.imap_ssl}\0{settings.imap_password}"
    )
    if fingerprint == mailbox.credentials:
        return
    if mailbox.credentials:
        audit.record(s, Event.MAILBOX_CHANGED, now=now, mailbox=mailbox.name, host=mailbox.host, port=settings.imap_port)
    mailbox.port, mailbox.tls, mailbox.credentials = settings.imap_port, settings.imap_ssl, fingerprint
    mailbox.failures, mailbox.next_try_at = 0, None
    s.flush()

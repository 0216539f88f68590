"""The door to an IMAP server (RFC 3501): in with an account, out with a selected folder."""

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from imapclient.exceptions import IMAPClientError

from app.intake.failure import MailboxFailure, Refused, failures, kind_of, said
from app.intake.folder import Folder
from app.intake.rules import oauth
from app.intake.rules.states import FailureClass
from app.intake.wire import Client, OutOfBounds

ILLEGAL = 2**32  # stands for a UIDVALIDITY of 0, which no server may have, and which what comes by SMTP has here (BY_SMTP)
_ABOUT_SIGNING_IN = re.compile(r"auth|log[- ]?in|password|credential", re.IGNORECASE)


@dataclass(frozen=True)
class Account:
    """Where a folder is, and how to get in: by a password, or by a token where there is one.

    `anywhere` is False where somebody's word from afar must not lead us back to ourselves.
    """

    host: str
    port: int
    tls: bool
    username: str
    password: str = field(repr=False)
    folder: str
    anywhere: bool = True
    token: str | None = field(default=None, repr=False)


@contextmanager
def opened(account: Account) -> Iterator[Folder]:
    """The account's folder, selected; closed when the block ends. Raises MailboxFailure."""
    _check_names(account)
    client = _connected(account)
    try:
        _signed_in(client, account)
        yield _selected(client, account)
    finally:
        _leave(client)


def _connected(account: Account) -> Client:
    where = f"{account.host}:{account.port}"
    try:
        tls = ssl.create_default_context() if account.tls else None
        return Client(account.host, account.port, tls, anywhere=account.anywhere)
    except OutOfBounds as wrong:
        raise MailboxFailure(FailureClass.FOLDER, f"{account.host} is refused: {wrong}") from None
    except ssl.SSLCertVerificationError as wrong:
        reason = f"the certificate of {where} is not good: {wrong.verify_message}"
        raise MailboxFailure(FailureClass.CERTIFICATE, reason) from wrong
    except ssl.SSLError as wrong:
        hint = "" if account.tls is False else "; if the server speaks no TLS on this port, set IMAP_SSL=false"
        raise MailboxFailure(FailureClass.CERTIFICATE, f"no TLS with {where}: {wrong.reason or wrong}{hint}") from wrong
    except (OSError, IMAPClientError) as wrong:
        raise MailboxFailure(kind_of(said(wrong)), f"{where} does not answer: {said(wrong)}") from wrong


def _signed_in(client: Client, account: Account) -> None:
    try:
        with failures():
            if not account.tls and client.has_capability("LOGINDISABLED") and client.has_capability("STARTTLS"):
                client.starttls(ssl.create_default_context())
            if account.token is not None:
                _show(client, account, account.token)
            elif (account.username + account.password).isascii():
                client.login(account.username, account.password)
            else:
                client.plain_login(account.username, account.password)
    except MailboxFailure as failure:
        refused = isinstance(failure, Refused) or _ABOUT_SIGNING_IN.search(str(failure))  # some hang up on a wrong password
        if failure.kind is FailureClass.OVERLOAD or not refused:
            raise
        raise MailboxFailure(FailureClass.AUTH, f"the server refused to sign {account.username} in: {failure}") from None


def _show(client: Client, account: Account, token: str) -> None:
    """Sign in by token. Why it is refused comes as a challenge; the refusal follows on the answer to that."""
    mechanism = next((each for each in ("OAUTHBEARER", "XOAUTH2") if client.has_capability(f"AUTH={each}")), None)
    if mechanism is None:
        raise Refused("it signs nobody in by token: it offers neither OAUTHBEARER nor XOAUTH2")
    said = [oauth.opening(mechanism, account.username, account.host, account.port, token), oauth.closing(mechanism)]
    client.sasl_login(mechanism, lambda _: said.pop(0) if said else None)


def _selected(client: Client, account: Account) -> Folder:
    try:
        with failures():
            answer = client.select_folder(account.folder)
    except Refused as refused:
        if refused.kind is FailureClass.OVERLOAD:
            raise
        raise MailboxFailure(FailureClass.FOLDER, f"the folder {account.folder} can't be opened: {refused}") from None
    if b"UIDVALIDITY" not in answer:
        raise MailboxFailure(FailureClass.FOLDER, f"the server gives no lasting numbers to mails in {account.folder}")
    uidnext = answer.get(b"UIDNEXT")
    if uidnext is None:
        with failures():
            uidnext = max(client.search("ALL"), default=0) + 1
    permanent = answer.get(b"PERMANENTFLAGS", ())
    return Folder(client, answer[b"UIDVALIDITY"] or ILLEGAL, uidnext, keeps_keywords=rb"\*" in permanent)


def _leave(client: Client) -> None:
    with suppress(OSError, IMAPClientError):
        client.shutdown()


def _check_names(account: Account) -> None:
    """A line break in a name would be a command of its own."""
    for what, name in (("user name", account.username), ("password", account.password)):
        if _has_control(name):
            raise MailboxFailure(FailureClass.AUTH, f"the {what} has a control character in it")
    if _has_control(account.folder):
        raise MailboxFailure(FailureClass.FOLDER, "the folder's name has a control character in it")


def _has_control(name: str) -> bool:
    return any(ord(c) < 32 or ord(c) == 127 for c in name)

"""The door to an IMAP server (RFC 3501, IDLE: RFC 2177): one connection, one folder, nothing but what intake needs.

Every fetch is a PEEK, so looking changes nothing there. Whatever goes wrong comes out as MailboxFailure, with the class that
says how patiently to ask again and, where there are any, the server's own words.
"""

import re
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError, ProtocolError

from app.core import text
from app.intake.rules.states import FailureClass

CONNECT = 10.0  # seconds
PATIENCE = 30.0  # seconds that one answer may take
GLANCE = 0.5  # seconds between looks at whether to stop waiting
KEYWORD = "$AtumDesk"
SEEN = "\\Seen"

_OVERLOAD = re.compile(
    r"\[(?:UNAVAILABLE|LIMIT|INUSE|OVERQUOTA|THROTTLED)\]|too many|not connected|try again later", re.IGNORECASE
)
_GONE = re.compile(r"no longer exist|\[(?:NONEXISTENT|EXPUNGEISSUED)\]", re.IGNORECASE)


class MailboxFailure(Exception):
    """The mailbox can't be read now. `kind` says how patiently to ask again; the words are for people."""

    def __init__(self, kind: FailureClass, words: str) -> None:
        super().__init__(words)
        self.kind = kind


@dataclass(frozen=True)
class Account:
    """Where a folder is, and how to get in."""

    host: str
    port: int
    tls: bool
    username: str
    password: str
    folder: str


@dataclass(frozen=True)
class Fetched:
    """One mail as the server gave it. `size` is what the server says; `header_only` where the rest was not asked for."""

    uid: int
    raw: bytes
    size: int
    arrived: datetime | None
    header_only: bool = False


class Folder:
    """A selected folder."""

    def __init__(self, client: IMAPClient, uidvalidity: int, uidnext: int, *, keeps_keywords: bool) -> None:
        self._client = client
        self.uidvalidity = uidvalidity
        self.uidnext = uidnext
        self._flags = [SEEN, KEYWORD] if keeps_keywords else [SEEN]
        self._idles = bool(client.has_capability("IDLE"))

    def after(self, uid: int) -> list[int]:
        """The UIDs above this one, in order. (The server always names the last mail, even if it is below.)"""
        with _failures():
            self._client.noop()  # some servers tell of new mail only when asked anything
            return sorted(u for u in self._client.search(["UID", f"{uid + 1}:*"]) if u > uid)

    def since(self, at: datetime, *, unread: bool) -> list[int]:
        """The UIDs of what came at `at` or later, in order. Servers search by day in their own zone; the rest is done here."""
        criteria = ["SINCE", (at - timedelta(days=1)).date(), *(["UNSEEN"] if unread else [])]
        with _failures():
            found = self._client.search(criteria)
            times = self._client.fetch(found, ["INTERNALDATE"])
        return sorted(uid for uid, item in times.items() if (arrived := item.get(b"INTERNALDATE")) is None or arrived >= at)

    def unread(self) -> int:
        """How many mails nobody has read."""
        with _failures():
            return len(self._client.search("UNSEEN"))

    def batches(self, uids: Sequence[int], *, count: int, room: int) -> Iterator[list[tuple[int, int]]]:
        """(UID, size) in order, a few at a time: at most `count`, and `room` bytes together where they are more than one."""
        for start in range(0, len(uids), 500):
            with _failures():
                sizes = self._client.fetch(uids[start : start + 500], ["RFC822.SIZE"])
            batch: list[tuple[int, int]] = []
            for uid in sorted(sizes):
                size = int(sizes[uid].get(b"RFC822.SIZE", 0))
                if batch and (len(batch) >= count or sum(s for _, s in batch) + size > room):
                    yield batch
                    batch = []
                batch.append((uid, size))
            if batch:
                yield batch

    def fetch(self, batch: Sequence[tuple[int, int]], *, largest: int) -> list[Fetched]:
        """These mails, in order; of one beyond `largest` bytes the header alone. One that is gone by now is left out."""
        sizes = dict(batch)
        whole = [uid for uid, size in batch if size <= largest]
        found = [*self._fetch(whole, sizes, "BODY.PEEK[]", b"BODY[]")]
        for uid in sizes.keys() - set(whole):
            found += self._fetch([uid], sizes, "BODY.PEEK[HEADER]", b"BODY[HEADER]")
        self._check_gone(sizes.keys() - {f.uid for f in found})
        return sorted(found, key=lambda f: f.uid)

    def _check_gone(self, missing: set[int]) -> None:
        """A mail that is listed but not given must not be passed over: the cursor would never come back to it."""
        if not missing:
            return
        with _failures():
            still = self._client.search(["UID", ",".join(map(str, sorted(missing)))])
        if still:
            raise MailboxFailure(FailureClass.TRANSPORT, f"the server lists, but does not give mail {min(still)}")

    def flag(self, uids: Sequence[int]) -> str:
        """Tell the server that we have these. Answers its words if it refuses; what no longer exists is no refusal."""
        try:
            with _failures():
                self._client.add_flags(list(uids), self._flags, silent=True)
        except Refused as refused:
            return "" if _GONE.search(str(refused)) else str(refused)
        return ""

    def wait(self, seconds: float, stop: threading.Event, wake: threading.Event) -> None:
        """Until the server tells of something, or `wake` or `stop` is set, or the time is over."""
        until = time.monotonic() + seconds
        with _failures():
            if self._idles:
                self._client.idle()
            while not stop.is_set() and not wake.is_set() and (left := until - time.monotonic()) > 0:
                if not self._idles:
                    stop.wait(min(left, GLANCE))
                elif self._told(self._client.idle_check(timeout=min(left, GLANCE))):
                    break
            if self._idles:
                self._client.idle_done()

    @staticmethod
    def _told(responses: list[tuple[object, ...]]) -> bool:
        return any(b"EXISTS" in r or b"EXPUNGE" in r or r[:1] == (b"BYE",) for r in responses)

    def _fetch(self, uids: Sequence[int], sizes: dict[int, int], what: str, key: bytes) -> Iterator[Fetched]:
        if not uids:
            return
        with _failures():
            found = self._client.fetch(uids, [what, "INTERNALDATE"])
        for uid, item in found.items():
            if (raw := item.get(key)) is not None:
                arrived = item.get(b"INTERNALDATE")
                yield Fetched(uid, raw, sizes[uid], arrived, header_only=what != "BODY.PEEK[]")


class Refused(MailboxFailure):
    """The server understood and said no."""

    def __init__(self, words: str) -> None:
        super().__init__(FailureClass.OVERLOAD if _OVERLOAD.search(words) else FailureClass.TRANSPORT, words)


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


def _connected(account: Account) -> IMAPClient:
    where = f"{account.host}:{account.port}"
    try:
        client = IMAPClient(
            account.host,
            account.port,
            ssl=account.tls,
            ssl_context=ssl.create_default_context() if account.tls else None,
            timeout=SocketTimeout(CONNECT, PATIENCE),
        )
    except ssl.SSLCertVerificationError as wrong:
        reason = f"the certificate of {where} is not good: {wrong.verify_message}"
        raise MailboxFailure(FailureClass.CERTIFICATE, reason) from wrong
    except ssl.SSLError as wrong:
        hint = "" if account.tls is False else "; if the server speaks no TLS on this port, set IMAP_SSL=false"
        raise MailboxFailure(FailureClass.CERTIFICATE, f"no TLS with {where}: {wrong.reason or wrong}{hint}") from wrong
    except (OSError, IMAPClientError) as wrong:
        raise MailboxFailure(FailureClass.TRANSPORT, f"{where} does not answer: {_said(wrong)}") from wrong
    client.normalise_times = False
    return client


def _signed_in(client: IMAPClient, account: Account) -> None:
    try:
        with _failures():
            if not account.tls and client.has_capability("LOGINDISABLED") and client.has_capability("STARTTLS"):
                client.starttls(ssl.create_default_context())
            if (account.username + account.password).isascii():
                client.login(account.username, account.password)
            else:
                client.plain_login(account.username, account.password)
    except Refused as refused:
        if refused.kind is FailureClass.OVERLOAD:
            raise
        raise MailboxFailure(FailureClass.AUTH, f"the server refused to sign {account.username} in: {refused}") from None


def _selected(client: IMAPClient, account: Account) -> Folder:
    try:
        with _failures():
            answer = client.select_folder(account.folder)
    except Refused as refused:
        if refused.kind is FailureClass.OVERLOAD:
            raise
        raise MailboxFailure(FailureClass.FOLDER, f"the folder {account.folder} can't be opened: {refused}") from None
    if b"UIDVALIDITY" not in answer:
        raise MailboxFailure(FailureClass.FOLDER, f"the server gives no lasting numbers to mails in {account.folder}")
    uidnext = answer.get(b"UIDNEXT")
    if uidnext is None:
        with _failures():
            uidnext = max(client.search("ALL"), default=0) + 1
    permanent = answer.get(b"PERMANENTFLAGS", ())
    return Folder(client, answer[b"UIDVALIDITY"], uidnext, keeps_keywords=rb"\*" in permanent)


def _leave(client: IMAPClient) -> None:
    with suppress(OSError, IMAPClientError):
        client.shutdown()


@contextmanager
def _failures() -> Iterator[None]:
    """What the library raises, in our terms."""
    try:
        yield
    except ssl.SSLCertVerificationError as wrong:
        raise MailboxFailure(FailureClass.CERTIFICATE, f"its certificate is not good: {wrong.verify_message}") from wrong
    except (OSError, IMAPClientAbortError) as wrong:
        words = _said(wrong)
        kind = FailureClass.OVERLOAD if _OVERLOAD.search(words) else FailureClass.TRANSPORT
        raise MailboxFailure(kind, f"the connection was lost: {words}") from wrong
    except ProtocolError as wrong:
        raise MailboxFailure(FailureClass.TRANSPORT, f"the server answered what isn't IMAP: {_said(wrong)}") from wrong
    except (LoginError, IMAPClientError) as wrong:
        raise Refused(_said(wrong)) from wrong


def _said(wrong: Exception) -> str:
    if isinstance(wrong, TimeoutError):
        return "no answer in time"
    if isinstance(wrong, OSError) and wrong.strerror:
        return wrong.strerror
    said = wrong.args[0] if wrong.args else ""
    return text.one_line(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said), most=300)


def _check_names(account: Account) -> None:
    """A line break in a name would be a command of its own."""
    for what, name in (("user name", account.username), ("password", account.password)):
        if _has_control(name):
            raise MailboxFailure(FailureClass.AUTH, f"the {what} has a control character in it")
    if _has_control(account.folder):
        raise MailboxFailure(FailureClass.FOLDER, "the folder's name has a control character in it")


def _has_control(name: str) -> bool:
    return any(ord(c) < 32 or ord(c) == 127 for c in name)

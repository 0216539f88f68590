"""One selected folder on an IMAP server (IDLE: RFC 2177), and nothing of it but what intake needs.

Every fetch is a PEEK, so looking changes nothing there. Whatever goes wrong comes out as MailboxFailure.
"""

import re
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.parser import HeaderParser
from email.policy import compat32
from email.utils import parsedate_to_datetime
from typing import Any

from app.intake.failure import Garbled, MailboxFailure, Refused, failures
from app.intake.rules import structure
from app.intake.rules.states import FailureClass
from app.intake.wire import Client

MOST_STRUCTURE = 500_000  # bytes that a server says about what a mail is made of
AT_ONCE = 500  # mails that one command names
GLANCE = 0.5  # seconds between looks at whether to stop waiting
KEYWORD = "$AtumDesk"
SEEN = "\\Seen"
DELETED = "\\Deleted"

_MISSING = re.compile(
    r"\[(?:TRYCREATE|NONEXISTENT)\]|(?:does not|doesn't) exist|not found|unknown (?:folder|mailbox)", re.IGNORECASE
)
_GONE = re.compile(r"no longer exist|\[(?:NONEXISTENT|EXPUNGEISSUED)\]", re.IGNORECASE)


@dataclass(frozen=True)
class Fetched:
    """One mail as the server gave it. `size` is what the server says; `header_only` where nothing else was asked for, but perhaps
    what it says.

    `refusal` is why it was not given whole, in the server's words, where it was asked for in vain.
    """

    uid: int
    raw: bytes
    size: int
    arrived: datetime | None
    header_only: bool = False
    refusal: str = ""

    def refused(self, words: str) -> "Fetched":
        """The same, as all that could be had."""
        return replace(self, refusal=words)


class Folder:
    """A selected folder."""

    def __init__(self, client: Client, uidvalidity: int, uidnext: int, *, keeps_keywords: bool) -> None:
        self._client = client
        self.uidvalidity = uidvalidity
        self.uidnext = uidnext
        self._flags = [SEEN, KEYWORD] if keeps_keywords else [SEEN]
        self._idles = bool(client.has_capability("IDLE"))
        self._exists: bytes | None = None

    def after(self, uid: int) -> list[int]:
        """The UIDs above this one, in order. (The server always names the last mail, even if it is below.)"""
        with failures():
            self._client.noop()  # some servers tell of new mail only when asked anything
            self._told_meanwhile()
            return sorted(u for u in self._client.search(["UID", f"{uid + 1}:*"]) if u > uid)

    def since(self, at: datetime, *, unread: bool = False) -> list[int]:
        """The UIDs of what came at `at` or later, in order. Servers search by day in their own zone; the rest is done here."""
        criteria = ["SINCE", (at - timedelta(days=1)).date(), *(["UNSEEN"] if unread else [])]
        with failures():
            found = self._client.search(criteria)
        times = self._each(found, "INTERNALDATE")
        return sorted(uid for uid, item in times if (arrived := item.get(b"INTERNALDATE")) is None or arrived >= at)

    def written(self, uids: Sequence[int]) -> dict[int, tuple[datetime | None, str]]:
        """When each of these says that it was written, and its Message-ID, however wrong either is."""
        found: dict[int, tuple[datetime | None, str]] = {}
        for uid, item in self._each(uids, "BODY.PEEK[HEADER.FIELDS (DATE MESSAGE-ID)]"):
            raw = next((value for name, value in item.items() if name.startswith(b"BODY[HEADER")), b"")
            head = HeaderParser(policy=compat32).parsestr(raw.decode("latin-1"))
            found[uid] = _date(str(head["date"] or "")), str(head["message-id"] or "").strip()
        return found

    def _each(self, uids: Sequence[int], what: str) -> Iterator[tuple[int, dict[bytes, Any]]]:
        """This of each mail, asked for some hundreds at a time: servers take lines of about 8,000 bytes (RFC 7162 section 4)."""
        for start in range(0, len(uids), AT_ONCE):
            with failures():
                found = self._client.fetch(uids[start : start + AT_ONCE], [what])
            yield from found.items()

    def unread(self) -> int:
        """How many mails nobody has read."""
        with failures():
            return len(self._client.search("UNSEEN"))

    def batches(self, uids: Sequence[int], *, count: int, room: int) -> Iterator[list[tuple[int, int]]]:
        """(UID, size) in order, a few at a time: at most `count`, and `room` bytes together where they are more than one."""
        for start in range(0, len(uids), AT_ONCE):
            sizes = dict(self._each(uids[start : start + AT_ONCE], "RFC822.SIZE"))
            batch: list[tuple[int, int]] = []
            for uid in sorted(sizes):
                size = int(sizes[uid].get(b"RFC822.SIZE", 0))
                if batch and (len(batch) >= count or sum(s for _, s in batch) + size > room):
                    yield batch
                    batch = []
                batch.append((uid, size))
            if batch:
                yield batch

    def fetch(self, batch: Sequence[tuple[int, int]], *, largest: int, texts: bool = False) -> list[Fetched]:
        """These mails, in order; of one beyond `largest` bytes the header alone, and with `texts` what it says too. One that is
        gone by now is left out.
        """
        sizes = dict(batch)
        whole = [uid for uid, size in batch if size <= largest]
        found = [*self._fetch(whole, sizes, "BODY.PEEK[]", b"BODY[]")]
        for uid in sizes.keys() - set(whole):
            heads = self._fetch([uid], sizes, "BODY.PEEK[HEADER]", b"BODY[HEADER]")
            found += [replace(f, raw=self._with_texts(uid, f.raw)) if texts else f for f in heads]
        self._check_gone(sizes.keys() - {f.uid for f in found})
        return sorted(found, key=lambda f: f.uid)

    def _with_texts(self, uid: int, header: bytes) -> bytes:
        """A mail of this header and the texts of that mail; the header alone where the server makes no sense of them."""
        try:
            with failures(), self._client.bounded(MOST_STRUCTURE):
                told = self._client.fetch([uid], ["BODYSTRUCTURE"]).get(uid, {})
            pieces: list[tuple[bytes, bytes]] = []
            left = structure.MOST
            for section in structure.texts(told.get(b"BODYSTRUCTURE")):
                own, content = self._piece(uid, section, left)
                pieces += [(own, content)] if content else []
                left -= len(content)
                if left <= 0:
                    break
        except Refused as refused:
            if refused.kind is FailureClass.OVERLOAD:
                raise
            return header
        except (Garbled, RecursionError):
            return header
        return structure.together(header, pieces)

    def _piece(self, uid: int, section: str, most: int) -> tuple[bytes, bytes]:
        """A text and before it its own header, which a mail without parts has none of."""
        wanted = {section: most} if section == structure.WHOLE else {f"{section}.MIME": structure.MOST_OF_HEADER, section: most}
        with failures(), self._client.bounded(2 * structure.MOST):
            told = self._client.fetch([uid], [f"BODY.PEEK[{name}]<0.{count}>" for name, count in wanted.items()]).get(uid, {})
        got = {
            name: next((value or b"" for key, value in told.items() if key.startswith(b"BODY[%b]" % name.encode())), b"")[:count]
            for name, count in wanted.items()
        }
        return got.get(f"{section}.MIME", b""), got[section]

    def _check_gone(self, missing: set[int]) -> None:
        """A mail that is listed but not given must not be passed over: the cursor would never come back to it."""
        if not missing:
            return
        with failures():
            still = self._client.search(["UID", ",".join(map(str, sorted(missing)))])
        if still:
            raise MailboxFailure(FailureClass.TRANSPORT, f"the server lists, but does not give mail {min(still)}")

    def flag(self, uids: Sequence[int]) -> str:
        """Tell the server that we have these. Answers its words if it refuses; what no longer exists is no refusal."""
        try:
            with failures():
                self._client.add_flags(list(uids), self._flags, silent=True)
        except Refused as refused:
            return "" if _GONE.search(str(refused)) else str(refused)
        return ""

    def put_away(self, uids: Sequence[int], to: str) -> str:
        """Move these to another folder, made where it is missing. Answers the server's words if it refuses.

        Without MOVE (RFC 6851) they are copied and deleted by number (UIDPLUS, RFC 4315); where that can't be had either they
        stay, because a plain EXPUNGE takes what others marked as deleted. Done twice, it is done once, but for a second copy.
        """
        try:
            try:
                self._moved(uids, to)
            except Refused as refused:
                if not _MISSING.search(str(refused)):
                    raise
                with failures():
                    self._client.create_folder(to)
                self._moved(uids, to)
        except Refused as refused:
            return "" if _GONE.search(str(refused)) else str(refused)
        return ""

    def _moved(self, uids: Sequence[int], to: str) -> None:
        with failures():
            if self._client.has_capability("MOVE"):
                self._client.move(uids, to)
            elif self._client.has_capability("UIDPLUS"):
                self._client.copy(uids, to)
                self._client.add_flags(uids, [DELETED], silent=True)
                self._client.uid_expunge(uids)

    def wait(self, seconds: float, stop: threading.Event, wake: threading.Event) -> None:
        """Until the server tells of something, or `wake` or `stop` is set, or the time is over.

        What it told of since the last look, with the answer to something else, it doesn't tell again.
        """
        if self._told_meanwhile():
            return
        until = time.monotonic() + seconds
        with failures():
            self._idles = self._idles and self._client.listen()
            while not stop.is_set() and not wake.is_set() and (left := until - time.monotonic()) > 0:
                if not self._idles:
                    stop.wait(min(left, GLANCE))
                elif self._client.heard(min(left, GLANCE)):
                    break
            if self._idles:
                self._client.hush()

    def _told_meanwhile(self) -> bool:
        """Whether answers since this was asked last named another number of mails. IMAPClient leaves that to imaplib."""
        told: bytes | None = self._client._imap.response("EXISTS")[1][-1]
        for other in ("EXPUNGE", "RECENT"):  # kept for as long as the connection lives, and needed by nobody
            self._client._imap.response(other)
        known, self._exists = self._exists, told or self._exists
        return known != self._exists

    def _fetch(self, uids: Sequence[int], sizes: dict[int, int], what: str, key: bytes) -> Iterator[Fetched]:
        if not uids:
            return
        with failures():
            found = self._client.fetch(uids, [what, "INTERNALDATE"])
        for uid, item in found.items():
            if (raw := item.get(key)) is not None:
                arrived = item.get(b"INTERNALDATE")
                yield Fetched(uid, raw, sizes[uid], arrived, header_only=what != "BODY.PEEK[]")


def _date(said: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(said)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)

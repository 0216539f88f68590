"""The SMTP door: takes mail for our own addresses, and says 250 only when it is in the ledger (RFC 5321 section 4.2.5).

aiosmtpd speaks the protocol. What it would read into memory is read here, line by line to the disk, and a mail ends with
<CR><LF>.<CR><LF> alone: whatever else stands there is part of it, so that no server before us sees one mail where we see two.
Nothing is asked of strangers that isn't needed to bring a mail, and nothing they do is told to the log more than once in a while.
"""

import asyncio
import errno
import logging
import ssl
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from aiosmtpd.smtp import SMTP
from aiosmtpd.smtp import Envelope as Brought
from aiosmtpd.smtp import Session as Talk
from psycopg.errors import DiskFull

from app.config import Settings
from app.core import clock, ids
from app.db.session import Database, DatabaseGone
from app.db.session import now as database_now
from app.files import room
from app.intake import actions, by_smtp, sender_policy
from app.intake.rules import limits, trace
from app.intake.rules.limits import Crowd, Seldom
from app.intake.rules.recipients import Recipients, Refused
from app.intake.spool import Spool
from app.intake.stubborn import LARGEST

MOST_RECIPIENTS = 100
MOST_ERRORS = 20  # of one connection
COMMANDS = {"*": 20, "MAIL": 100, "RCPT": 2000, "DATA": 100, "RSET": 100}  # of one connection
BATCH = 64 * 1024  # bytes written down at a time
FRESH = 2.0  # seconds for which what the database says of recipients is believed
IDLE = 60  # seconds
LONGEST = 600.0  # seconds that one mail may take on its way in
TO_COMMIT = 120.0  # seconds

TAKEN = "250 2.0.0 Taken; it is safe here."
NO_ROOM = "452 4.3.1 The disk is full here; send it again later."
NOT_NOW = "451 4.3.0 This can't be done right now; send it again later."
TOO_LONG_A_LINE = "500 5.6.0 A line is longer than 1,000 octets (RFC 5321 section 4.5.3.1.6)."
TOO_LARGE = "552 5.3.4 This mail is too large; the most is {} bytes."
TOO_SLOW = "421 4.4.2 That takes too long; connect again."
TOO_MANY_RECIPIENTS = "452 4.5.3 Too many recipients; send the others another copy."
STOPPING = "421 4.3.2 The desk is being restarted; try again shortly."
NOT_HERE = "502 5.5.1 This server doesn't do that."
NOT_SMTP = "554 5.5.1 Only what was offered can be asked for; goodbye."

T = TypeVar("T")

log = logging.getLogger(__name__)


class Door:
    """What all connections share. `tls` gives the context for a connection that begins now, if there is one."""

    def __init__(self, settings: Settings, database: Database, *, tls: Callable[[], ssl.SSLContext | None]) -> None:
        self.host = settings.host
        self.largest = min(settings.upload_max_bytes, LARGEST)
        self.crowd = Crowd()
        self.connections: set[Connection] = set()
        self._settings, self._database, self._tls = settings, database, tls
        self._large = actions.blobs(settings)
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="ledger")
        self._dns = ThreadPoolExecutor(max_workers=16, thread_name_prefix="dns")
        self._seldom = Seldom()
        self._found: tuple[float, Recipients] | None = None
        self._asking = asyncio.Lock()

    def connection(self) -> "Connection":
        """For whoever knocks."""
        return Connection(
            self,
            loop=asyncio.get_running_loop(),
            hostname=self.host,
            ident="ESMTP ATUM Desk",
            data_size_limit=self.largest,
            enable_SMTPUTF8=True,
            tls_context=self._tls(),
            timeout=IDLE,
            auth_exclude_mechanism=["LOGIN", "PLAIN"],
            command_call_limit=COMMANDS,
        )

    def tell(self, what: str, place: str, **more: Any) -> None:
        """The log hears of the first of a kind, and then of how many there were."""
        before = self._seldom.due(what, asyncio.get_running_loop().time())
        if before is not None:
            log.warning(what, extra={"client": place, "kept_back": before, **more})

    def spool(self) -> Spool:
        """Where a mail waits until it is whole."""
        return Spool(self._settings.uploads)

    async def in_thread(self, work: Callable[..., T], *given: Any) -> T:
        """Work that waits for the disk or the database, away from the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *given)

    async def take(self, envelope: trace.Envelope, rows: Mapping[int, Sequence[str]], spool: Spool) -> str:
        """Everything up to the commit; the answer, code first."""
        try:
            await self.in_thread(self._take, envelope, rows, spool)
        except DatabaseGone as gone:
            cause = getattr(gone.__cause__, "orig", gone.__cause__)
            return self._no_room() if isinstance(cause, DiskFull) else NOT_NOW
        except OSError as wrong:
            return self.refusal(wrong)
        return TAKEN

    def refusal(self, wrong: OSError) -> str:
        """What is said of a disk that doesn't take a mail."""
        if wrong.errno in {errno.ENOSPC, errno.EDQUOT}:
            return self._no_room()
        self.tell("a mail could not be written down; its sender keeps it", "", reason=str(wrong))
        return NOT_NOW

    def close(self) -> None:
        """Let go of the threads; what they do at this moment is done to its end."""
        self._threads.shutdown()
        self._dns.shutdown(wait=False, cancel_futures=True)

    async def handle_EHLO(  # noqa: N802 (what aiosmtpd calls it)
        self, _server: SMTP, session: Talk, _envelope: Brought, hostname: str, offered: list[str]
    ) -> list[str]:
        session.host_name = hostname
        *lines, last = [line[4:] for line in offered if line[4:].split()[0] not in {"AUTH", "HELP"}]
        return [*(f"250-{line}" for line in lines), f"250 {last}"]

    async def handle_MAIL(  # noqa: N802
        self, who: "Connection", _session: Talk, letter: Brought, address: str, options: list[str]
    ) -> str:
        if refusal := self.crowd.mail(who.place, asyncio.get_running_loop().time()):
            self.tell("mails were put off", who.place, answer=refusal)
            return refusal
        if self._full():
            return self._no_room()
        letter.mail_from = address
        letter.mail_options.extend(options)
        return "250 2.1.0 Go on."

    async def handle_RCPT(  # noqa: N802
        self, who: "Connection", session: Talk, letter: "Letter", address: str, _options: list[str]
    ) -> str:
        if len(letter.rcpt_tos) >= MOST_RECIPIENTS:
            return TOO_MANY_RECIPIENTS
        try:
            mailbox = (await self._known()).mailbox(address)
        except Refused as refused:
            self.tell("mail was refused for somebody who isn't here", who.place, answer=str(refused), to=address)
            return str(refused)
        letter.rcpt_tos.append(address)
        letter.rows.setdefault(mailbox, []).append(address)
        letter.verdict = letter.verdict or self._ask_about(who.client, letter.sender, session.host_name or "")
        return "250 2.1.5 Go on."

    async def handle_exception(self, wrong: Exception) -> str:
        """A mistake of ours, or a strange word that aiosmtpd trips over: whoever said it may come again."""
        expected = isinstance(wrong, DatabaseGone)
        if not expected:
            self.tell("something went wrong at the SMTP door", "", reason=f"{type(wrong).__name__}: {wrong}")
            log.debug("at the SMTP door", exc_info=wrong)
        return NOT_NOW

    def _full(self) -> bool:
        """Whether what is left of the disk is kept for everything else."""
        return room.is_short(self._settings.data_dir)

    def _ask_about(self, client: str, sender: str, helo: str) -> "asyncio.Future[str]":
        """SPF's verdict, some time."""
        asked = asyncio.get_running_loop().run_in_executor(self._dns, sender_policy.verdict, client, sender, helo)
        asked.add_done_callback(lambda answered: answered.cancelled() or answered.exception())  # not every mail comes to its end
        return asked

    async def _known(self) -> Recipients:
        """Whose mail is taken, as it was at most two seconds ago. Raises DatabaseGone."""
        async with self._asking:
            now = asyncio.get_running_loop().time()
            if self._found is None or now - self._found[0] > FRESH:
                self._found = (now, await self.in_thread(self._look_up))
            return self._found[1]

    def _no_room(self) -> str:
        self.tell("there is no room for mail that comes by SMTP; its senders keep it", "")
        return NO_ROOM

    def _look_up(self) -> Recipients:
        with self._database.reading() as c:
            return by_smtp.recipients(c, self._settings)

    def _take(self, envelope: trace.Envelope, rows: Mapping[int, Sequence[str]], spool: Spool) -> None:
        came = {}
        for mailbox, recipients in rows.items():
            above = trace.headers(envelope, recipients, self.host)
            came[mailbox] = by_smtp.kept(spool.pieces(above, self.host), size=spool.size + len(above), large=self._large)
        with self._database.transaction() as s:
            by_smtp.take(s, came, now=database_now(s))


class Letter(Brought):
    """One mail's envelope: the mailboxes it goes to, each with the addresses that led there, and what SPF will say."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[int, list[str]] = {}
        self.verdict: asyncio.Future[str] | None = None

    @property
    def sender(self) -> str:
        """Empty for mail that nobody wants an answer to, such as a report."""
        return "" if self.mail_from in {None, "<>"} else str(self.mail_from)


class Connection(SMTP):
    """One client at the door."""

    def __init__(self, door: Door, **options: Any) -> None:
        self._door = door
        self._client = self._place = ""
        self._errors = 0
        super().__init__(door, **options)

    @property
    def client(self) -> str:
        """Its IP address."""
        return self._client

    @property
    def place(self) -> str:
        """What counts as its address where there are limits."""
        return self._place

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._place:  # once more, after STARTTLS
            super().connection_made(transport)
            return
        assert isinstance(transport, asyncio.Transport)
        peer = transport.get_extra_info("peername")
        if peer is None:  # gone already
            transport.abort()
            return
        self._client = peer[0].partition("%")[0].removeprefix("::ffff:")
        place = limits.place(self._client)
        if refusal := self._door.crowd.enter(place, self.loop.time()):
            self._door.tell("connections were refused", place, answer=refusal)
            transport.write(f"{refusal}\r\n".encode())
            transport.close()
            return
        self._place = place
        self._door.connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self._door.connections:
            self._door.connections.remove(self)
            self._door.crowd.leave(self._place, self.loop.time())
            super().connection_lost(error)

    def eof_received(self) -> bool | None:
        return super().eof_received() if self._place else False

    def end(self, words: str) -> None:
        """Say so, and hang up; in five seconds also on somebody who doesn't listen."""
        if self.transport is None:
            return
        assert isinstance(self.transport, asyncio.Transport)
        if not self.transport.is_closing():
            self.transport.write(f"{words}\r\n".encode())
            self.transport.close()
            self.loop.call_later(5, self.transport.abort)

    async def push(self, status: Any) -> None:
        """Answer. After a last word nothing is read any more, also of what was sent already."""
        last = status.startswith("421") or status.endswith("goodbye.")
        if status.startswith("5"):
            self._errors += 1
            if self._door.crowd.error(self._place, self.loop.time()) or self._errors >= MOST_ERRORS:
                self._door.tell("somebody made too many errors", self._place, answer=status)
                await super().push(status)
                status, last = limits.TOO_MANY_ERRORS, True
        if last:
            self.end(status)
            raise asyncio.CancelledError
        await super().push(status)

    async def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802
        if self._tls_protocol:
            await self.push("503 5.5.1 TLS is on already.")
        else:
            await super().smtp_STARTTLS(arg)

    async def smtp_VRFY(self, arg: str) -> None:  # noqa: ARG002, N802
        await self.push(NOT_HERE)

    smtp_AUTH = smtp_EXPN = smtp_HELP = smtp_VRFY  # noqa: N815

    async def smtp_BDAT(self, arg: str) -> None:  # noqa: ARG002, N802
        """What follows is no command, though it may look like some."""
        await self.push(NOT_SMTP)

    smtp_POST = smtp_GET = smtp_BDAT  # noqa: N815

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        assert self.session
        letter = self.envelope
        assert isinstance(letter, Letter)
        if arg:
            await self.push("501 5.5.4 DATA stands alone.")
        elif not letter.rows:
            await self.push("503 5.5.1 First say to whom (RCPT TO).")
        else:
            with self._door.spool() as spool:
                await self.push("354 End data with <CR><LF>.<CR><LF>")
                answer = await self._read(spool)
                self.envelope = self._create_envelope()
                self._reset_timeout(TO_COMMIT)
                await self.push(answer or await self._door.take(await self._described(letter), letter.rows, spool))
                self._reset_timeout()

    async def _read(self, spool: Spool) -> str:
        """A mail, up to its end; why it isn't taken, code first. What isn't taken is read too, as far as that is bearable."""
        refusal, whole, size, batch = "", True, 0, bytearray()
        began = seen = self.loop.time()
        while True:
            try:
                line = await self._reader.readuntil(b"\r\n")
            except asyncio.LimitOverrunError as over:
                line, whole, refusal = await self._reader.readexactly(over.consumed), False, refusal or TOO_LONG_A_LINE
                size += len(line)
                continue
            if whole and line == b".\r\n":
                break
            if len(line) > self.line_length_limit:
                refusal = refusal or TOO_LONG_A_LINE
            line = line[1:] if whole and line.startswith(b".") else line
            whole, size = True, size + len(line)
            if size > self._door.largest:
                refusal = refusal or TOO_LARGE.format(self._door.largest)
            if not refusal:
                batch += line
                if len(batch) >= BATCH:
                    refusal = await self._write(spool, batch)
            if (now := self.loop.time()) - seen > 1:
                seen = now
                self._reset_timeout()
                if now - began > LONGEST or size > 2 * self._door.largest:
                    return TOO_SLOW
        return refusal or await self._write(spool, batch)

    async def _write(self, spool: Spool, batch: bytearray) -> str:
        try:
            await self._door.in_thread(spool.write, bytes(batch))
        except OSError as wrong:
            return self._door.refusal(wrong)
        finally:
            batch.clear()
        return ""

    async def _described(self, letter: Letter) -> trace.Envelope:
        assert self.session
        assert letter.verdict
        await asyncio.wait([letter.verdict], timeout=sender_policy.PATIENCE + 0.5)
        heard = letter.verdict.done() and not letter.verdict.cancelled() and letter.verdict.exception() is None
        protocol = "UTF8SMTP" if letter.smtp_utf8 else "ESMTP" if self.session.extended_smtp else "SMTP"
        return trace.Envelope(
            client=self._client,
            helo=self.session.host_name or "",
            sender=letter.sender,
            protocol=protocol + ("S" if self.session.ssl else ""),
            verdict=letter.verdict.result() if heard else "temperror",
            id=ids.readable(60),
            at=clock.now(),
        )

    def _create_envelope(self) -> Letter:
        return Letter()

    def _timeout_cb(self) -> None:
        self.end(TOO_SLOW)

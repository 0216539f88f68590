"""An IMAP server in this process that does what a script says: refuse, cut the line, renumber, withhold, keep silent.

It speaks just enough of RFC 3501 for one client that reads one folder, and remembers what it was asked.
"""

import base64
import re
import socket
import socketserver
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from app.intake.imap import Account
from tests.mail import imap_structure

USER, PASSWORD = "support@desk.example", "open sesame"
ANSWERED = "answered"


@dataclass
class Stored:
    """One mail in the folder."""

    raw: bytes
    flags: set[str] = field(default_factory=set)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass
class Server:
    """The folder, the script, and the memory. `cut_after`: bytes of a FETCH's answer after which the line is cut, once.

    `stubborn` mails are never given: left out ("withheld"), refused with the whole FETCH ("refused"), or their line is cut
    ("broken"); their headers neither, where it says so ("refused header"). `late` come as the next command of this name is
    answered: too late to be in the answer, and told of with it. `vanishing` mails are deleted while a FETCH of others answers.

    A cut is a "close", a "reset", or "nothing" more said on an open line. `mute` accepts and says nothing at all. `idle_says` is
    what an IDLE tells, once; then its line is cut where `idle_cuts`. Whoever shows one of `tokens` gets in, too; whoever shows
    another is told `challenge` first. `inject` follows in the clear on the consent to STARTTLS.

    `moment` is called as a command comes ("STORE came"), was carried out ("STORE done") and was answered ("STORE told"), and when
    the line is cut; a Cut that it raises cuts it there.
    """

    mails: dict[int, Stored] = field(default_factory=dict)
    uidvalidity: int = 1
    uidnext: int = 1
    user: str = USER
    password: str = PASSWORD
    capabilities: str = "IMAP4rev1 IDLE"
    permanent_flags: str = r"\Seen \*"
    cut_after: int | None = None
    silent: bool = False
    junk: bytes = b""
    login_answer: str = "NO [AUTHENTICATIONFAILED] Wrong password."
    select_answer: str = ""
    store_answer: str = ""
    withheld: set[int] = field(default_factory=set)
    stubborn: dict[int, str] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)
    structures: dict[int, bytes] = field(default_factory=dict)
    late: dict[str, bytes] = field(default_factory=dict)
    vanishing: set[int] = field(default_factory=set)
    cut_how: str = "close"
    mute: bool = False
    greeting: str = "* OK ready"
    greeting_delay: float = 0.0
    idle_says: str = ""
    idle_cuts: bool = False
    drip: float = 0.0
    tokens: set[str] = field(default_factory=set)
    challenge: str = '{"status":"400","schemes":"Bearer"}'
    starttls: ssl.SSLContext | None = None
    inject: bytes = b""
    folders: dict[str, list[Stored]] = field(default_factory=dict)
    moment: Callable[[str], None] = lambda _: None
    port: int = 0
    asked: list[str] = field(default_factory=list)
    logins: int = 0
    tag: str = ""
    lines: list[socket.socket] = field(default_factory=list)

    def add(self, *raws: bytes, flags: str = "", at: datetime | None = None) -> list[int]:
        """New mails; their UIDs."""
        uids = []
        for raw in raws:
            self.mails[self.uidnext] = Stored(raw, set(flags.split()), at or datetime.now(UTC))
            uids.append(self.uidnext)
            self.uidnext += 1
        return uids

    def renumber(self) -> None:
        """What a restored or rebuilt mailbox does: all new UIDs under a new UIDVALIDITY."""
        kept = list(self.mails.values())
        self.uidvalidity, self.uidnext, self.mails = self.uidvalidity + 1, 1, {}
        for stored in kept:
            self.mails[self.uidnext] = stored
            self.uidnext += 1

    def cut(self, after: int) -> None:
        """Cut the line once, after so many more bytes of fetched mail."""
        self.cut_after = after

    def flagged(self, flag: str) -> set[int]:
        return {uid for uid, stored in self.mails.items() if flag in stored.flags}

    def account(self, password: str = PASSWORD) -> Account:
        return Account("127.0.0.1", self.port, False, self.user, password, "INBOX")


class Cut(Exception):
    """The line was cut."""


class Talk(socketserver.StreamRequestHandler):
    """One client."""

    script: Server
    selected: int | None = None
    told = 0  # mails that this client was last told of

    def handle(self) -> None:
        self.script.lines.append(self.connection)
        try:
            if self.script.mute:
                self.rfile.read()
            time.sleep(self.script.greeting_delay)
            self.say(self.script.greeting)
            while line := self.rfile.readline():
                tag, _, command = line.decode().strip().partition(" ")
                self.script.asked.append(command if not command.upper().startswith("LOGIN") else "LOGIN")
                self.answer(tag, command)
        except (Cut, OSError, ValueError):
            return

    def finish(self) -> None:
        super().finish()
        self.connection.close()  # which TLS may have put in the first one's place

    def cut(self) -> None:
        """The line is cut, in the way that the script wants."""
        if self.script.cut_how == "nothing":
            self.rfile.read()
        if self.script.cut_how == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        raise Cut

    def answer(self, tag: str, command: str) -> None:
        self.script.tag, (verb, _, rest) = tag, command.removeprefix("UID ").partition(" ")
        name = "FETCH BODY" if verb == "FETCH" and "BODY" in rest else verb.upper()
        self.script.moment(f"{name} came")
        reply = getattr(self, f"do_{verb.lower()}", lambda _: "BAD what?")(rest)
        self.check_numbers()
        self.told = min(self.told, len(self.script.mails))
        self.script.moment(f"{name} done")
        if late := self.script.late.pop(verb.upper(), b""):
            self.script.add(late)
            self.tell()
        if reply != ANSWERED:
            self.say(f"{tag} {reply or 'OK done'}")
        self.script.moment(f"{name} told")
        if verb.upper() == "LOGOUT":
            raise Cut

    def check_numbers(self) -> None:
        """A folder that is numbered anew is closed to whoever has it open."""
        if self.selected not in {None, self.script.uidvalidity}:
            raise Cut

    def say(self, line: str | bytes) -> None:
        self.wfile.write((line.encode() if isinstance(line, str) else line) + b"\r\n")

    def do_capability(self, rest: str) -> str:
        self.say(f"* CAPABILITY {self.script.capabilities}")
        return ""

    def do_login(self, rest: str) -> str:
        self.script.logins += 1
        if rest.endswith(f'"{self.script.password}"'):
            return ""
        if self.script.login_answer.startswith("*"):
            self.say(self.script.login_answer)
            raise Cut
        return self.script.login_answer

    def do_authenticate(self, rest: str) -> str:
        self.script.logins += 1
        self.say("+ ")
        if rest.upper() in ("XOAUTH2", "OAUTHBEARER"):
            return self.bearer(rest.upper())
        user, password = base64.b64decode(self.rfile.readline()).decode().split("\0")[1:]
        return "" if (user, password) == (self.script.user, self.script.password) else self.script.login_answer

    def bearer(self, mechanism: str) -> str:
        said = base64.b64decode(self.rfile.readline()).decode()
        start = f"n,a={self.script.user}," if mechanism == "OAUTHBEARER" else f"user={self.script.user}"
        token = re.search(r"\x01auth=Bearer (\S+?)\x01(?:[^\x00]*\x01)?$", said)
        if said.startswith(start + "\x01") and token and token[1] in self.script.tokens:
            return ""
        self.say(f"+ {base64.b64encode(self.script.challenge.encode()).decode()}")
        ended = self.rfile.readline().strip()
        return self.script.login_answer if ended == {"XOAUTH2": b"", "OAUTHBEARER": b"AQ=="}[mechanism] else "BAD what?"

    def do_starttls(self, rest: str) -> str:
        assert self.script.starttls is not None
        tag = self.script.tag
        self.wfile.write(f"{tag} OK begin\r\n".encode() + self.script.inject)
        self.connection = self.script.starttls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        return ANSWERED

    def do_select(self, rest: str) -> str:
        if self.script.select_answer:
            return self.script.select_answer
        self.selected = self.script.uidvalidity
        self.tell()
        self.say(f"* OK [UIDVALIDITY {self.selected}] yes\r\n* OK [UIDNEXT {self.script.uidnext}] yes")
        self.say(f"* OK [PERMANENTFLAGS ({self.script.permanent_flags})] yes")
        return "OK [READ-WRITE] done"

    def do_noop(self, rest: str) -> str:
        return ""

    def do_logout(self, rest: str) -> str:
        self.say("* BYE")
        return ""

    def do_search(self, rest: str) -> str:
        if self.script.silent:
            self.rfile.read()
        found = sorted(self.script.mails)
        if after := re.search(r"UID (\d+):\*", rest):
            found = [uid for uid in found if uid >= int(after[1])] or found[-1:]  # "*" is always there
        elif exact := re.search(r"UID ([\d,]+)", rest):
            found = [uid for uid in found if str(uid) in exact[1].split(",")]
        if since := re.search(r"SINCE (\S+?)\)?(?: |$)", rest):
            day = datetime.strptime(since[1], "%d-%b-%Y").replace(tzinfo=UTC)
            found = [uid for uid in found if self.script.mails[uid].at >= day]
        if "UNSEEN" in rest:
            found = [uid for uid in found if r"\Seen" not in self.script.mails[uid].flags]
        self.say(" ".join(["* SEARCH", *map(str, found)]))
        return ""

    def do_fetch(self, rest: str) -> str:
        uids, _, items = rest.partition(" ")
        if self.script.junk and "BODY" in items:
            self.wfile.write(self.script.junk)
            return ""
        for uid in self.script.vanishing & set(self.script.mails) if "BODY" in items else ():
            number = sorted(self.script.mails).index(uid) + 1
            del self.script.mails[uid]
            self.say(f"* {number} EXPUNGE")
        for uid in _numbers(uids):
            if stored := self.script.mails.get(uid):
                how = self.stubborn(uid, items)
                if how == "refused":
                    return "NO [SERVERBUG] Internal error occurred."
                if how == "broken":
                    self.wfile.write(b"* 1 FETCH (UID %d BODY[] {100}\r\nfrom here on the disk" % uid)
                    raise Cut
                if how != "withheld":
                    self.give(uid, stored, items)
        return ""

    def stubborn(self, uid: int, items: str) -> str:
        otherwise = "withheld header" if uid in self.script.withheld else ""
        how, _, header = self.script.stubborn.get(uid, otherwise).partition(" ")
        return how if "BODY" in items and (header or "HEADER" not in items) else ""

    def give(self, uid: int, stored: Stored, items: str) -> None:
        said = [b"UID %d" % uid]
        if "INTERNALDATE" in items:
            said.append(stored.at.strftime('INTERNALDATE "%d-%b-%Y %H:%M:%S +0000"').encode())
        if "RFC822.SIZE" in items:
            said.append(b"RFC822.SIZE %d" % self.script.sizes.get(uid, len(stored.raw)))
        if "BODYSTRUCTURE" in items:
            said.append(b"BODYSTRUCTURE " + (self.script.structures.get(uid) or imap_structure.structure(stored.raw)))
        said += imap_structure.sections(stored.raw, items)
        self.check_numbers()
        self.cuttable(b"* %d FETCH (%s)\r\n" % (sorted(self.script.mails).index(uid) + 1, b" ".join(said)))

    def cuttable(self, content: bytes) -> None:
        room = self.script.cut_after
        if self.script.drip:
            for byte in content:
                self.wfile.write(bytes([byte]))
                time.sleep(self.script.drip)
        elif room is None:
            self.wfile.write(content)
        elif len(content) < room:
            self.script.cut_after = room - len(content)
            self.wfile.write(content)
        else:
            self.script.cut_after = None
            self.wfile.write(content[:room])
            self.script.moment("cut")
            self.cut()

    def do_store(self, rest: str) -> str:
        if self.script.store_answer:
            return self.script.store_answer
        uids, _, change = rest.partition(" ")
        for uid in _numbers(uids):
            if stored := self.script.mails.get(uid):
                stored.flags |= set(re.findall(r"[\\$]\w+", change))
        return ""

    def do_create(self, rest: str) -> str:
        self.script.folders[rest.strip('"')] = []
        return ""

    def do_move(self, rest: str) -> str:
        return self.do_copy(rest) or self.gone(_numbers(rest.partition(" ")[0]))

    def do_copy(self, rest: str) -> str:
        uids, _, folder = rest.partition(" ")
        if (there := self.script.folders.get(folder.strip('"'))) is None:
            return "NO [TRYCREATE] No such folder."
        there += [self.script.mails[uid] for uid in _numbers(uids) if uid in self.script.mails]
        return ""

    def do_expunge(self, rest: str) -> str:
        named = set(_numbers(rest)) if rest else set(self.script.mails)
        return self.gone(sorted(named & self.script.flagged(r"\Deleted")))

    def gone(self, uids: list[int]) -> str:
        for uid in uids:
            if uid in self.script.mails:
                self.say(f"* {sorted(self.script.mails).index(uid) + 1} EXPUNGE")
                del self.script.mails[uid]
        return ""

    def do_idle(self, rest: str) -> str:
        self.say("+ idling" + self.script.idle_says)
        self.script.idle_says = ""
        if self.script.idle_cuts:
            self.script.idle_cuts = False
            self.cut()
        self.connection.settimeout(0.02)
        try:
            while True:
                try:
                    return "" if self.connection.recv(100).upper().startswith(b"DONE") else "BAD what?"
                except TimeoutError:
                    if len(self.script.mails) > self.told:
                        self.tell()
        finally:
            self.connection.settimeout(None)

    def tell(self) -> None:
        self.told = len(self.script.mails)
        self.say(f"* {self.told} EXISTS")


class _Threads(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    tls: ssl.SSLContext | None = None

    def get_request(self) -> tuple[socket.socket, object]:
        client, address = super().get_request()
        return self.tls.wrap_socket(client, server_side=True) if self.tls else client, address

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error here."""


@contextmanager
def running(script: Server | None = None, *, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server that listens on a port of its own."""
    served = script or Server()
    handler = type("Scripted", (Talk,), {"script": served})
    with _Threads(("127.0.0.1", served.port), handler) as server:
        served.port, server.tls = server.server_address[1], tls
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield served
        server.shutdown()


def _numbers(given: str) -> list[int]:
    found: list[int] = []
    for piece in given.split(","):
        first, _, last = piece.partition(":")
        found += range(int(first), int(last or first) + 1)
    return found


def eventually(true: Callable[[], object], *, within: float = 30.0) -> None:
    """Wait until it is so. Fails after `within` seconds."""
    until = time.monotonic() + within
    while not true():
        assert time.monotonic() < until, "it did not come to pass"
        time.sleep(0.01)

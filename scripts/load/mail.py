"""`scripts/bench mail`: how fast mail becomes tickets: out of Dovecot, by the real poller, into the image's PostgreSQL; and how
well the corpus of difficult mails is read.

The mail server and PostgreSQL run in containers beside the poller and two workers of the desk.
"""

import argparse
import imaplib
import json
import os
import random
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from base64 import encodebytes
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from app import config
from app.accounts import queries as accounts
from app.accounts import sessions
from app.accounts.rules import Door
from app.core.priority import Priority
from app.db.session import Database, now
from app.intake import managed
from app.intake.imap import Account
from app.intake.watch import Watch
from scripts.load import scores, trouble
from scripts.load.__main__ import DATABASE, ROOT, docker, lived_in, postgres, serving
from scripts.load.fill import fill

MAIL = "atum-desk-mail:latest"
PASSWORD = "demo"  # noqa: S105 (every mailbox's, on a server that is thrown away)
BIG = 50_000_000  # bytes
WORDS = ("printer", "paper", "invoice", "login", "slow", "the", "a", "is", "and", "not", "error", "screen")
# What is promised, and whether more is better.
PROMISED = {
    "taken_per_second": (300.0, True),
    "settled_per_second": (40.0, True),
    "backlog_minutes": (7.0, False),
    "page_p95_ms": (500.0, False),
    "visible_p95_s": (2.0, False),
    "big_mail_mb": (300.0, False),
    "big_mail_pause_s": (2.0, False),
    "amid_trouble_api_share": (1.25, False),
    "amid_trouble_visible_p95_s": (2.0, False),
}


@dataclass
class Desk:
    """A desk of ten thousand tickets with these settings, and its mailboxes on the server at `port`."""

    dsn: str
    base: dict[str, str]
    port: int

    @property
    def environ(self) -> dict[str, str]:
        return self.base | {
            "IMAP_HOST": "127.0.0.1",
            "IMAP_PORT": str(self.port),
            "IMAP_SSL": "false",
            "IMAP_USER": "none@desk.example",
            "IMAP_PASSWORD": PASSWORD,
        }

    @property
    def settings(self) -> config.Settings:
        return config.load(self.environ)

    def mailbox(self, user: str) -> int:
        """The id of a mailbox that is read as soon as a poller runs; all others are paused."""
        with psycopg.connect(self.dsn, autocommit=True) as c:
            c.execute("UPDATE mailbox SET paused_at = now()")
        return self.added(user, self.port, PASSWORD)

    def added(self, user: str, port: int, password: str) -> int:
        """The id of one more."""
        db = Database(self.dsn, pool=1)
        with db.transaction() as s:
            account = Account("127.0.0.1", port, False, user, password, "INBOX")
            made = managed.add(s, self.settings, account, address=user, priority=Priority.MEDIUM, now=now(s)).id
        db.close()
        return made

    def pause(self, mailboxes: list[int], *, paused: bool) -> None:
        """Leave these in peace, or ask their servers at once."""
        with psycopg.connect(self.dsn, autocommit=True) as c:
            ask = (
                "UPDATE mailbox SET paused_at = CASE WHEN %s THEN now() END, next_try_at = NULL, failures = 0 WHERE id = ANY(%s)"
            )
            c.execute(ask, (paused, mailboxes))

    def count(self, where: str) -> int:
        with psycopg.connect(self.dsn, autocommit=True) as c:
            found = c.execute(f"SELECT count(*) FROM inbound_mail WHERE {where}").fetchone()  # noqa: S608
        return int(found[0]) if found else 0

    def until(self, where: str, many: int, *, most: float = 900) -> float:
        """Seconds until so many mails are so."""
        began = time.monotonic()
        while self.count(where) < many:
            if time.monotonic() - began > most:
                sys.exit(f"only {self.count(where)} of {many} mails are {where}")
            time.sleep(0.05)
        return time.monotonic() - began

    @contextmanager
    def polling(self) -> Iterator[int]:
        """A poller at work; its process's id."""
        command = [sys.executable, "-m", "app.entry.mail_poller"]
        process = subprocess.Popen(command, env={**os.environ, **self.environ}, cwd=ROOT, stdout=subprocess.DEVNULL)
        try:
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


class Server:
    """Dovecot, with a mailbox for whoever signs in."""

    def __init__(self, port: int, container: str) -> None:
        self.port, self.container = port, container

    def put(self, user: str, *mails: bytes) -> None:
        """These mails, as if they had just come."""
        imap = imaplib.IMAP4("127.0.0.1", self.port)
        imap.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each mail waits for an ACK that is put off
        imap.login(user, PASSWORD)
        for mail in mails:
            imap.append("INBOX", "", "", mail)
        imap.logout()

    def flagged(self, user: str) -> int:
        """How many of somebody's mails are marked as read."""
        imap = imaplib.IMAP4("127.0.0.1", self.port)
        imap.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each mail waits for an ACK that is put off
        imap.login(user, PASSWORD)
        imap.select("INBOX", readonly=True)
        found = imap.search(None, "SEEN")[1][0].split()
        imap.logout()
        return len(found)

    def renumber(self, user: str) -> None:
        """What a folder that was restored has: another UIDVALIDITY, and other numbers."""
        docker("exec", self.container, "sh", "-c", f"cd /mail/{user} && rm -f dovecot-uidlist dovecot.index*")


@contextmanager
def dovecot() -> Iterator[Server]:
    """The demo's mail server."""
    room = "uid=5100,gid=5100"
    started = docker("run", "--rm", "-d", "-p", "127.0.0.1::143", "--tmpfs", f"/run:{room}", "--tmpfs", f"/mail:{room}", MAIL)
    try:
        port = int(docker("port", started, "143").splitlines()[0].rpartition(":")[2])
        for _ in range(200):
            try:
                imaplib.IMAP4("127.0.0.1", port).logout()
                break
            except (OSError, imaplib.IMAP4.error):  # not there yet, or there and not ready
                time.sleep(0.1)
        yield Server(port, started)
    finally:
        docker("stop", "-t", "5", started)


def letter(n: int, *, attached: int = 0) -> bytes:
    """A mail as people write them: plain text and HTML, a signature, and perhaps a file of so many bytes."""
    words = " ".join(random.Random(n).choices(WORDS, k=120))  # noqa: S311
    head = (
        f"From: Carol {n} <carol{n % 500}@acme.example>\r\nTo: support@desk.example\r\nSubject: Question {n}\r\n"
        f"Message-ID: <{n}.{secrets.token_hex(8)}@acme.example>\r\nMIME-Version: 1.0\r\n"
    )
    said = (
        'Content-Type: multipart/alternative; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        f"Hello,\r\n\r\n{words}\r\n\r\n-- \r\nCarol of Acme\r\n\r\n"
        "--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
        f"<html><body><p>Hello,</p><p>{words}</p><p>Carol of <b>Acme</b></p></body></html>\r\n--b--\r\n"
    )
    if not attached:
        return (head + said).encode()
    file = encodebytes(os.urandom(attached * 3 // 4)).replace(b"\n", b"\r\n")
    before = (
        f'{head}Content-Type: multipart/mixed; boundary="a"\r\n\r\n--a\r\n{said}\r\n--a\r\nContent-Type: application/zip\r\n'
        'Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename="a.zip"\r\n\r\n'
    )
    return before.encode() + file + b"--a--\r\n"


def taken(desk: Desk, server: Server, many: int) -> float:
    """Mails a second from the server into the ledger, with nothing else going on."""
    user = "taken@desk.example"
    server.put(user, *(letter(n) for n in range(many)))
    mailbox, stop = desk.mailbox(user), threading.Event()
    db = Database(desk.dsn, pool=5)
    watch = Watch(db, desk.settings, mailbox, stop=stop, arrived=threading.Event())
    thread = threading.Thread(target=watch.turn)
    thread.start()
    seconds = desk.until(f"mailbox_id = {mailbox}", many)
    stop.set()
    thread.join()
    db.close()
    with psycopg.connect(desk.dsn, autocommit=True) as c:
        c.execute("UPDATE inbound_mail SET state = 'ignored', processed_at = now() WHERE state = 'new'")
    return many / seconds


def settled(desk: Desk, server: Server, many: int) -> float:
    """Mails a second from the server to tickets."""
    user = "settled@desk.example"
    server.put(user, *(letter(n) for n in range(many)))
    mailbox = desk.mailbox(user)
    with desk.polling():
        desk.until(f"mailbox_id = {mailbox} AND state = 'done'", 1)
        return (many - 1) / desk.until(f"mailbox_id = {mailbox} AND state = 'done'", many)


def backlog(desk: Desk, server: Server, many: int) -> tuple[float, float]:
    """Minutes until a backlog is worked off, and the 95th percentile in ms of a page that is asked for meanwhile."""
    user = "backlog@desk.example"
    server.put(user, *(letter(n) for n in range(many)))
    cookie = _session(desk)
    with serving("app.main:app", 8103, desk.environ) as url:
        mailbox, over = desk.mailbox(user), threading.Event()
        times: list[float] = []

        def look() -> None:
            while not over.wait(0.2):
                began = time.monotonic()
                asked = urllib.request.Request(f"{url}/tickets", headers={"Cookie": cookie, "X-Forwarded-Proto": "https"})
                with urllib.request.urlopen(asked, timeout=30) as answer:
                    if b"<table" not in answer.read():
                        sys.exit("the page of tickets is none")
                times.append(time.monotonic() - began)

        reader = threading.Thread(target=look)
        reader.start()
        with desk.polling():
            seconds = desk.until(f"mailbox_id = {mailbox} AND state = 'done'", many)
        over.set()
        reader.join()
    return seconds / 60, _p95(times) * 1000


def visible(desk: Desk, server: Server, many: int) -> float:
    """The 95th percentile of the seconds from a mail's arrival at the server until its ticket is there to be seen."""
    user = "visible@desk.example"
    mailbox = desk.mailbox(user)
    with desk.polling():
        server.put(user, letter(0))
        desk.until(f"mailbox_id = {mailbox} AND state = 'done'", 1)
        times = []
        for n in range(1, many + 1):
            time.sleep(random.uniform(0.2, 1.5))  # noqa: S311
            server.put(user, letter(n))
            times.append(desk.until(f"mailbox_id = {mailbox} AND state = 'done'", n + 1))
    return _p95(times)


def amid_trouble(desk: Desk, server: Server, rounds: int) -> tuple[float, float]:
    """While nine other mailboxes hang, are cut and are refused: the API's 95th percentile as a share of what it is without them,
    in turns of twelve seconds each, and the 95th percentile of the seconds until a mail's ticket is there.
    """
    user = "amid@desk.example"
    mailbox = desk.mailbox(user)
    with serving("app.main:app", 8104, desk.environ) as url, trouble.bad_servers() as ports:
        bad = [desk.added(f"bad{n}@desk.example", [*ports, server.port][n % 3], "wrong") for n in range(9)]
        quiet, amid, seen, n = list[float](), list[float](), list[float](), 0
        for turn in range(2 * rounds):
            desk.pause(bad, paused=turn % 2 == 0)
            with desk.polling(), ThreadPoolExecutor(1) as beside:
                server.put(user, letter(n := n + 1))
                desk.until(f"mailbox_id = {mailbox} AND state = 'done'", n)
                over, until = threading.Event(), time.monotonic() + 12
                times = beside.submit(trouble.asked, url, over)
                while time.monotonic() < until:
                    server.put(user, letter(n := n + 1))
                    took = desk.until(f"mailbox_id = {mailbox} AND state = 'done'", n)
                    seen += [took] if turn % 2 else []
                    time.sleep(random.uniform(0.2, 1.0))  # noqa: S311
                over.set()
                (amid if turn % 2 else quiet).extend(times.result())
    return _p95(amid) / _p95(quiet), _p95(seen)


def big(desk: Desk, server: Server) -> tuple[float, float]:
    """MB that the poller and its child hold at most while a mail of 50 MB comes in, and the longest that a small one waits."""
    user = "big@desk.example"
    server.put(user, letter(0))
    mailbox = desk.mailbox(user)
    huge, waits, most = letter(1, attached=BIG), [0.0], [0.0]
    with desk.polling() as process:
        desk.until(f"mailbox_id = {mailbox} AND state = 'done'", 1)
        over = threading.Event()

        def measure() -> None:
            while not over.wait(0.02):
                most[0] = max(most[0], _pss(process))

        meter = threading.Thread(target=measure)
        meter.start()
        server.put(user, huge)
        for n in range(2, 12):
            server.put(user, letter(n))
            small = f"mailbox_id = {mailbox} AND state = 'done' AND size < 1000000"
            waits.append(desk.until(small, n))
        desk.until(f"mailbox_id = {mailbox} AND state = 'done'", 12)
        over.set()
        meter.join()
    return most[0], max(waits)


def _session(desk: Desk) -> str:
    db = Database(desk.dsn, pool=1)
    with db.transaction() as s:
        person = accounts.by_id(s, 1)
        assert person
        token = sessions.sign_in(s, person, door=Door.PAGE, source="127.0.0.1", now=now(s)).access
    db.close()
    return f"__Host-sid={token}"


def _pss(process: int) -> float:
    """MB of a process and its children."""
    children = Path(f"/proc/{process}/task/{process}/children")
    total = 0
    try:
        for one in [str(process), *children.read_text().split()]:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return 0.0
    return total / 1024


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


@contextmanager
def made() -> Iterator[tuple[Desk, Server]]:
    """A desk, its database and its mail server."""
    with tempfile.TemporaryDirectory() as name, postgres(), dovecot() as server:
        dsn = f"{DATABASE}/mail_{uuid.uuid4().hex[:8]}"
        with psycopg.connect(f"{DATABASE}/postgres", autocommit=True) as c:
            c.execute(f"CREATE DATABASE {dsn.rpartition('/')[2]}")
        fill(dsn, 10_000)
        yield Desk(dsn, lived_in(Path(name), dsn), server.port), server


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench mail", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--backlog", type=int, default=10_000)
    parser.add_argument("--scores", action="store_true", help="only how well the corpus of difficult mails is read")
    given = parser.parse_args()
    unexplained = scores.told()
    if given.scores:
        return 1 if unexplained else 0
    found: dict[str, float] = {}
    with made() as (desk, server):
        steps: list[tuple[tuple[str, ...], Callable[[], Any]]] = [
            (("taken_per_second",), lambda: (taken(desk, server, 3000),)),
            (("settled_per_second",), lambda: (settled(desk, server, 1500),)),
            (("visible_p95_s",), lambda: (visible(desk, server, 40),)),
            (("amid_trouble_api_share", "amid_trouble_visible_p95_s"), lambda: amid_trouble(desk, server, 3)),
            (("big_mail_mb", "big_mail_pause_s"), lambda: big(desk, server)),
            (("backlog_minutes", "page_p95_ms"), lambda: backlog(desk, server, given.backlog)),
        ]
        for names, step in steps:
            for name, value in zip(names, step(), strict=True):
                found[name] = round(value, 2)
                print(f"{name:<26} {value:10.2f}   {PROMISED[name][0]:g} promised", file=sys.stderr, flush=True)
    if given.json:
        print(json.dumps(found, indent=2))
    short = [name for name, value in found.items() if (value < PROMISED[name][0]) is PROMISED[name][1]]
    print(f"short of what is promised: {', '.join(short)}" if short else "every figure is as promised", file=sys.stderr)
    return 1 if short or unexplained else 0


if __name__ == "__main__":
    sys.exit(main())

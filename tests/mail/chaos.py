"""Real pollers, killed at chosen moments, and the test's own book of what it sent.

A moment is a step of the server's (a command comes, was carried out, was answered; the line is cut in the middle of a mail), a
step of the database's (in a transaction, or in its COMMIT), or any time at all. What is true in the end is asked of the database
in SQL of this module's own.
"""

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.mail.conftest import Desk
from tests.mail.imap_server import Cut, eventually
from tests.unit.intake.letters import mail

ROOT = Path(__file__).parents[2]
GATE = 4242  # the advisory lock at which a chosen step waits to be killed

WIRE = tuple(
    f"{verb} {stage}"
    for verb in ("LOGIN", "SELECT", "SEARCH", "FETCH", "FETCH BODY", "STORE")
    for stage in ("came", "done", "told")
)
# Trigger by name: when it fires, whether it waits for COMMIT, and how often a life of several mails fires it for certain.
DATABASE = {
    "a row is written": "AFTER INSERT ON inbound_mail",
    "rows commit": "AFTER INSERT ON inbound_mail DEFERRABLE INITIALLY DEFERRED",
    "the cursor moves": "AFTER UPDATE OF last_uid ON mailbox",
    "a message is written": "AFTER INSERT ON message",
    "an outcome is written": "AFTER UPDATE OF state ON inbound_mail",
    "an outcome commits": "AFTER UPDATE OF state ON inbound_mail DEFERRABLE INITIALLY DEFERRED",
    "flagged is noted": "AFTER UPDATE OF server_acked_at ON inbound_mail",
    "flagged commits": "AFTER UPDATE OF server_acked_at ON inbound_mail DEFERRABLE INITIALLY DEFERRED",
}
FOR_EACH_MAIL = ("a row is written", "rows commit", "a message is written", "an outcome is written", "an outcome commits")
_PLAN = """
CREATE TABLE chaos (step text, nth int);
CREATE SEQUENCE chaos_count;
CREATE FUNCTION chaos() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE wanted int;
BEGIN
    SELECT nth INTO wanted FROM public.chaos WHERE step = TG_NAME;
    IF FOUND AND nextval('public.chaos_count') = wanted THEN
        PERFORM pg_advisory_xact_lock(4242);
    END IF;
    RETURN NULL;
END $$;
"""
_WAITING = """
SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.objid = 4242 AND NOT l.granted AND a.datname = current_database()
"""
# Whoever reads the mailbox holds its lock on a connection that does nothing else.
_READING = """
SELECT split_part(a.application_name, ' ', 1), a.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND a.application_name LIKE 'poller-%' AND a.state = 'idle'
  AND a.datname = current_database()
"""

_LOST = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE split_part(application_name, ' ', 1) = %s AND datname = current_database()
"""


@dataclass
class Book:
    """What the test sent: each mail's raw bytes under an id of the test's own, which stands in the mail."""

    chance: random.Random
    sent: dict[str, bytes] = field(default_factory=dict)

    def write(self, *, size: int = 0) -> bytes:
        """A new mail, of at least so many bytes."""
        id = f"chaos-{len(self.sent):05}-{self.chance.getrandbits(64):016x}"
        customer = f"carol{len(self.sent) % 50}@acme.example"
        raw = mail(
            f"It is broken.\r\n{id}\r\n{'x' * 70 * (size // 70)}", sender=customer, mail_id=f"<{id}@acme.example>", subject=id
        )
        self.sent[id] = raw
        return raw


class Pollers:
    """The poller's processes, by the name that their connections to the database go by."""

    def __init__(self, desk: Desk, **different: str) -> None:
        self.desk, self.different = desk, different
        self.alive: dict[str, subprocess.Popen[bytes]] = {}
        self.command: tuple[str, ...] = ("-m", "app.entry.mail_poller")
        self._started = 0
        (desk.folder / "app").mkdir(exist_ok=True)
        (desk.folder / "app" / "ready").touch()

    def start(self) -> str:
        """One more."""
        self._started += 1
        name = f"poller-{self._started}"
        environ = {"PATH": os.environ["PATH"], "SUPERVISOR_PROCESS_NAME": name, **self.desk.environ(**self.different)}
        self.alive[name] = subprocess.Popen([sys.executable, *self.command], cwd=ROOT, env=environ, stderr=subprocess.DEVNULL)
        return name

    def kill(self, name: str) -> None:
        """kill -9, and until it is dead."""
        process = self.alive.pop(name)
        process.kill()
        process.wait()

    def close(self) -> None:
        for name in list(self.alive):
            self.kill(name)


class Chaos:
    """A desk whose pollers are killed."""

    def __init__(self, desk: Desk, pollers: Pollers, db: "psycopg.Connection[tuple[Any, ...]]", seed: int) -> None:
        self.desk, self.pollers, self.db = desk, pollers, db
        self.chance = random.Random(seed)
        self.book = Book(self.chance)
        self.kills: Counter[str] = Counter()
        self.copies = 0
        db.execute(_PLAN)
        for step, fires in DATABASE.items():
            words = fires.partition(" DEFERRABLE")
            kind = "CONSTRAINT TRIGGER" if words[1] else "TRIGGER"
            db.execute(f'CREATE {kind} "{step}" {fires} FOR EACH ROW EXECUTE FUNCTION chaos()'.encode())
        db.execute(f"SELECT pg_advisory_lock({GATE})".encode())

    def mails(self, many: int) -> list[bytes]:
        """New mails; now and then a large one, and now and then one that comes twice."""
        found = []
        for _ in range(many):
            raw = self.book.write(size=1_200_000 if self.chance.random() < 0.03 else 0)
            found.append(raw)
            if self.chance.random() < 0.05:
                found.append(raw)
                self.copies += 1
        return found

    def reader(self) -> tuple[str, int]:
        """The poller that reads the mailbox, and the process at the database that holds its lock; ("", 0) for none."""
        found = self.db.execute(_READING).fetchone()
        return (found[0], found[1]) if found else ("", 0)

    def kill(self, name: str) -> None:
        """Kill this one, or any where that one isn't there any more."""
        self.pollers.kill(name if name in self.pollers.alive else self.chance.choice(sorted(self.pollers.alive)))

    def pause(self, name: str) -> None:
        """Stop it, and let the database take it for dead: another may take the mailbox."""
        self.stop(name)
        self.db.execute(_LOST, [name])

    def stop(self, name: str) -> None:
        """Stop it. Its connections live on."""
        self.pollers.alive[name].send_signal(signal.SIGSTOP)

    def at_wire(
        self, step: str, begin: Callable[[], object], *, act: Callable[[str], None] | None = None, cut_after: int = 0
    ) -> None:
        """Kill whoever speaks with the server as it comes to this step; a command that came is not carried out any more."""
        server, over, act = self.desk.server, threading.Event(), act or self.kill

        def moment(now: str) -> None:
            if now == step and not over.is_set():
                act(self.reader()[0])
                over.set()
                if now.endswith("came"):
                    raise Cut

        server.moment = moment
        if cut_after:
            server.cut(cut_after)
        begin()
        assert over.wait(90), f"it never came to {step}"
        server.moment, server.cut_after = lambda _: None, None

    def at_database(
        self, step: str, begin: Callable[[], object], *, act: Callable[[str], None] | None = None, nth: int = 1
    ) -> None:
        """Kill the poller whose transaction comes to this step for the nth time. What was sent to commit, commits."""
        self.db.execute("SELECT setval('chaos_count', 1, false)")
        self.db.execute("INSERT INTO chaos VALUES (%s, %s)", [step, nth])
        begin()
        until = time.monotonic() + 90
        while (found := self.db.execute(_WAITING).fetchone()) is None:
            assert time.monotonic() < until, f"it never came to {step}, {nth}"
            time.sleep(0.005)
        (act or self.kill)(found[0])
        self.db.execute("DELETE FROM chaos")
        self.db.execute(f"SELECT pg_advisory_unlock({GATE}), pg_advisory_lock({GATE})".encode())

    def at_any_time(self, begin: Callable[[], object]) -> None:
        """Kill any poller at any moment of its first second and a half."""
        begin()
        time.sleep(self.chance.uniform(0.3, 1.8))
        self.kill("")

    def prove(self, *, flagged: Callable[[], int], on_server: int, renumbered: bool) -> None:
        """Nothing is lost, nothing is there twice, every byte is as it was sent, and the server was told of everything."""
        eventually(lambda: flagged() == on_server, within=90)
        messages = Counter(
            row[0] for row in self.db.execute("SELECT t.subject FROM message m JOIN ticket t ON t.number = m.ticket")
        )
        assert messages == Counter(dict.fromkeys(self.book.sent, 1))
        assert self.db.execute("SELECT count(*) FROM ticket").fetchone() == (len(self.book.sent),)
        linked = "SELECT subject, raw_sha256, raw, blob FROM inbound_mail JOIN message m ON m.inbound_mail_id = inbound_mail.id"
        rows = self.db.execute(linked + " WHERE state = 'done'").fetchall()
        assert Counter(row[0] for row in rows) == messages
        for subject, sha256, raw, blob in rows:
            kept = raw if blob is None else (self.desk.folder / "mail" / blob[:2] / blob[2:4] / blob).read_bytes()
            assert kept == self.book.sent[subject]
            assert sha256 == hashlib.sha256(kept).hexdigest()
        others = dict(self.db.execute("SELECT state, count(*) FROM inbound_mail WHERE state <> 'done' GROUP BY state").fetchall())
        assert set(others) <= {"duplicate"}
        numberings = self.db.execute("SELECT count(DISTINCT uidvalidity) FROM inbound_mail").fetchone()
        assert numberings == (2 if renumbered else 1,)
        if not renumbered:
            assert others.get("duplicate", 0) == self.copies


@contextmanager
def chaos(desk: Desk, seed: int, **different: str) -> Iterator[Chaos]:
    """A desk that is booted, and no poller yet."""
    desk.boot(**different)
    pollers = Pollers(desk, **different)
    with psycopg.connect(desk.database.dsn, autocommit=True) as db:
        try:
            yield Chaos(desk, pollers, db, seed)
        finally:
            pollers.close()

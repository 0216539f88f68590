"""The order on the disk, as the kernel saw it: a mail is in the log, and that on the disk, before its server hears so.

A kill of the process leaves what the kernel holds, a power cut doesn't: that is why this is asked of the system calls.
"""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from app.core import ids
from app.db.session import Database
from app.intake.reader import Reader
from app.ops import migrate
from tests.conftest import START, postgres
from tests.mail.chaos import Pollers
from tests.mail.conftest import Desk
from tests.mail.imap_server import Server, eventually
from tests.unit.intake.letters import mail

MAILS, LARGE = 100, 5
# As the desk runs it: nothing is left to the kernel, and nothing lies in memory only.
DURABLE = START.replace("fsync=off", "fsync=on").replace("/tmp/pg", "/var/tmp/pg")
TRACED = ("strace", "-f", "-ttt", "-T", "-yy", "-s", "4000", "-e", "trace=fdatasync,fsync,recvfrom,sendto")
CALL = re.compile(r"^(\d+) +(\d+\.\d+) (\w+)\((.*)\) += .* <(\d+\.\d+)>$", re.MULTILINE)


@dataclass(frozen=True)
class Call:
    """A system call: whose, from when until when, which, and what it was given."""

    process: int
    began: float
    ended: float
    name: str
    given: str


def calls(trace: Path) -> list[Call]:
    """In order of their beginning. One that was interrupted by another process's line is put together first."""
    lines: list[str] = []
    begun: dict[str, str] = {}
    for line in trace.read_text(errors="replace").splitlines():
        process = line.partition(" ")[0]
        if line.endswith("<unfinished ...>"):
            begun[process] = line.removesuffix("<unfinished ...>").rstrip()
        elif resumed := re.search(r"<\.\.\. \w+ resumed>(.*)$", line):
            lines.append(begun.pop(process) + resumed[1])
        else:
            lines.append(line)
    found = [
        Call(int(process), float(at), float(at) + float(took), name, given)
        for process, at, name, given, took in CALL.findall("\n".join(lines))
    ]
    return sorted(found, key=lambda call: call.began)


@contextmanager
def traced(trace: Path, *processes: int) -> Iterator[None]:
    """strace of these and all that they begin, in a file."""
    which = [word for pid in processes for word in ("-p", str(pid))]
    with subprocess.Popen([*TRACED, "-o", str(trace), *which], stderr=subprocess.PIPE) as strace:
        assert strace.stderr
        for _ in processes:
            assert b"attached" in strace.stderr.readline()
        yield
        strace.send_signal(signal.SIGINT)


def first(found: list[Call], name: str, words: str, *, after: float = 0.0, process: int = 0) -> Call:
    return next(
        call
        for call in found
        if call.name == name and words in call.given and call.began >= after and process in {0, call.process}
    )


def family(container: str) -> list[int]:
    """The processes of a container's first one and its children, as this machine numbers them."""
    inspect = ["docker", "inspect", "-f", "{{.State.Pid}}", container]
    pid = subprocess.run(inspect, check=True, capture_output=True, text=True).stdout.strip()
    return [int(pid), *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def told_of(peer: Server, many: int) -> bool:
    return len(peer.flagged(r"\Seen")) == many


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not shutil.which("strace") or os.geteuid() != 0, reason="needs strace, and to be root")
def test_a_mail_is_on_the_disk_before_its_server_is_told(peer: Server, tmp_path: Path, reader: Reader) -> None:
    """The log's fdatasync has returned before STORE is sent; for a large mail, its file's and folders' fsync before the row."""
    letters = [mail(f"It is broken, {n}.", mail_id=f"<{n}@acme.example>") for n in range(MAILS)]
    letters += [mail("x" * 70 * 20_000, mail_id=f"<large.{n}@acme.example>") for n in range(LARGE)]
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "secret_key").write_text("ab" * 32)
    with postgres(DURABLE) as (url, container):
        migrate.up(f"{url}/postgres")
        desk = Desk(Database(f"{url}/postgres"), peer, tmp_path, reader)
        desk.boot()
        pollers = Pollers(desk)
        poller = pollers.alive[pollers.start()].pid
        try:
            with traced(tmp_path / "database", *family(container)), traced(tmp_path / "poller", poller):
                for n, letter in enumerate(letters, 1):
                    peer.add(letter)
                    eventually(partial(told_of, peer, n), within=30)
        finally:
            pollers.close()
        desk.database.close()
    database, told = calls(tmp_path / "database"), calls(tmp_path / "poller")
    before: Call | None = None
    for uid, letter in enumerate(letters, 1):
        row = first(database, "recvfrom", ids.sha256(letter))
        commit = first(database, "recvfrom", "COMMIT", after=row.began, process=row.process)
        durable = first(database, "fdatasync", "pg_wal", after=commit.ended, process=row.process)
        answered = first(database, "sendto", "COMMIT", after=commit.ended, process=row.process)
        store = first(told, "sendto", f"STORE {uid} ")
        assert durable.ended <= answered.began < store.began
        if before and len(letter) > 1_000_000:
            name = ids.sha256(letter)
            folders = [f"/mail/{name[:2]}/{name[2:4]}>", f"/mail/{name[:2]}>", "/mail>"]
            on_disk = [first(told, "fsync", path, after=before.ended) for path in ("/mail/tmp", *folders)]
            assert max(call.ended for call in on_disk) < row.began
        before = store
    print(f"{MAILS} of {MAILS} mails and {LARGE} of {LARGE} large ones were on the disk before the server was told")

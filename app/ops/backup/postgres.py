"""PostgreSQL's own programs: dumping, restoring, and a cluster to try things in."""

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app import config
from app.core.errors import Unavailable

INITDB = ("--no-sync", "--no-instructions", "--username=postgres", "--auth=trust", "--encoding=UTF8")
LOCALE = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C.UTF-8")
# Nobody keeps what is in it, so nothing waits for the disk.
SCRATCH = {
    "listen_addresses": "", "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum": "off",
    "wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "256MB", "shared_buffers": "32MB", "max_connections": "8",
    "maintenance_work_mem": "64MB", "jit": "off", "max_worker_processes": "0", "log_min_messages": "fatal",
}  # fmt: skip
PATIENCE = 60.0  # seconds for a scratch cluster to begin


class ProgramFailed(Unavailable):
    """One of PostgreSQL's programs did not do its work."""


@contextmanager
def dumping(dsn: str, snapshot: str) -> Iterator[BinaryIO]:
    """The whole database as it is in this exported snapshot, in pg_dump's custom format. Raises ProgramFailed."""
    wanted = ["--format=custom", "--compress=zstd:3", "--no-owner", "--no-acl", "--lock-wait-timeout=60s"]
    with _running("pg_dump", *wanted, f"--snapshot={snapshot}", dsn=dsn, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield process.stdout  # type: ignore[misc]


@contextmanager
def restoring(dsn: str) -> Iterator[BinaryIO]:
    """Takes a dump and fills this empty database from it. Raises ProgramFailed."""
    broken = False
    with _running("pg_restore", "--no-owner", "--no-acl", "--exit-on-error", dsn=dsn, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        try:
            yield process.stdin  # type: ignore[misc]
            process.stdin.close()
        except BrokenPipeError:  # why it ended is told by its exit code and its words
            broken = True
    if broken:
        raise ProgramFailed("pg_restore ended before it had read everything.")


@contextmanager
def scratch(folder: Path) -> Iterator[str]:
    """The URL of a cluster of its own below `folder`, which is gone when the block ends. Raises ProgramFailed."""
    cluster = folder / "cluster"
    shutil.rmtree(cluster, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="atum-") as sockets:
        try:
            _must(["initdb", f"--pgdata={cluster}", *INITDB, *LOCALE])
            yield from _served(cluster, sockets)
        finally:
            shutil.rmtree(cluster, ignore_errors=True)


def _served(cluster: Path, sockets: str) -> Iterator[str]:
    options = [f"-c{name}={value}" for name, value in SCRATCH.items()]
    # A child of this process alone: should that be killed, nobody else would end the server.
    command = ["setpriv", "--pdeathsig=KILL", "postgres", "-D", str(cluster), f"-cunix_socket_directories={sockets}", *options]
    dsn = f"postgresql://postgres@/postgres?host={sockets}"
    with tempfile.TemporaryFile() as said, _child(command, stdout=said, stderr=said) as server:
        try:
            until = time.monotonic() + PATIENCE
            while not _answers(dsn):
                if server.poll() is not None or time.monotonic() > until:
                    raise ProgramFailed(_last_words("postgres", said))
                time.sleep(0.05)
            yield dsn
        finally:
            server.send_signal(signal.SIGQUIT)


def _answers(dsn: str) -> bool:
    try:
        psycopg.connect(dsn, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def _running(program: str, *arguments: str, dsn: str, **pipes: int) -> Iterator[subprocess.Popen[bytes]]:
    """The program on this database. It is killed where the block fails; where it ended badly by itself, ProgramFailed."""
    where = conninfo_to_dict(dsn)
    password = {"PGPASSWORD": str(where.pop("password"))} if where.get("password") else {}
    command = [program, *arguments, f"--dbname={make_conninfo('', **where)}"]
    with tempfile.TemporaryFile() as said, _child(command, stderr=said, more=password, **pipes) as process:
        done = False
        try:
            yield process
            done = True
        finally:
            if not done:
                process.kill()
        if process.wait():
            raise ProgramFailed(_last_words(program, said))


def _child(command: list[str], *, more: dict[str, str] | None = None, **streams: int | BinaryIO) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, env=config.for_children(**more or {}), **streams)  # type: ignore[call-overload, no-any-return]
    except OSError as wrong:
        raise ProgramFailed(f"{command[0]} can't be run: {wrong.strerror}. It comes with PostgreSQL.") from wrong


def _must(command: list[str]) -> None:
    with tempfile.TemporaryFile() as said, _child(command, stdout=said, stderr=said) as process:
        if process.wait():
            raise ProgramFailed(_last_words(command[0], said))


def _last_words(program: str, said: BinaryIO) -> str:
    said.seek(0)
    lines = said.read().decode("utf-8", "replace").strip().splitlines()
    telling = [line for line in lines if "error" in line.lower() or "fatal" in line.lower()] or lines or ["it said nothing"]
    return f"{program} failed: {telling[0][:500]}"

"""`scripts/bench api`: requests a second of the desk as a share of the reference's, in the same minute, at two sizes.

PostgreSQL and the load generator (wrk) run in containers beside the two applications, which have two workers each.
"""

import argparse
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from app.ops.render import this_machine
from scripts.load.fill import TOKEN, fill, requests

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "atum-desk:latest"
WRK = "atum-desk-wrk:latest"
PORT = 54399
DATABASE = f"postgresql://postgres@127.0.0.1:{PORT}"
KINDS = {"list": 0.6, "ticket": 0.6, "search": 0.6, "create": 0.4}
DEPTH = 0.8  # of a figure at the smaller size
WARM = 15  # seconds before anything is measured: a server that was just started has read nothing yet
# As conf/postgres has it for the embedded server.
MACHINE = this_machine()
OPTIONS = {
    "shared_buffers": f"{MACHINE.shared_buffers}MB", "effective_cache_size": f"{MACHINE.cache}MB", "work_mem": "4MB",
    "jit": "off", "random_page_cost": "1.1", "max_parallel_workers_per_gather": "0", "max_wal_size": "512MB",
    "listen_addresses": "127.0.0.1", "port": "54399", "unix_socket_directories": "",
}  # fmt: skip


def docker(*words: str, given: str | None = None) -> str:
    return subprocess.run(["docker", *words], input=given, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def postgres(**more: str) -> Iterator[None]:
    """The image's own PostgreSQL, writing to disk as it does in the desk; with `more` options of its own."""
    options = " ".join(f"-c {name}={value}" for name, value in (OPTIONS | more).items())
    bin, cluster = "/usr/lib/postgresql/17/bin", "/data/postgres"
    serve = (
        f"{bin}/initdb -D {cluster}/pg -U postgres --locale-provider=builtin --locale=C.UTF-8 -A trust >/dev/null"
        f" && exec {bin}/postgres -D {cluster}/pg {options}"
    )
    own = f"install -d -o postgres {cluster} && exec setpriv --reuid postgres --regid postgres --clear-groups sh -c '{serve}'"
    run = ("run", "--rm", "-d", "--no-healthcheck", "--user", "root", "--network", "host", "--entrypoint", "sh")
    container = docker(*run, IMAGE, "-c", own)
    try:
        for _ in range(300):
            try:
                psycopg.connect(f"{DATABASE}/postgres").close()
                break
            except psycopg.OperationalError:
                time.sleep(0.1)
        yield
    finally:
        docker("stop", "-t", "20", container)


def lived_in(folder: Path, dsn: str) -> dict[str, str]:
    """The settings of a desk with this database, whose folder is what it is after its start."""
    (folder / "run/app").mkdir(parents=True, exist_ok=True)
    (folder / "run/app/ready").touch()
    (folder / "secrets").mkdir(exist_ok=True)
    (folder / "secrets/secret_key").write_text(secrets.token_hex(32))
    return {
        "DATABASE_URL": dsn,
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "DATA_DIR": str(folder),
        "RUN_DIR": str(folder / "run"),
        "LOG_LEVEL": "warning",
    }


@contextmanager
def serving(app: str, port: int, environ: dict[str, str]) -> Iterator[str]:
    """An application on two workers; its URL once it answers."""
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        app,
        "--workers",
        "2",
        "--port",
        str(port),
        "--log-level",
        "warning",
        "--no-access-log",
    ]
    process = subprocess.Popen(command, env={**os.environ, **environ}, cwd=ROOT)
    url = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 30
        while not answers(f"{url}/api/v1/tickets/1"):
            if time.monotonic() > until or process.poll() is not None:
                sys.exit(f"{app} did not begin to answer")
            time.sleep(0.1)
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def answers(url: str) -> bool:
    asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})
    try:
        return bool(urllib.request.urlopen(asked, timeout=5).status == 200)
    except (urllib.error.URLError, OSError):
        return False


def rate(url: str, script: Path, *, seconds: int, connections: int) -> float:
    """Requests a second. Any refusal ends the measurement: a fast error is no figure."""
    run = ("run", "--rm", "--network", "host", "-v", f"{script.parent}:/load:ro", WRK)
    said = docker(*run, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", f"/load/{script.name}", url)
    if "Non-2xx" in said or "Socket errors" in said:
        sys.exit(f"{url} refused some of {script.name}:\n{said}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert found, said
    return float(found[1])


def measure(
    tickets: int, folder: Path, *, seconds: int, rounds: int, connections: int, kinds: list[str]
) -> dict[str, dict[str, float]]:
    """For each kind of request: the desk's rate, the reference's, and the desk's share of it (medians of some rounds)."""
    dsn = f"{DATABASE}/bench_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(f"{DATABASE}/postgres", autocommit=True) as c:
        c.execute(f"CREATE DATABASE {dsn.rpartition('/')[2]}")
    fill(dsn, tickets)
    environ = lived_in(folder, dsn)
    found: dict[str, dict[str, float]] = {}
    with (
        serving("app.main:app", 8101, {**environ, "ACCEPT_GATE": "false"}) as desk,
        serving("scripts.load.reference:app", 8102, environ) as bare,
    ):
        for kind in kinds:
            script = requests(kind, tickets, folder)
            for url in (desk, bare):
                rate(url, script, seconds=WARM, connections=connections)
            pairs = [[rate(url, script, seconds=seconds, connections=connections) for url in (desk, bare)] for _ in range(rounds)]
            ours, theirs = (sorted(column)[len(pairs) // 2] for column in zip(*pairs, strict=True))
            found[kind] = {"desk": round(ours, 1), "reference": round(theirs, 1), "share": round(ours / theirs, 2)}
            print(
                f"{tickets:>9} tickets  {kind:<7} {ours:8.1f}/s  reference {theirs:8.1f}/s  share {ours / theirs:.2f}",
                file=sys.stderr,
            )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench api", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--tickets", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=16)
    given = parser.parse_args()
    docker(
        "build",
        "-q",
        "-t",
        WRK,
        "-",
        given='FROM debian:trixie-slim\nRUN apt-get update && apt-get install -y wrk\nENTRYPOINT ["wrk"]\n',
    )
    with tempfile.TemporaryDirectory() as folder, postgres():
        options = {"seconds": given.seconds, "rounds": given.rounds, "connections": given.connections, "kinds": given.kinds}
        found = {tickets: measure(tickets, Path(folder), **options) for tickets in given.tickets}
    if given.json:
        print(json.dumps(found, indent=2))
    return report(found)


def report(found: dict[int, dict[str, dict[str, float]]]) -> int:
    """Say what is below what was promised; 1 where something is."""
    small = found[min(found)]
    short = [
        f"{kind} at {tickets} tickets: {row['share']} of the reference, {KINDS[kind]} promised"
        for tickets, kinds in found.items()
        for kind, row in kinds.items()
        if row["share"] < KINDS[kind]
    ]
    short += [
        f"{kind} at {tickets} tickets: {row['desk'] / small[kind]['desk']:.2f} of its rate at {min(found)}, {DEPTH} promised"
        for tickets, kinds in found.items()
        for kind, row in kinds.items()
        if row["desk"] < DEPTH * small[kind]["desk"]
    ]
    print("\n".join(short) or "every figure is as promised", file=sys.stderr)
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())

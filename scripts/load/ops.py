"""`scripts/bench ops`: a backup of a large desk and what its pages are like meanwhile, its restore on an empty volume, how long
the doctor looks, and a certificate that is replaced under ten thousand requests.
"""

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
from cryptography import x509

from app.core import clock
from app.ops.pairs import make_self_signed
from scripts.load.fill import CUSTOMERS, STATEMENTS
from tests.appliance.driver import ADMIN, PASSWORD, Appliance, eventually
from tests.appliance.visitors import Visitors, shown

PROMISED = {  # at most
    "backup_minutes": 10.0,
    "page_p95_ms": 500.0,
    "page_failed": 0.0,
    "restore_minutes": 15.0,
    "doctor_seconds": 20.0,
    "swap_seconds": 15.0,
    "swap_failed": 0.0,
}
TICKETS = 20_000  # for each gigabyte: a tenth of it is rows then
FILE = 2_000_000  # bytes
REQUESTS = 10_000
FAST = {"API_RATE": "1000r/s", "API_BURST": "1000"}
ROWS = """
import json, sys, psycopg
size, statements, files = json.load(sys.stdin)
with psycopg.connect("host=/run/postgresql user=postgres dbname=atum", autocommit=True) as c:
    c.execute("SET session_replication_role = replica")
    for statement in statements:
        c.execute(statement, size)
    with c.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO attachment (message_id, name, media_type, size, blob, created_at)"
            " VALUES (%s, 'scan.bin', 'application/octet-stream', %s, %s, now())",
            [(n + 1, size["file"], blob) for n, blob in enumerate(files)],
        )
    c.execute("VACUUM ANALYZE")
"""
FILES = """
import os, sys
from pathlib import Path
from app.files.disk import Blobs
blobs = Blobs(Path("/data/files"))
for _ in range(int(sys.argv[1])):
    print(blobs.put(os.urandom(int(sys.argv[2]))))
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench ops", description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=10.0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = kept_and_brought_back(Path(folder), given.gigabytes) | replaced(Path(folder))
    short = [name for name, most in PROMISED.items() if found[name] > most]
    if given.json:
        print(json.dumps(found | {"not_reached": short}, indent=2))
    else:
        for name, value in found.items():
            print(f"{value:>10}  {name}" + (f"  ({PROMISED[name]:g} promised)" if name in PROMISED else ""))
        print("every figure is as promised" if not short else f"NOT reached: {', '.join(short)}")
    return int(bool(short))


def kept_and_brought_back(folder: Path, gigabytes: float) -> dict[str, float]:
    """A desk of this size is backed up while it is used; another takes its place from the archive and the key alone."""
    (folder / "old").mkdir()
    with desk(folder / "old", FAST) as old:
        fill(old, gigabytes)
        files = float(old.run("du", "-sb", "/data/files", user="app").output.split()[0])
        find = {"data_gigabytes": round((files + float(old.sql("SELECT pg_database_size('atum')")[0][0])) / 1e9, 2)}
        began = time.monotonic()
        said(f"{find['data_gigabytes']} GB; doctor")
        old.run("atum", "doctor", "--json")
        find["doctor_seconds"] = round(time.monotonic() - began, 1)
        at_rest = Pages(old)
        at_rest.ask(until=time.monotonic() + 10)
        find["page_alone_p95_ms"] = at_rest.p95
        said("backup")
        began, meanwhile = time.monotonic(), Pages(old)
        reader = threading.Thread(target=meanwhile.ask)
        reader.start()
        made = json.loads(old.atum("backup", "--json"))
        find["backup_minutes"] = minutes(began)
        meanwhile.over.set()
        reader.join()
        if made["state"] != "sound":
            sys.exit(f"the backup is {made['state']}: {made['problem']}")
        find |= {"page_p95_ms": meanwhile.p95, "pages": len(meanwhile.times), "page_failed": meanwhile.failed}
        archive, key = folder / str(made["name"]), folder / "key.txt"
        key.write_text(old.atum("backup", "key"))
        old.compose("cp", f"desk:/data/backups/{archive.name}", str(archive))
    find["archive_gigabytes"] = round(archive.stat().st_size / 1e9, 2)
    (folder / "new").mkdir()
    with desk(folder / "new", {}) as new:
        for path in (archive, key):
            new.compose("cp", str(path), f"desk:/data/backups/{path.name}")
        archive.unlink()
        said("restore")
        began = time.monotonic()
        new.atum("restore", f"/data/backups/{archive.name}", "--key", "/data/backups/key.txt", "--yes")
        new.until_healthy()
        find["restore_minutes"] = minutes(began)
        if int(new.sql("SELECT count(*) FROM ticket")[0][0]) < gigabytes * TICKETS:
            sys.exit("the restored desk has not all tickets")
    return find


def replaced(folder: Path) -> dict[str, float]:
    """How soon a new certificate is shown, and how many of ten thousand requests failed meanwhile."""
    said("certificate")
    pairs = folder / "tls"
    pairs.mkdir()
    brought(pairs)
    (folder / "swap").mkdir()
    settings = FAST | {"ATUM_TLS": "files", "TLS_CERT": "/tls/tls.crt", "TLS_KEY": "/tls/tls.key"}
    with desk(folder / "swap", settings, more=f'volumes: ["{pairs}:/tls:ro"]') as one:
        port = one.port(443)
        with Visitors(port).coming() as visitors:
            eventually(lambda: visitors.answered > REQUESTS / 3, within=300)
            wanted = x509.load_pem_x509_certificate(brought(pairs))
            took = eventually(lambda: shown(port) == wanted, within=60)
            eventually(lambda: visitors.answered > REQUESTS, within=300)
    return {"swap_seconds": round(took, 1), "swap_requests": visitors.answered, "swap_failed": len(visitors.failed)}


def brought(folder: Path) -> bytes:
    """Put a new pair there, each file whole; the certificate."""
    chain, key = make_self_signed(["localhost"], clock.now())
    for name, content in (("tls.crt", chain), ("tls.key", key)):
        (folder / f"{name}.new").write_bytes(content)
        (folder / f"{name}.new").chmod(0o600)
        (folder / f"{name}.new").replace(folder / name)
    return chain


def fill(one: Appliance, gigabytes: float) -> None:
    """Tickets as the other benchmarks have them, and files of nothing that could be packed smaller."""
    said(f"filling {gigabytes:g} GB")
    ran = one.run("/opt/venv/bin/python", "-c", FILES, str(int(gigabytes * 0.9e9 / FILE)), str(FILE), user="app")
    assert ran.code == 0, ran.output
    tickets = int(gigabytes * TICKETS)
    size = {"tickets": tickets, "customers": CUSTOMERS, "organizations": max(20, tickets // 500), "file": FILE}
    statements = [each for each in STATEMENTS.read_text().split(";\n") if each.strip() and "reference_event" not in each]
    given = json.dumps([size, statements, ran.output.split()])
    ran = one.run("/opt/venv/bin/python", "-c", ROWS, user="postgres", stdin=given)
    assert ran.code == 0, ran.output


class Pages:
    """The tickets' pages as their reader has them: a list, then a ticket, ten times a second."""

    def __init__(self, one: Appliance) -> None:
        self.times: list[float] = []  # milliseconds
        self.failed = 0
        self.over = threading.Event()
        self._http = one.client().http
        form = {"email": ADMIN, "password": PASSWORD}
        said = self._http.post("/sign-in", data=form, headers={"Origin": "https://localhost"})
        if said.status_code != 303:
            sys.exit(f"nobody can sign in: {said.status_code} {said.text[:200]}")

    def ask(self, until: float = float("inf")) -> None:
        while time.monotonic() < until and not self.over.wait(0.1):
            began = time.monotonic()
            place = f"/tickets/{1 + len(self.times) % 1000}" if len(self.times) % 2 else "/tickets"
            try:
                status = self._http.get(place).status_code
            except httpx.HTTPError:
                status = 0
            self.failed += status != 200
            self.times.append((time.monotonic() - began) * 1000)

    @property
    def p95(self) -> float:
        return round(statistics.quantiles(self.times, n=20)[-1], 1)


@contextmanager
def desk(folder: Path, settings: dict[str, str], **more: Any) -> Iterator[Appliance]:
    one = Appliance(folder, mail=False, settings=settings, **more)
    try:
        yield one.up()
    finally:
        one.down()


def minutes(began: float) -> float:
    return round((time.monotonic() - began) / 60, 2)


def said(words: str) -> None:
    print(f"ops: {words}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

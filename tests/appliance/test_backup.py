"""Backed up while people work, a desk is the same again on an empty volume; what is amiss with a backup changes nothing."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import pyrage
import pytest

from app.ops.backup import archive
from tests.appliance.client import Client
from tests.appliance.conftest import ALICE
from tests.appliance.driver import PASSWORD, Appliance, eventually
from tests.appliance.test_story import arrived, ticket_about

HILDA = "hilda@acme.example"  # nobody else writes as her: an address gets one acknowledgement an hour
SECOND = "sales@desk.example"
THERE = "/data/backups/brought.tar.age"
# What nobody changes while a desk is at rest.
STABLE = ("ticket", "message", "attachment", "inbound_mail", "organization")
HASH = "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM {} t"


@dataclass
class Saved:
    """A backup that left its desk, its key, and what was in it."""

    archive: Path
    key: Path
    made: dict[str, Any]
    contents: dict[str, dict[str, Any]]
    files: dict[str, bytes]
    answer: Any
    number: int

    def identity(self) -> str:
        return next(line for line in self.key.read_text().splitlines() if line.startswith("AGE-SECRET"))


@pytest.fixture(scope="module")
def saved(desk: Appliance, alice: Client, root: Client, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """A desk with a mail's story, a file, and a second mailbox, backed up while tickets come in. `desk` lives on."""
    folder = tmp_path_factory.mktemp("saved")
    desk.mail.write("The tap drips", "All night long.", sender=HILDA)
    number = ticket_about(alice, "The tap drips")["number"]
    alice.post(f"/tickets/{number}/acceptance")
    alice.post(f"/tickets/{number}/messages", {"body": "Is it the cold one?", "status": "waiting_customer"})
    answer = arrived(desk, HILDA, "Re: The tap drips")
    picture = bytes(range(256)) * 3000
    root.ask("POST", f"/api/v1/tickets/{number}/attachments", files=[("files", ("tap.bin", picture))])
    way = {"host": "mail", "port": 143, "tls": False, "password": "demo"}
    second = root.post("/mailboxes", {"address": SECOND} | way)["id"]
    made = under_load(desk)
    root.ask("DELETE", f"/api/v1/mailboxes/{second}")
    inside = f"/data/backups/{made['name']}"
    (folder / "key.txt").write_text(desk.atum("backup", "key"))
    copied(desk, inside, folder / "saved.tar.age")
    saved = Saved(folder / "saved.tar.age", folder / "key.txt", made, {}, {}, answer, number)
    for member in archive.members(saved.archive, saved.identity()):
        if member.name == "database.json":
            saved.contents = json.loads(member.whole())
        elif member.name.startswith("files/"):
            saved.files[member.name.rpartition("/")[2]] = member.whole()
    return saved


def under_load(desk: Appliance) -> dict[str, Any]:
    """Make a backup while somebody opens tickets one after the other."""
    stop, busy = Event(), desk.signed_in()

    def work() -> int:
        opened = 0
        while not stop.is_set():
            busy.post("/tickets", {"subject": f"More work {opened}", "body": "Please"})
            opened += 1
        return opened

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        try:
            eventually(lambda: len(busy.tickets()) > 3, within=30)
            ran = desk.run("atum", "backup", "--json")
        finally:
            stop.set()
        assert working.result() > 3
    assert ran.code == 0, ran.output
    found: dict[str, Any] = json.loads(ran.output)
    return found


def copied(desk: Appliance, inside: str, here: Path) -> None:
    """As it lies there: for nobody but its owner, who is somebody else when it is brought back."""
    subprocess.run(["docker", "cp", f"{desk.container.id}:{inside}", str(here)], check=True, capture_output=True)


def brought(desk: Appliance, here: Path, inside: str = THERE) -> str:
    subprocess.run(["docker", "cp", str(here), f"{desk.container.id}:{inside}"], check=True, capture_output=True)
    return inside


@pytest.fixture(scope="module")
def box(saved: Saved, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """An empty volume, with a mail server of its own."""
    one = Appliance(tmp_path_factory.mktemp("box"))
    one.up()
    yield one
    one.down()


def contents(desk: Appliance) -> dict[str, dict[str, Any]]:
    found = {}
    for table in STABLE:
        [[rows, hash]] = desk.sql(HASH.format(table))
        found[table] = {"rows": int(rows), "hash": hash}
    return found


def test_a_backup_under_load_is_proven_and_says_so(desk: Appliance, saved: Saved) -> None:
    assert (saved.made["state"], saved.made["problem"]) == ("sound", None)
    assert saved.made["contents"]["rows"] == sum(table["rows"] for table in saved.contents.values())
    part = desk.parts()["backup"]
    assert (part["status"], part["last"], part["key_kept"]) == ("ok", "sound", True)
    assert "The backup is good." in desk.atum("backup", "verify", f"/data/backups/{saved.made['name']}")
    assert len(desk.signed_in().tickets()) > saved.contents["ticket"]["rows"]


def test_one_is_made_when_an_administrator_asks_for_it(desk: Appliance) -> None:
    root = desk.signed_in()
    before = len(root.get("/backups")["items"])
    root.ask("POST", "/api/v1/backups", expect=202)
    eventually(lambda: [one["state"] for one in root.get("/backups")["items"]][: -before or None] == ["sound"], within=60)


def harmed(saved: Saved, harm: str, folder: Path) -> Path:
    path, data = folder / f"{harm}.tar.age", bytearray(saved.archive.read_bytes())
    if harm == "truncated":
        del data[len(data) // 2 :]
    if harm == "flipped":
        data[len(data) // 2] ^= 1
    path.write_bytes(data)
    if harm == "newer":
        recipient = str(pyrage.x25519.Identity.from_str(saved.identity()).to_public())
        with path.open("wb") as file, archive.writing(file, recipient, {"version": "9", "revision": "9999"}, made=0) as writer:
            writer.add("database/00001", b"x")
    return path


def test_what_is_amiss_with_a_backup_is_told_and_changes_nothing(box: Appliance, saved: Saved, tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text(str(pyrage.x25519.Identity.generate()))
    key = brought(box, saved.key, "/data/backups/key.txt")
    other = brought(box, tmp_path / "other.txt", "/data/backups/other.txt")
    before = contents(box), box.run("sha256sum", "/data/secrets/secret_key", user="app").output
    for harm, words in {
        "key": "made for another key",
        "truncated": "damaged or was cut short",
        "flipped": "damaged or was cut short",
        "newer": "Version 9 of the desk made this archive",
    }.items():
        there = brought(box, harmed(saved, harm, tmp_path))
        ran = box.run("atum", "restore", there, "--key", other if harm == "key" else key, "--yes")
        assert ran.code == 1, ran.output
        assert words in ran.output
        assert "Nothing was changed" in ran.output
    assert before == (contents(box), box.run("sha256sum", "/data/secrets/secret_key", user="app").output)
    assert box.health()[0] == 200


def test_on_an_empty_volume_it_is_the_same_desk_again(box: Appliance, saved: Saved) -> None:
    there, key = brought(box, saved.archive), brought(box, saved.key, "/data/backups/key.txt")
    assert "The backup is good." in box.atum("backup", "verify", there, "--key", key)
    ran = box.run("atum", "restore", there, "--key", key, stdin="another desk\n")
    assert (ran.code, "That is not this desk's name" in ran.output) == (1, True)
    ran = box.run("atum", "restore", there, "--key", key, stdin="localhost\n")
    assert ran.code == 0, ran.output
    box.until_healthy()

    found = contents(box)
    assert found == {table: saved.contents[table] for table in STABLE}
    assert found["ticket"]["rows"] > 3
    blobs = {row[0] for row in box.sql("SELECT DISTINCT blob FROM attachment")}
    assert blobs == set(saved.files)
    for blob in blobs:
        sums = box.run("sha256sum", f"/data/files/{blob[:2]}/{blob[2:4]}/{blob}", user="app").output
        assert sums.split()[0] == blob == hashlib.sha256(saved.files[blob]).hexdigest()

    alice = box.signed_in(ALICE, PASSWORD)
    assert ticket_about(alice, "The tap drips")["number"] == saved.number
    box.mail.answer(saved.answer, "Yes, the cold one.", sender=HILDA)
    ticket = f"/tickets/{saved.number}"
    eventually(lambda: "Yes, the cold one." in str(alice.get(f"{ticket}/messages")), within=40)
    assert alice.get(ticket)["status"] == "in_progress"
    assert len([one for one in alice.tickets() if "The tap drips" in one["subject"]]) == 1
    eventually(lambda: box.parts()["mailboxes"]["status"] == "ok", within=30, otherwise=box.parts)
    assert SECOND in str(box.parts()["mailboxes"]["each"])
    kinds = [one["kind"] for one in box.signed_in().get("/audit?kind=desk.restored")["items"]]
    assert kinds == ["desk.restored"]


def test_the_desk_before_is_kept_until_it_is_forgotten(box: Appliance, saved: Saved) -> None:
    listed = "SELECT datname FROM pg_database WHERE datname LIKE 'atum%' ORDER BY 1"
    assert box.sql(listed) == [["atum"], ["atum_before_restore"]]
    box.atum("restore", "--forget")
    assert box.sql(listed) == [["atum"]]
    assert box.run("ls", "/data").output.split() == sorted(
        ["backups", "files", "mail", "postgres", "redis", "restore.json", "secrets", "tls", "tmp"]
    )

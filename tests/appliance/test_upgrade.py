"""From an image of an earlier commit to this one while mail comes in, and back: nothing is lost but what a migration changes."""

import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.appliance.conftest import Make
from tests.appliance.driver import ROOT, Appliance, eventually
from tests.appliance.peers import a_mail

# The first whose migrations are as they are now, with two of them, and one with half of them.
EARLIER = ("ce99c9f", "98e5cf6")
KEYS = {"message": "id", "audit_event": "seq", "person": "id", "organization": "id", "ticket": "number"}
Rows = dict[str, dict[str, Any]]


def image_of(commit: str, folder: Path) -> str:
    """An image made from that commit, kept for the next time."""
    name = f"atum-desk:from-{commit}"
    if subprocess.run(["docker", "image", "inspect", name], capture_output=True, check=False).returncode:
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "x", "-C", str(folder)], input=archive, check=True)
        subprocess.run(["docker", "build", "-q", "-t", name, str(folder)], check=True, capture_output=True)
    return name


class Load:
    """Somebody writes mails without a pause."""

    def __init__(self, desk: Appliance) -> None:
        self._desk, self._stop, self.sent = desk, threading.Event(), 0
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        while not self._stop.wait(0.3):
            mail = a_mail(f"Load {self.sent}", sender=f"load{self.sent}@acme.example")
            self._desk.mail.send([mail])
            self.sent += 1


def rows(desk: Appliance) -> dict[str, Rows]:
    """What is in the tables that nobody changes afterwards, row by row."""
    found = {}
    for table, key in KEYS.items():
        lines = desk.sql(f"SELECT t.{key}, encode(convert_to(to_jsonb(t)::text, 'UTF8'), 'hex') FROM {table} t")
        found[table] = {row[0]: json.loads(bytes.fromhex(row[1])) for row in lines}
    return found


def changed(before: dict[str, Rows], after: dict[str, Rows]) -> list[str]:
    """Each row that is gone or whose columns, as far as both have them, are not what they were."""
    said = []
    for table, kept in before.items():
        for key, row in kept.items():
            now = after[table].get(key)
            differing = ["gone"] if now is None else [name for name in row.keys() & now.keys() if row[name] != now[name]]
            said += [f"{table} {key}: {', '.join(differing)}"] if differing else []
    return said


def loads(desk: Appliance) -> list[str]:
    return sorted(row[0] for row in desk.sql("SELECT subject FROM ticket WHERE subject LIKE 'Load %'"))


def all_are_there(desk: Appliance, sent: int) -> None:
    wanted = sorted(f"Load {number}" for number in range(sent))
    eventually(lambda: loads(desk) == wanted, within=90, every=1, otherwise=lambda: set(wanted) ^ set(loads(desk)))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("commit", EARLIER)
def test_upgraded_under_load_and_gone_back_from_nothing_is_lost(make: Make, tmp_path: Path, commit: str) -> None:
    desk = make()
    newest, desk.image = desk.image, image_of(commit, tmp_path)
    desk.up()
    revision = desk.sql("SELECT version_num FROM alembic_version")[0][0]
    desk.mail.send([a_mail(f"Before {number}", sender=f"seed{number}@acme.example") for number in range(10)])
    eventually(lambda: desk.sql("SELECT count(*) FROM ticket WHERE subject LIKE 'Before %'") == [["10"]], within=60)

    with Load(desk) as load:
        eventually(lambda: len(loads(desk)) > 10, within=60)
        before = rows(desk)
        assert min(map(len, (before["message"], before["ticket"], before["audit_event"]))) > 20
        desk.image = newest
        desk.up()
        eventually(lambda: len(loads(desk)) > len(before["ticket"]), within=60)
    all_are_there(desk, load.sent)
    assert changed(before, rows(desk)) == []
    assert "whole" in desk.atum("audit", "verify")
    assert f"before-{revision}-" in desk.atum("migrate", "status")

    desk.image = f"atum-desk:from-{commit}"
    desk.up(wait=False)
    assert desk.exit_code(90) == 65
    desk.image = newest
    desk.up()
    assert changed(before, rows(desk)) == []

    assert "ends with 75" in desk.atum("migrate", "back", "--yes")
    desk.container.restart()
    assert desk.exit_code(120) == 75
    assert f"at revision {revision}" in desk.logs()
    desk.image = f"atum-desk:from-{commit}"
    desk.up()
    assert desk.sql("SELECT version_num FROM alembic_version") == [[revision]]
    assert changed(before, rows(desk)) == []
    desk.mail.write("After it all", sender="late@acme.example")
    eventually(lambda: desk.sql("SELECT count(*) FROM ticket WHERE subject = 'After it all'") == [["1"]], within=60)

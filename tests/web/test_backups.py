"""Backups on their page and for programs: told to administrators alone, and asked for by them."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.audit.models import Entry
from app.core import clock
from app.ops.backup import nights
from app.ops.models import Backup, BackupKey, BackupState
from tests.web.conftest import Web

API = "/api/v1/backups"
COUNTS = {"tables": 65, "rows": 1234, "files": 7, "mail": 2, "missing": 0, "damaged": 0}


@pytest.fixture
def made(web: Web) -> list[str]:
    """Three backups, the last first: a sound one, a failed one, and one that is being made."""
    now = clock.now()
    with web.desk.db.transaction() as s:
        for night, state in ((2, BackupState.SOUND), (1, BackupState.FAILED), (0, BackupState.RUNNING)):
            began = now - timedelta(days=night)
            row = Backup(name=f"atum-{night}.tar.age", state=state, recipient="age1x", began_at=began)
            if state is not BackupState.RUNNING:
                row.ended_at = began + timedelta(seconds=90)
            if state is BackupState.SOUND:
                row.rehearsed_at, row.size, row.contents = began + timedelta(seconds=80), 5_000_000, COUNTS
            if state is BackupState.FAILED:
                row.problem = "pg_dump failed: <no>"
            s.add(row)
            s.flush()
    return ["atum-0.tar.age", "atum-1.tar.age", "atum-2.tar.age"]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_every_one_is_on_one_page_the_last_first(web: Web, made: list[str], limit: int) -> None:
    program, found, cursor = web.program(web.cast.root), [], ""
    while True:
        page = program.get(f"{API}?limit={limit}{cursor}").json()
        found += page["items"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert [one["name"] for one in found] == made
    assert (found[2]["state"], found[2]["contents"], found[2]["size"]) == ("sound", COUNTS, 5_000_000)
    assert (found[1]["problem"], found[1]["rehearsed_at"]) == ("pg_dump failed: <no>", None)


def test_the_page_says_which_are_proven_what_failed_and_whose_key_nobody_has(web: Web, made: list[str]) -> None:
    browser = web.browser(web.cast.root)
    said = browser.page("/admin/backups").text
    assert "65 tables, 1234 rows, 7 files, 2 large mails" in said
    assert "what it had been. One is made each night" in " ".join(said.split())
    assert "counts equal" in said
    assert "pg_dump failed: <no>" in said
    assert "90 s" in said
    assert "atum backup key" in said
    assert "Nobody has kept the key" in said
    with web.desk.db.transaction() as s:
        s.add(BackupKey(recipient="age1x", shown_at=clock.now()))
    assert "Nobody has kept the key" not in browser.page("/admin/backups").text


def test_a_new_desk_says_when_the_first_one_is_made(web: Web) -> None:
    assert "The first one is made at 02:00." in web.browser(web.cast.root).page("/admin/backups").text


def test_one_is_asked_for_by_page_and_by_program_and_that_is_recorded(web: Web) -> None:
    mark = nights.mark(web.desk.settings)
    answer = web.browser(web.cast.root).submit("/admin/backups", "/admin/backups")
    assert answer.headers["location"] == "/admin/backups?asked=1"
    assert mark.exists()
    mark.unlink()
    answer = web.program(web.cast.root).post(API)
    assert (answer.status_code, answer.json()) == (202, {"words": nights.WORDS})
    assert mark.exists()
    with web.desk.db.transaction() as s:
        actors = s.scalars(select(Entry.actor).where(Entry.kind == "backup.asked")).all()
    assert actors == ["Root <root@desk.example>"] * 2


@pytest.mark.parametrize("name", ["bob", "alice", "carol", "mallory"])
def test_it_is_nobody_elses_business(web: Web, made: list[str], name: str) -> None:
    person = getattr(web.cast, name)
    assert web.program(person).get(API).status_code == 403
    assert web.program(person).post(API).status_code == 403
    assert web.browser(person).get("/admin/backups").status_code == 403
    assert not nights.mark(web.desk.settings).exists()
    assert "/admin/backups" not in web.browser(person).get("/account/second-factor").text

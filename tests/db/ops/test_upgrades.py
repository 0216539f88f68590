"""Upgrading: backed up first, all of it or nothing, not tried twice in blindness, and with a way back."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, inspect, text

from app import config
from app.config import Settings
from app.db.session import Database
from app.db.session import now as database_now
from app.entry import asking, boot, cli
from app.files.disk import Blobs
from app.files.models import Attachment
from app.ops import migrate, upgrades
from app.ops.backup import archive, before, databases, fingerprints, keys, making, rehearsal, restoring
from app.ops.upgrades import State
from tests.cast import assemble
from tests.db.ops.conftest import PowerLasts

pytestmark = pytest.mark.usefixtures("programs", "room")
GOOD = "ALTER TABLE person ADD COLUMN shoe_size int"
BROKEN = "SELECT 1 / 0"
SCRIPT = '''"""One of a newer version."""
from alembic import op
revision = "{revision}"
down_revision = "{after}"
def upgrade() -> None:
    op.execute("{statement}")
'''


class Newer:
    """A version with more migrations than this one."""

    def __init__(self, scripts: Path) -> None:
        self._folder = scripts / "versions"
        self.newest = max(path.name for path in self._folder.glob("*.py"))[:4]

    def adds(self, **statements: str) -> None:
        after = self.newest
        for name, statement in statements.items():
            revision = name.lstrip("_")
            script = SCRIPT.format(revision=revision, after=after, statement=statement)
            (self._folder / f"{revision}_more.py").write_text(script)
            after = revision


@pytest.fixture
def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Newer:
    scripts = shutil.copytree(migrate.SCRIPTS, tmp_path / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(migrate, "SCRIPTS", scripts)
    return Newer(scripts)


@pytest.fixture(autouse=True)
def inhabited(database: Database, settings: Settings) -> Iterator[None]:
    with database.transaction() as s:
        assemble(s, database_now(s))
    yield
    for suffix in (databases.NEXT, databases.BEFORE):
        databases.drop(settings.database_dsn, suffix)


def of(dsn: str) -> fingerprints.Contents:
    with psycopg.connect(dsn, options=fingerprints.SETTINGS) as c:
        return fingerprints.of(c)


def gave_up(settings: Settings) -> boot.GaveUp:
    with pytest.raises(boot.GaveUp) as found:
        boot.bring_up_to_date(settings)
    return found.value


def atum(settings: Settings, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(config, "load", lambda: settings)
    return cli.main(list(words))


def test_a_database_is_backed_up_and_the_backup_restored_for_practice_before_it_is_migrated(
    settings: Settings, newer: Newer, owner: Engine
) -> None:
    as_it_was = of(settings.database_dsn)
    newer.adds(_0998=GOOD)
    boot.bring_up_to_date(settings)
    assert "shoe_size" in {column["name"] for column in inspect(owner).get_columns("person")}
    [kept] = before.there(settings)
    assert before.revision_of(kept) == newer.newest
    found = before.check(settings, kept)
    assert found.contents == as_it_was
    assert (found.manifest["revision"], found.manifest["only"]) == (newer.newest, "database")
    assert kept.stat().st_mode & 0o077 == 0
    told = json.loads((settings.app_run / "maintenance" / "status.json").read_text())
    assert told["step"] == "migrating the database, step 1 of 1"


def test_a_new_database_and_one_of_this_version_are_not_backed_up(settings: Settings, owner: Engine) -> None:
    boot.bring_up_to_date(settings)
    with owner.begin() as c:
        c.execute(text("DROP SCHEMA public CASCADE; CREATE SCHEMA public"))
    boot.bring_up_to_date(settings)
    assert before.there(settings) == []


def test_three_are_kept(settings: Settings, newer: Newer, owner: Engine) -> None:
    folder = settings.data_dir / "backups"
    folder.mkdir()
    for day in (1, 2, 3):
        (folder / f"before-0001-2026010{day}T000000Z.tar.age").touch()
    newer.adds(_0998=GOOD)
    boot.bring_up_to_date(settings)
    assert [path.name[:15] for path in before.there(settings)[1:]] == ["before-0001-202"] * 2
    assert not (folder / "before-0001-20260101T000000Z.tar.age").exists()


def test_one_that_breaks_leaves_the_database_as_it_was_before_all_of_them_and_says_the_way_back(
    settings: Settings, newer: Newer, owner: Engine
) -> None:
    as_it_was = of(settings.database_dsn)
    newer.adds(_0998=GOOD, _0999=BROKEN)
    why = gave_up(settings)
    [kept] = before.there(settings)
    assert why.code == 75
    for words in ("0999", "division by zero", str(kept), "start the version before", "desk migrate retry"):
        assert words in str(why), words
    assert of(settings.database_dsn) == as_it_was
    assert "shoe_size" not in {column["name"] for column in inspect(owner).get_columns("person")}


def test_what_failed_is_not_tried_again_until_it_was_mended_or_somebody_says_so(
    settings: Settings, newer: Newer, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer.adds(_0999=BROKEN)
    first = gave_up(settings)
    with monkeypatch.context() as m:
        m.setattr(before, "make", lambda *_, **__: pytest.fail("it was tried again"))
        assert str(gave_up(settings)) == str(first)
    assert atum(settings, monkeypatch, "migrate", "retry") == 0
    assert gave_up(settings).code == 75
    newer.adds(_0999=GOOD)
    boot.bring_up_to_date(settings)
    assert upgrades.recall(settings) is None


def test_what_only_was_in_the_way_is_tried_again_at_the_next_start(
    settings: Settings, newer: Newer, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer.adds(_0998=GOOD)
    monkeypatch.setattr(migrate, "HURRIED", migrate.HURRIED.replace("10s", "200ms"))
    with psycopg.connect(settings.database_dsn) as other:
        other.execute("LOCK TABLE person IN ACCESS SHARE MODE")
        why = gave_up(settings)
    assert (why.code, "lock timeout" in str(why), "Start the desk again" in str(why)) == (75, True, True)
    boot.bring_up_to_date(settings)


@pytest.mark.parametrize("harm", ["full", "no room to rehearse", "spoiled"])
def test_without_a_good_backup_nothing_is_migrated_unless_that_is_wanted(
    settings: Settings, newer: Newer, owner: Engine, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    newer.adds(_0998=GOOD)
    with monkeypatch.context() as m:
        if harm == "full":
            m.setattr(making, "CAREFUL", 1 << 60)
        if harm == "no room to rehearse":
            m.setattr(rehearsal, "ROOM", 1e12)
        if harm == "spoiled":
            m.setattr(rehearsal, "compare", lambda *_: refuse())
        why = gave_up(settings)
    assert (why.code, "No migration was begun" in str(why), "UPGRADE_BACKUP=off" in str(why)) == (75, True, True)
    assert before.there(settings) == []
    assert migrate.pending(owner) == ["0998"]
    environ = {"DATABASE_URL": settings.database_dsn, "DATA_DIR": str(settings.data_dir), "UPGRADE_BACKUP": "off"}
    wanted = config.load(environ | {"RUN_DIR": str(settings.run_dir)}, secrets=settings.data_dir / "none")
    boot.bring_up_to_date(wanted)
    assert migrate.pending(owner) == []


def refuse() -> None:
    raise rehearsal.Differs


@pytest.fixture
def upgraded(settings: Settings, newer: Newer, database: Database) -> fingerprints.Contents:
    """A desk that was upgraded and then worked with; its contents before that."""
    as_it_was = of(settings.database_dsn)
    newer.adds(_0998=GOOD)
    boot.bring_up_to_date(settings)
    with psycopg.connect(settings.database_dsn) as c:
        c.execute("UPDATE person SET shoe_size = 43")
    return as_it_was


def test_the_way_back_is_one_command_and_one_start(
    settings: Settings, newer: Newer, upgraded: fingerprints.Contents, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.close()
    newest = of(settings.database_dsn)
    assert atum(settings, monkeypatch, "migrate", "back", "--yes") == 0
    assert of(settings.database_dsn) == newest
    why = gave_up(settings)
    assert (why.code, f"at revision {newer.newest}" in str(why)) == (75, True)
    assert of(settings.database_dsn) == upgraded
    assert of(databases.beside(settings.database_dsn, databases.BEFORE)) == newest
    assert str(gave_up(settings)) == str(why)
    assert of(settings.database_dsn) == upgraded

    assert atum(settings, monkeypatch, "migrate", "retry") == 0
    boot.bring_up_to_date(settings)
    assert of(settings.database_dsn)["person"].rows == newest["person"].rows


def test_the_version_before_starts_on_what_was_gone_back_to(
    settings: Settings, upgraded: fingerprints.Contents, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.close()
    assert atum(settings, monkeypatch, "migrate", "back", "--yes") == 0
    gave_up(settings)
    with monkeypatch.context() as older:
        older.setattr(migrate, "SCRIPTS", Path(migrate.__file__).parents[1] / "migrations")
        boot.bring_up_to_date(settings)
    assert of(settings.database_dsn) == upgraded


def test_an_older_version_names_the_backup_that_fits_it(
    settings: Settings, upgraded: fingerprints.Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    [kept] = before.there(settings)
    with monkeypatch.context() as older:
        older.setattr(migrate, "SCRIPTS", Path(migrate.__file__).parents[1] / "migrations")
        why = gave_up(settings)
    assert (why.code, f"desk migrate back {kept.name}" in str(why)) == (65, True)


@pytest.mark.parametrize("renames", [0, 1])
def test_going_back_cut_short_is_finished_by_the_next_start(
    settings: Settings,
    upgraded: fingerprints.Contents,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    power_lasts: PowerLasts,
    renames: int,
) -> None:
    database.close()
    assert atum(settings, monkeypatch, "migrate", "back", "--yes") == 0
    with power_lasts(renames):
        assert gave_up(settings).code == 75
    memory = upgrades.recall(settings)
    assert memory is not None
    assert memory.state is State.DECIDED
    assert atum(settings, monkeypatch, "migrate", "retry") == 1
    assert boot._database_answers(settings)
    assert of(settings.database_dsn) == upgraded
    assert gave_up(settings).code == 75


def test_it_is_not_gone_back_without_the_desks_name_nor_to_a_backup_that_is_not_what_it_was(
    settings: Settings, upgraded: fingerprints.Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest, [kept] = of(settings.database_dsn), before.there(settings)
    monkeypatch.setattr(asking, "line", lambda _: "another desk")
    assert atum(settings, monkeypatch, "migrate", "back") == 1
    good, key = kept.read_bytes(), keys.path(settings).read_text()
    for harm in ("flipped", "gone", "key"):
        spoil(settings, kept, harm)
        assert atum(settings, monkeypatch, "migrate", "back", "--yes") == 1, harm
        assert upgrades.recall(settings) is None, harm
        upgrades.remember(settings, upgrades.Memory(State.ASKED, "", "", archive=kept.name))
        why = gave_up(settings)
        assert (why.code, "Going back failed" in str(why)) == (75, True), harm
        assert of(settings.database_dsn) == newest, harm
        kept.write_bytes(good)
        keys.path(settings).write_text(key)
        upgrades.forget(settings)


def spoil(settings: Settings, path: Path, harm: str) -> None:
    if harm == "flipped":
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    if harm == "gone":
        path.unlink()
    if harm == "key":
        keys.path(settings).unlink()


def test_restored_as_a_whole_backup_it_is_refused_where_its_files_are_missing(
    settings: Settings, newer: Newer, database: Database
) -> None:
    blobs = Blobs(settings.data_dir / "files")
    name = blobs.put(b"a file")
    with database.transaction() as s:
        row: dict[str, Any] = {"message_id": 1, "name": "a.txt", "media_type": "text/plain", "size": 6, "blob": name}
        s.add(Attachment(**row, created_at=database_now(s)))
    newer.adds(_0998=GOOD)
    boot.bring_up_to_date(settings)
    [kept] = before.there(settings)
    (settings.data_dir / "secrets.next").mkdir()
    restoring.prepare(kept, keys.identity(settings), settings)
    blobs.path(name).unlink()
    with pytest.raises(archive.Refused, match=name):
        restoring.prepare(kept, keys.identity(settings), settings)

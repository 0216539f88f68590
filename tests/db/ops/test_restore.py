"""A restore is laid ready beside the desk, and changes places with it: refused, it leaves everything as it was."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app import config
from app.audit import verifying
from app.config import Settings
from app.core import clock
from app.db.session import Database, DatabaseGone
from app.db.session import now as database_now
from app.entry import boot
from app.files.disk import Blobs
from app.files.models import Attachment
from app.ops import health, migrate, notary
from app.ops.backup import archive, databases, fingerprints, keys, making, rehearsal, restoring, swapping
from tests.cast import assemble
from tests.db.ops.conftest import PowerLasts

pytestmark = pytest.mark.usefixtures("programs", "room")
WORDS = b"What was written to us. " * 5000


@pytest.fixture
def blob(database: Database, settings: Settings) -> str:
    name = Blobs(settings.data_dir / "files").put(WORDS)
    with database.transaction() as s:
        assemble(s, database_now(s))
        row = {"message_id": 1, "name": "a.txt", "media_type": "text/plain", "size": len(WORDS), "blob": name}
        s.add(Attachment(**row, created_at=database_now(s)))
    return name


@pytest.fixture
def backup(database: Database, settings: Settings, blob: str) -> Path:
    """A backup of a desk with people and a file, and with a certificate of its own."""
    tls = io.BytesIO()
    with tarfile.open(fileobj=tls, mode="w") as tar:
        info = tarfile.TarInfo("tls.key")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"a key"))
    tls.seek(0)
    return settings.data_dir / "backups" / str(making.make(database, settings, tls=tls)["name"])


@pytest.fixture
def box(other_database: Database, tmp_path: Path) -> Iterator[Settings]:
    """A fresh box: another database, another volume."""
    data = tmp_path / "box"
    for name in ("secrets", "secrets.next", "files", "mail", "tmp/rehearsal"):
        (data / name).mkdir(parents=True)
    (data / "secrets" / "secret_key").write_text("cd" * 32)
    environ = {"DATABASE_URL": other_database.dsn, "DATA_DIR": str(data), "RUN_DIR": str(data / "run")}
    made = config.load(environ, secrets=data / "none")
    yield made
    for suffix in (databases.NEXT, databases.BEFORE):
        databases.drop(made.database_dsn, suffix)


def of(dsn: str) -> fingerprints.Contents:
    with psycopg.connect(dsn, options=fingerprints.SETTINGS) as c:
        return fingerprints.of(c)


def whole(settings: Settings) -> tuple[fingerprints.Contents, list[tuple[str, bytes]]]:
    """All that a desk lives on."""
    paths = (path for path in settings.data_dir.rglob("*") if path.is_file() and "tmp" not in path.parts)
    return of(settings.database_dsn), sorted((str(path), path.read_bytes()) for path in paths)


def test_it_becomes_the_desk_that_was_saved_with_everything_and_the_one_before_is_kept(
    settings: Settings, box: Settings, backup: Path, blob: str
) -> None:
    identity, before = keys.identity(settings), of(box.database_dsn)
    restoring.check(backup, identity, box)
    tls = io.BytesIO()
    checked = restoring.prepare(backup, identity, box, tls=tls)
    assert of(box.database_dsn) == before
    swapping.decide(box.data_dir, clock.now())
    assert swapping.folders(box.data_dir) == ["secrets"]
    assert swapping.finish(box)
    assert not swapping.finish(box)

    found = of(box.database_dsn)
    changed = {name for name in found if found[name] != checked.contents[name]}
    assert changed == {"audit_event", "audit_head", "backup"}
    assert found["audit_event"].rows == checked.contents["audit_event"].rows + 1
    assert Blobs(box.data_dir / "files").get(blob) == WORDS
    assert config.secret_key(box).hex() == "ab" * 32
    assert keys.identity(box) == identity
    tls.seek(0)
    with tarfile.open(fileobj=tls) as tar:
        assert tar.getnames() == ["tls.key"]
    assert of(databases.beside(box.database_dsn, databases.BEFORE)) == before
    with psycopg.connect(box.database_dsn) as c:
        told = c.execute("SELECT data ->> 'archive' FROM audit_event WHERE kind = 'desk.restored'").fetchall()
        assert told == [(backup.name,)]
        assert c.execute("SELECT name, state FROM backup").fetchall() == [(backup.name, "sound")]
        assert c.execute("SELECT count(*) FROM pg_stats WHERE schemaname = 'public'").fetchone() != (0,)
        role = c.execute("SELECT rolname FROM pg_roles WHERE rolname = session_user || '_app'").fetchone()
        if role:  # the desk goes on working as the role that can't change the audit
            assert c.execute("SELECT has_table_privilege(%s, 'audit_event', 'DELETE')", role).fetchone() == (False,)
            assert c.execute("SELECT has_table_privilege(%s, 'ticket', 'UPDATE')", role).fetchone() == (True,)

    desk = Database(box.database_dsn)
    with desk.reading() as c:
        assert verifying.database(c, notary.seal(box).public, kept=[]).verdict.whole
        assert health.backup(c, box).status == health.OK
    desk.close()


@pytest.mark.parametrize("renames", [0, 1])
def test_cut_short_between_its_renamings_the_next_start_finishes_it(
    settings: Settings, box: Settings, backup: Path, power_lasts: PowerLasts, renames: int
) -> None:
    checked = restoring.prepare(backup, keys.identity(settings), box)
    swapping.decide(box.data_dir, clock.now())
    with power_lasts(renames), pytest.raises(DatabaseGone):
        swapping.finish(box)
    assert boot._database_answers(box)
    assert of(box.database_dsn)["person"] == checked.contents["person"]
    assert not swapping.finish(box)


def test_what_was_not_decided_is_never_taken(settings: Settings, box: Settings, backup: Path) -> None:
    before = of(box.database_dsn)
    restoring.prepare(backup, keys.identity(settings), box)
    assert not swapping.finish(box)
    assert of(box.database_dsn) == before


@pytest.mark.parametrize("harm", ["key", "truncated", "flipped", "newer", "strange", "room"])
def test_it_is_refused_before_anything_is_touched(
    settings: Settings, box: Settings, backup: Path, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity, data, before = keys.identity(settings), backup.read_bytes(), whole(box)
    refusals = {"key": archive.WrongKey, "newer": archive.Newer, "room": restoring.NoRoom}
    if harm == "key":
        identity = keys.identity(box)
        before = whole(box)
    elif harm == "truncated":
        backup.write_bytes(data[: len(data) * 2 // 3])
    elif harm == "flipped":
        backup.write_bytes(data[:50_000] + bytes([data[50_000] ^ 1]) + data[50_001:])
    elif harm in ("newer", "strange"):
        with backup.open("wb") as file:
            manifest = {"version": "9", "revision": "9999" if harm == "newer" else migrate.head()}
            with archive.writing(file, keys.recipient(identity), manifest, made=0) as writer:
                writer.add("files/elsewhere", b"x")
    else:
        monkeypatch.setattr(rehearsal, "free", lambda _: 0)
    with pytest.raises(refusals.get(harm, archive.Damaged), match="Nothing was changed"):
        restoring.check(backup, identity, box)
    assert whole(box) == before


def test_a_file_that_lies_there_damaged_is_put_right(settings: Settings, database: Database, backup: Path, blob: str) -> None:
    place = Blobs(settings.data_dir / "files").path(blob)
    place.write_bytes(WORDS[:-1] + b"?")
    (settings.data_dir / "secrets.next").mkdir()
    restoring.prepare(backup, keys.identity(settings), settings)
    assert place.read_bytes() == WORDS
    restoring.abandon(settings)


def test_a_role_that_may_make_no_database_is_told_what_to_allow(box: Settings, server: str) -> None:
    with psycopg.connect(f"{server}/postgres", autocommit=True) as c:
        c.execute("CREATE ROLE plain_restorer LOGIN")
    try:
        dsn = box.database_dsn.replace("//postgres@", "//plain_restorer@")
        with pytest.raises(databases.NotAllowed, match='ALTER ROLE "plain_restorer" CREATEDB'):
            databases.make_next(dsn)
    finally:
        with psycopg.connect(f"{server}/postgres", autocommit=True) as c:
            c.execute("DROP ROLE plain_restorer")


@pytest.mark.parametrize(
    ("dsn", "beside"),
    [
        ("postgresql://atum@/atum?host=/run/postgresql", "postgresql://atum@/atum_next?host=/run/postgresql"),
        (
            "postgresql://u:p%2Fw@db.example:5432/desk?sslmode=require",
            "postgresql://u:p%2Fw@db.example:5432/desk_next?sslmode=require",
        ),
        ("postgres://desk@one.example,two.example/", "postgres://desk@one.example,two.example/desk_next"),
        ("postgresql://desk@one.example", "postgresql://desk@one.example/desk_next"),
    ],
)
def test_the_database_beside_is_called_after_the_desks_own(dsn: str, beside: str) -> None:
    assert databases.beside(dsn) == beside

"""A backup holds everything as it was at one moment, is proven by restoring it, and never costs the one before."""

import fcntl
import io
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import select, text, update

from app.accounts.models import Person
from app.config import Settings
from app.core import clock
from app.core.errors import Invalid
from app.db.session import Database
from app.db.session import now as database_now
from app.files import actions as files
from app.files.disk import Blobs
from app.files.models import Attachment
from app.intake.models import InboundMail, Suggestion
from app.intake.rules.signs import Sign
from app.intake.rules.states import MailState
from app.ops import health, warnings
from app.ops.backup import archive, checking, fingerprints, keys, making, postgres, rehearsal, standing
from app.ops.backup.archive import Newer
from app.ops.models import Backup, BackupState, Warned
from app.tickets import actions as tickets
from app.tickets import planned
from app.tickets.actions import Body, Source
from app.tickets.models import Channel
from tests.cast import assemble
from tests.db.intake.conftest import a_mailbox
from tests.db.ops.conftest import emptied, program

pytestmark = pytest.mark.usefixtures("programs", "room")
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 400


@pytest.fixture
def blob(database: Database, settings: Settings) -> str:
    """A file that a row names."""
    name = Blobs(settings.data_dir / "files").put(PICTURE)
    with database.transaction() as s:
        assemble(s, database_now(s))
        row = Attachment(
            message_id=1, name="a.png", media_type="image/png", size=len(PICTURE), blob=name, created_at=database_now(s)
        )
        s.add(row)
    return name


def archives(settings: Settings) -> list[Path]:
    return sorted((settings.data_dir / "backups").glob("*.age"))


def unpacked(settings: Settings, path: Path) -> dict[str, bytes]:
    return {member.name: member.whole() for member in archive.members(path, keys.identity(settings))}


def of(database: Database) -> fingerprints.Contents:
    with psycopg.connect(database.dsn, options=fingerprints.SETTINGS) as c:
        return fingerprints.of(c)


def states(database: Database) -> list[tuple[BackupState, str | None]]:
    with database.reading() as c:
        return [(row.state, row.problem) for row in c.execute(select(Backup.state, Backup.problem).order_by(Backup.id))]


def test_it_holds_the_database_files_secrets_and_certificates_and_is_proven(
    database: Database, settings: Settings, blob: str
) -> None:
    made = making.make(database, settings, tls=certificates())
    assert (made["state"], made["problem"]) == (BackupState.SOUND, None)
    assert made["rehearsed_at"] is not None
    [path] = archives(settings)
    assert (path.name, path.stat().st_mode & 0o777, path.stat().st_size) == (made["name"], 0o600, made["size"])
    found = unpacked(settings, path)
    assert found[f"files/{blob[:2]}/{blob[2:4]}/{blob}"] == PICTURE
    assert found["secrets/secret_key"] == b"ab" * 32
    assert found["tls/tls.key"] == b"a key"
    assert made["contents"]["tables"] == len(of(database))
    assert made["contents"]["files"] == 1


def test_files_that_no_message_has_yet_are_in_it(database: Database, settings: Settings, blob: str) -> None:
    """Of an answer that waits for its time, and of a mail that waits for somebody's say."""
    store = Blobs(settings.data_dir / "files")
    later, perhaps = (files.keep(store, name="a.txt", content=content) for content in (b"of an answer", b"of a suggestion"))
    with database.transaction() as s:
        now = database_now(s)
        alice, carol = (s.scalars(select(Person).where(Person.name == name)).one() for name in ("Alice", "Carol"))
        source = Source(Channel.PAGE)
        ticket = tickets.open(s, requester=carol, by=carol, subject="x", body=Body("x"), source=source, now=now, gate=False)
        soon = now + timedelta(days=1)
        planned.plan(s, ticket, by=alice, text="Look.", files=[later], at=soon, channel=Channel.PAGE, now=now)
        mailbox = a_mailbox(s, now)
        mail = InboundMail(mailbox_id=mailbox.id, uidvalidity=1, uid=1, raw_sha256="0" * 64, size=1, raw=b"x", header_only=False)
        mail.attempts, mail.state, mail.received_at, mail.taken_at = 0, MailState.QUARANTINED, now, now
        s.add(mail)
        s.flush()
        one = Suggestion(inbound_mail_id=mail.id, ticket=ticket.number, person_id=carol.id, sign=Sign.OURS, auto=False)
        one.body, one.files, one.made_at = {"text": "?"}, [vars(perhaps)], now
        s.add(one)
    made = making.make(database, settings)
    assert (made["state"], made["problem"], made["contents"]["files"]) == (BackupState.SOUND, None, 3)
    found = unpacked(settings, archives(settings)[0])
    assert {content for name, content in found.items() if name.startswith("files/")} == {
        PICTURE,
        b"of an answer",
        b"of a suggestion",
    }


def certificates() -> io.BytesIO:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        info = tarfile.TarInfo("tls.key")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"a key"))
    made.seek(0)
    return made


def test_what_changes_while_it_is_made_is_not_in_it_and_disturbs_nothing(
    database: Database, settings: Settings, blob: str, server: str
) -> None:
    stop = threading.Event()

    def work() -> int:
        rounds = 0
        while not stop.is_set():
            with database.transaction() as s:
                s.execute(text("UPDATE organization SET name = 'Acme ' || gen_random_uuid()"))
                s.execute(text("INSERT INTO organization (name, created_at) VALUES (gen_random_uuid(), now())"))
            rounds += 1
        return rounds

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        made = making.make(database, settings)
        stop.set()
        assert working.result() > 5
    assert (made["state"], made["problem"]) == (BackupState.SOUND, None)
    with emptied(server) as dsn:
        checked = rehearsal.restore(archives(settings)[0], keys.identity(settings), dsn)
        with psycopg.connect(dsn, options=fingerprints.SETTINGS) as c:
            assert fingerprints.of(c) == checked.contents
    assert fingerprints.differences(checked.contents, of(database))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE organization SET name = 'Acme!' WHERE name = 'Acme'", "organization has as many rows, but not the same"),
        ("DELETE FROM organization WHERE name = 'Acme'", "organization has 1 rows instead of 2"),
        ("DROP TABLE warned", "warned is missing"),
        ("CREATE TABLE more ()", "more is not expected"),
    ],
)
def test_a_restored_table_that_differs_in_anything_is_told(
    database: Database, settings: Settings, server: str, change: str, said: str
) -> None:
    with database.transaction() as s:
        assemble(s, database_now(s))
    before = of(database)
    with psycopg.connect(database.dsn) as c:
        c.execute("ALTER TABLE person DISABLE TRIGGER ALL")
        c.execute("ALTER TABLE organization DISABLE TRIGGER ALL")
        c.execute(change.encode())
    assert fingerprints.differences(before, of(database)) == [said]
    with pytest.raises(rehearsal.Differs, match=said):
        rehearsal.compare(checking.Checked(contents=before), database.dsn)


def test_files_that_the_desk_itself_has_lost_are_told_and_keep_nothing_else_from_being_saved(
    database: Database, settings: Settings, blob: str
) -> None:
    place = Blobs(settings.data_dir / "files").path(blob)
    place.write_bytes(PICTURE[:-1])
    made = making.make(database, settings)
    assert (made["state"], made["contents"]["damaged"]) == (BackupState.SOUND, 1)
    assert "1 are damaged" in made["problem"]
    place.unlink()
    made = making.make(database, settings)
    assert (made["state"], made["contents"]["missing"]) == (BackupState.SOUND, 1)
    assert f"1 are missing, for instance files/{blob[:2]}" in made["problem"]


def test_a_disk_that_gets_full_costs_neither_the_backup_before_nor_what_the_desk_needs(
    database: Database, settings: Settings, blob: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    making.make(database, settings)
    before = archives(settings)
    monkeypatch.setattr(rehearsal, "free", lambda _: 0)
    made = making.make(database, settings)
    assert made["state"] is BackupState.FAILED
    assert "no room on the disk" in made["problem"]
    assert archives(settings) == before
    assert list((settings.data_dir / "backups").glob("*.part")) == []


def test_without_room_to_restore_it_for_practice_it_is_kept_and_said_to_be_unproven(
    database: Database, settings: Settings, blob: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "ROOM", 1e12)
    made = making.make(database, settings)
    assert made["state"] is BackupState.UNPROVEN
    assert "no room on the disk to restore" in made["problem"]
    assert made["rehearsed_at"] is None
    assert len(archives(settings)) == 1


def test_what_pg_dump_says_is_passed_on(database: Database, settings: Settings, programs: Path) -> None:
    program(programs / "pg_dump", "echo 'pg_dump: error: server version mismatch' >&2; exit 1")
    made = making.make(database, settings)
    assert (made["state"], made["problem"]) == (
        BackupState.FAILED,
        "pg_dump failed: pg_dump: error: server version mismatch",
    )
    assert archives(settings) == []


def test_a_dump_that_can_not_be_restored_makes_no_good_backup(database: Database, settings: Settings, programs: Path) -> None:
    program(programs / "pg_dump", "echo 'not a dump'")
    made = making.make(database, settings)
    assert made["state"] is BackupState.FAILED
    assert made["problem"].startswith("It could not be restored for practice. pg_restore failed: ")


def test_what_was_interrupted_is_cleared_away_and_said(database: Database, settings: Settings, programs: Path) -> None:
    folder = settings.data_dir / "backups"
    folder.mkdir()
    (folder / "atum-20260101T000000Z.tar.age.part").write_bytes(b"half")
    with database.transaction() as s:
        s.add(Backup(name="x", state=BackupState.RUNNING, recipient="age1", began_at=database_now(s)))
    making.make(database, settings)
    assert states(database) == [(BackupState.FAILED, "It was interrupted."), (BackupState.SOUND, None)]
    assert [path.name for path in folder.glob("*.part")] == []


def test_one_is_made_at_a_time(database: Database, settings: Settings) -> None:
    folder = settings.data_dir / "backups"
    folder.mkdir()
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(making.Busy, match="at this moment"):
            making.make(database, settings)
    assert states(database) == []


def test_the_newest_good_ones_are_kept_and_of_the_failed_ones_the_last(database: Database, settings: Settings) -> None:
    folder = settings.data_dir / "backups"
    folder.mkdir()
    names = [f"atum-202601{day:02}T020000Z.tar.age" for day in range(1, 8)]
    for name in [*names, "something-else.age"]:
        (folder / name).write_bytes(b"x")
    with database.transaction() as s:
        for name in (names[6], names[4], names[1]):
            s.add(Backup(name=name, state=BackupState.FAILED, recipient="age1", began_at=database_now(s)))
    assert making.prune(database, folder, keep=1) == [names[3], names[2], names[0], names[4], names[1]]
    assert sorted(path.name for path in folder.iterdir()) == [names[5], names[6], "something-else.age"]


def test_an_archive_of_a_newer_version_is_refused_by_its_version(settings: Settings, tmp_path: Path) -> None:
    identity, path = keys.identity(settings), tmp_path / "newer.tar.age"
    with path.open("wb") as file:
        manifest = {"version": "9.1", "revision": "9999"}
        with archive.writing(file, keys.recipient(identity), manifest, made=0) as writer:
            writer.add("database/00001", b"x")
    with pytest.raises(Newer, match=r"Version 9.1 of the desk made this archive \(revision 9999\)"):
        checking.check(path, identity)


@pytest.mark.usefixtures("blob")
@pytest.mark.parametrize(
    ("members", "instead"),
    [("database/00001", None), ("database.json", None), ("blobs.json", None), ("files/", b"something else")],
)
def test_an_archive_that_lacks_a_part_or_has_another_is_refused_though_its_sums_are_right(
    database: Database, settings: Settings, tmp_path: Path, members: str, instead: bytes | None
) -> None:
    making.make(database, settings)
    found = unpacked(settings, archives(settings)[0])
    identity, path = keys.identity(settings), tmp_path / "other.tar.age"
    manifest = archive.format_of(found.pop(archive.MANIFEST))
    with path.open("wb") as file, archive.writing(file, keys.recipient(identity), manifest, made=0) as writer:
        for name, content in found.items():
            told = instead if name.startswith(members) else content
            if told is not None:
                writer.add(name, told)
    with pytest.raises(archive.Damaged):
        checking.check(path, identity)


def test_it_may_be_written_elsewhere_but_not_among_what_it_saves(database: Database, settings: Settings, tmp_path: Path) -> None:
    made = making.make(database, settings, to=tmp_path / "one.tar.age")
    assert made["name"] == str(tmp_path / "one.tar.age")
    assert (tmp_path / "one.tar.age").stat().st_size == made["size"]
    for bad, words in (
        (settings.data_dir / "files" / "x", "lies among what is backed up"),
        (tmp_path / "nowhere" / "x", "There is no folder"),
        (tmp_path, "is a folder"),
    ):
        with pytest.raises(Invalid, match=words):
            making.make(database, settings, to=bad)


def test_the_key_is_made_once_however_many_ask(settings: Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: keys.identity(settings), range(32)))
    assert len(found) == 1
    assert keys.path(settings).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (settings.data_dir / "secrets").iterdir() if path.name.startswith(".")] == []


def test_a_printed_key_is_read_again(settings: Settings, tmp_path: Path) -> None:
    identity = keys.identity(settings)
    (tmp_path / "key.txt").write_text(keys.printed(settings, identity) + "\n")
    assert keys.read(tmp_path / "key.txt") == identity
    (tmp_path / "key.txt").write_text("age1nothing\n")
    with pytest.raises(archive.WrongKey, match="There is no key in"):
        keys.read(tmp_path / "key.txt")


def told(database: Database, settings: Settings) -> health.Part:
    with database.reading() as c:
        return health.backup(c, settings)


def test_a_new_desk_has_its_first_night_and_then_is_told_that_it_has_no_backup(database: Database, settings: Settings) -> None:
    assert told(database, settings).status == health.OK
    with database.transaction() as s:
        assemble(s, database_now(s))
    assert told(database, settings).status == health.OK
    with database.reading() as c:
        later = standing.of(c, settings, now=clock.now() + timedelta(hours=27))
    assert later.amiss == "No backup has been made yet."


def test_a_failed_backup_and_a_late_one_are_told_and_warned_of_and_the_next_good_one_ends_that(
    database: Database, settings: Settings, programs: Path
) -> None:
    made = making.make(database, settings)
    assert told(database, settings).reason == standing.KEEP_THE_KEY
    with database.transaction() as s:
        keys.note_shown(s, keys.identity(settings), now=database_now(s))
    part = told(database, settings)
    assert (part.status, part.reason) == (health.OK, None)
    assert part.figures
    assert part.figures["age"] < 60
    assert part.figures["rehearsed_at"] == made["rehearsed_at"].isoformat()

    whole = (programs / "pg_dump").read_text()
    program(programs / "pg_dump", "echo 'pg_dump: error: no' >&2; exit 1")
    with database.transaction() as s:
        s.execute(update(Backup).values(began_at=Backup.began_at - timedelta(hours=27)))
    making.make(database, settings)
    assert told(database, settings).status == health.DEGRADED
    assert warned(database, settings) == {
        "backup-failed": "The last backup failed: pg_dump failed: pg_dump: error: no",
        "backup-late": f"The last good backup is of {made['began_at'] - timedelta(hours=27):%Y-%m-%d %H:%M} UTC.",
    }
    (programs / "pg_dump").write_text(whole)
    making.make(database, settings)
    assert told(database, settings).status == health.OK
    assert warned(database, settings) == {}


def warned(database: Database, settings: Settings) -> dict[str, Any]:
    with database.transaction() as s:
        warnings.look(s, settings)
        return {row.name: row.words for row in s.scalars(select(Warned)) if row.name.startswith("backup")}


def test_a_child_is_told_no_password_by_its_command_and_no_setting_by_its_surroundings(
    database: Database, programs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "hunter2-hunter2")
    program(programs / "pg_dump", f'echo "$@" >{tmp_path}/said; env >>{tmp_path}/said')
    with postgres.dumping("postgresql://atum:secret-of-atum@127.0.0.1:1/atum", "00000003-1") as dump:
        assert dump.read() == b""
    said = (tmp_path / "said").read_text()
    assert "hunter2" not in said
    assert [line for line in said.splitlines() if "secret-of-atum" in line] == ["PGPASSWORD=secret-of-atum"]
    assert "--snapshot=00000003-1" in said

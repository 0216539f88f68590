"""A good desk has no findings, and each kind of damage is found and named."""

import os

import psycopg
import pytest

from app.config import Settings
from app.core import clock, ids
from app.db.session import Database
from app.db.session import now as database_now
from app.files.disk import Blobs
from app.ops import demo, fsck
from tests.db.intake.conftest import a_mailbox

FILE = b"A picture of it."
RAW = b"From: carol@acme.example\n\nIt smokes."

# What is done to a desk: by which check that is found, and in which words.
HARM = {
    "UPDATE inbound_mail SET raw = 'other' WHERE uid = 1": ("mail", "is not what came"),
    "UPDATE inbound_mail SET blob = NULL WHERE uid = 2": ("mail", "has no bytes"),
    "UPDATE attachment SET message_id = 999999 WHERE name = 'a.png'": (
        "rows",
        "1 of attachment are of message 999999, which is not there",
    ),
    "UPDATE sla_clock SET ticket = 888888 WHERE id = (SELECT min(id) FROM sla_clock)": (
        "rows",
        "1 of sla_clock are of ticket 888888",
    ),
    "DELETE FROM ticket_text WHERE ticket = (SELECT min(number) FROM ticket)": ("rows", "can't be found by its words"),
    "SELECT setval(pg_get_serial_sequence('message', 'id'), 1)": ("rows", "message_id_seq is at 1, and message has"),
    "UPDATE audit_event SET data = '{}' WHERE seq = 2": ("audit", "the audit's chain is broken"),
    "UPDATE sla_clock SET consumed = '9 h' WHERE id = (SELECT max(id) FROM sla_clock WHERE outcome IS NULL)": (
        "clocks",
        "should be",
    ),
}


@pytest.fixture
def desk(database: Database, settings: Settings) -> Database:
    """Tickets of the demo, one with a file, and the mail that one of them came from."""
    demo.fill(database, settings)
    blob = Blobs(settings.data_dir / "files").put(FILE)
    large = Blobs(settings.data_dir / "mail").put(RAW)
    with database.transaction() as s:
        a_mailbox(s, database_now(s))
    with psycopg.connect(database.dsn, autocommit=True) as c:
        c.execute(
            "INSERT INTO attachment (message_id, name, media_type, size, blob, created_at)"
            " VALUES ((SELECT min(id) FROM message), 'a.png', 'image/png', 16, %s, now())",
            (blob,),
        )
        c.execute("UPDATE attachment SET created_at = created_at - interval '90 days'")  # what is older is nobody's to judge
        for uid, raw, name in ((1, RAW, None), (2, None, large)):
            c.execute(
                "INSERT INTO inbound_mail (mailbox_id, uidvalidity, uid, raw_sha256, size, raw, blob, header_only, received_at,"
                " taken_at, processed_at, state, attempts)"
                " VALUES ((SELECT min(id) FROM mailbox), 1, %s, %s, 36, %s, %s, false, now(), now(), now(), 'ignored', 1)",
                (uid, ids.sha256(RAW), raw, name),
            )
    return database


def test_a_good_desk_has_no_findings(desk: Database, settings: Settings) -> None:
    assert list(fsck.look(desk, settings)) == []


def test_what_is_wrong_with_rows_is_found_each_thing_by_itself(desk: Database, settings: Settings) -> None:
    with psycopg.connect(desk.dsn, autocommit=True) as c:
        c.execute("SET session_replication_role = replica")
        for harm in HARM:
            c.execute(harm.encode())
    found = list(fsck.look(desk, settings))
    for check, words in HARM.values():
        assert [one for one in found if one.check == check and words in one.what], (words, found)
    assert len(found) == len(HARM)


def test_files_that_are_gone_or_were_changed_or_forgotten_are_found(desk: Database, settings: Settings) -> None:
    file, mail = (Blobs(settings.data_dir / kind).existing(ids.sha256(held)) for kind, held in (("files", FILE), ("mail", RAW)))
    file.write_bytes(b"Another one.")
    mail.unlink()
    blobs = Blobs(settings.data_dir / "files")
    young, old = (blobs.path(blobs.put(content)) for content in (b"Just put.", b"Left by a process that was killed."))
    os.utime(old, (clock.epoch() - 31 * 24 * 3600,) * 2)
    assert [(one.check, one.what) for one in fsck.look(desk, settings)] == [
        ("files", f"{file} was changed"),
        ("mail", f"{mail} can't be read: No such file or directory"),
        ("files", f"no row has named {old} for a month"),
    ]
    assert young.exists()
    assert old.exists()

"""`atum doctor`: what it finds out about a desk and its servers, each of them real, and that nothing holds it up."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import func, update

from app.config import Settings
from app.db.session import Database
from app.db.session import now as database_now
from app.entry import cli, cli_doctor
from app.intake import managed
from app.ops.doctor import backlog, clocks, mailboxes, postgres, senders, smtp
from app.ops.doctor.findings import Finding, Level, Look, Room
from app.sla import actions as sla
from app.sla.models import Clock
from app.tickets import actions as tickets
from app.tickets.actions import Body, Source
from app.tickets.models import Channel
from tests.cast import assemble
from tests.db.outbox import sink
from tests.mail import imap_server

STUCK = threading.Event()


@pytest.fixture
def room(settings: Settings, database: Database) -> Room:
    return Room(settings, database)


def promised(database: Database) -> None:
    """A ticket that an answer is promised on."""
    with database.transaction() as s:
        now = database_now(s)
        sla.ensure_defaults(s, now=now)
        cast = assemble(s, now)
        source = Source(Channel.MAIL)
        made = tickets.open(s, requester=cast.carol, by=None, subject="Printer", body=Body("It smokes."), source=source, now=now)
        tickets.accept(s, made, by=cast.alice, now=now)


def said(findings: list[Finding], level: Level) -> list[Finding]:
    return [finding for finding in findings if finding.level is level]


def test_every_subject_is_told_with_its_level_and_nothing_takes_longer_than_it_may(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"DATABASE_URL": database.dsn, "DATA_DIR": str(settings.data_dir), "RUN_DIR": "/nowhere"}.items():
        monkeypatch.setenv(name, value)
    began = time.monotonic()
    code = cli.main(["doctor", "--json"])
    assert time.monotonic() - began < 20
    told = json.loads(capsys.readouterr().out)
    assert (code, told["worst"]) == (1, "bad")
    assert {finding["level"] for finding in told["findings"]} <= {level.value for level in Level}
    subjects = {finding["subject"] for finding in told["findings"]}
    assert {"database", "settings", "clock", "postgresql", "mailbox", "sender", "queues", "version", "inodes"} <= subjects
    for finding in told["findings"]:
        assert finding["level"] in ("ok", "hint") or finding["paste"], finding


def test_settings_that_the_desk_does_not_start_with_are_told_with_what_is_right(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ATUM_URLL", "https://x")
    monkeypatch.setenv("SMTP_PORT", "many")
    assert cli.main(["doctor", "--json"]) == 1
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert {finding["paste"].partition("=")[0] for finding in findings} == {"ATUM_URLL", "SMTP_PORT"}
    assert cli.main(["doctor"]) == 1
    assert "> SMTP_PORT=587" in capsys.readouterr().out


def test_a_look_that_is_stuck_is_left_and_one_that_breaks_is_told_and_the_others_are_too(settings: Settings) -> None:
    def stuck(room: Room) -> Iterator[Finding]:
        yield Finding("stuck", Level.OK, "told before")
        STUCK.wait(30)
        yield Finding("stuck", Level.OK, "never told")

    def broken(room: Room) -> Iterator[Finding]:
        yield Finding("broken", Level.OK, "told before")
        raise RuntimeError("a bug")

    def well(room: Room) -> list[Finding]:
        return [Finding("well", Level.OK, "as it should be")]

    looks: dict[str, Look] = {"stuck": stuck, "broken": broken, "well": well}
    found = cli_doctor.examine(settings, looks, within=0.5)
    STUCK.set()
    assert [(one.subject, one.level) for one in found.findings] == [
        ("stuck", Level.OK), ("stuck", Level.WARNING), ("broken", Level.OK), ("broken", Level.WARNING), ("well", Level.OK),
    ]  # fmt: skip
    assert "a bug" in found.findings[3].what
    assert found.seconds < 2


def test_with_the_database_gone_everything_else_is_told(settings: Settings) -> None:
    gone = replace(settings, database_url="postgresql://127.0.0.1:1/x")
    found = cli_doctor.examine(gone)
    assert [one.subject for one in found.findings if one.level is Level.BAD and "PostgreSQL does not answer" in one.what]
    assert [one for one in found.findings if one.subject == "postgresql" and "could not be looked at" in one.what]
    assert [one for one in found.findings if one.subject == "inodes"]
    assert found.seconds < 15


def test_an_index_that_is_not_valid_is_found_and_the_line_mends_it(room: Room, database: Database) -> None:
    with psycopg.connect(database.dsn, autocommit=True) as c:
        c.execute("CREATE TABLE twice AS SELECT 1 AS n FROM generate_series(1, 2)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            c.execute("CREATE UNIQUE INDEX CONCURRENTLY twice_n ON twice (n)")
        [found] = [one for one in postgres.look(room) if "twice_n" in one.what]
        assert found.level is Level.WARNING
        assert found.paste == 'psql "$DATABASE_URL" -c "REINDEX INDEX twice_n"'
        c.execute("DELETE FROM twice WHERE ctid = (SELECT min(ctid) FROM twice)")
        c.execute(found.paste.split('"')[3])
        assert not [one for one in postgres.look(room) if "twice_n" in one.what]


def test_a_table_of_rows_that_are_gone_is_found_and_the_line_mends_it(room: Room, database: Database) -> None:
    with psycopg.connect(database.dsn, autocommit=True) as c:
        c.execute("CREATE TABLE emptied (n int) WITH (autovacuum_enabled = false)")
        c.execute("INSERT INTO emptied SELECT generate_series(1, 15000)")
        c.execute("DELETE FROM emptied WHERE n > 10")
        c.execute("SELECT pg_stat_force_next_flush()")
        [found] = [one for one in postgres.look(room) if "emptied" in one.what]
        assert found.level is Level.HINT
        assert found.paste
        c.execute(found.paste.split('"')[3])
        assert not [one for one in postgres.look(room) if "emptied" in one.what]


def test_an_index_that_kept_the_room_of_rows_that_are_gone_is_found_and_the_line_mends_it(
    room: Room, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "BLOATED_LEAST", 1 << 20)
    with psycopg.connect(database.dsn, autocommit=True) as c:
        c.execute("CREATE TABLE thinned (n int) WITH (autovacuum_enabled = false)")
        c.execute("INSERT INTO thinned SELECT generate_series(1, 100000)")
        c.execute("CREATE INDEX thinned_n ON thinned (n)")
        c.execute("VACUUM (ANALYZE) thinned")
        assert not [one for one in postgres.look(room) if "thinned_n" in one.what]
        c.execute("DELETE FROM thinned WHERE n % 10 <> 0")
        c.execute("VACUUM (ANALYZE) thinned")
        [found] = [one for one in postgres.look(room) if "thinned_n" in one.what]
        assert (found.level, found.what) == (Level.HINT, "The index thinned_n takes 2 MB, and its rows about 0")
        assert found.paste
        c.execute(found.paste.split('"')[3])
        assert not [one for one in postgres.look(room) if "thinned_n" in one.what]


def test_a_table_that_is_planned_for_by_what_it_was_is_found_and_the_line_mends_it(room: Room, database: Database) -> None:
    with psycopg.connect(database.dsn, autocommit=True) as c:
        c.execute("CREATE TABLE grown (n int) WITH (autovacuum_enabled = false)")
        c.execute("INSERT INTO grown SELECT generate_series(1, 60000)")
        c.execute("SELECT pg_stat_force_next_flush()")
        [found] = [one for one in postgres.look(room) if "grown" in one.what]
        assert (found.level, "60,000 rows changed" in found.what) == (Level.HINT, True)
        assert found.paste
        c.execute(found.paste.split('"')[3])
        assert not [one for one in postgres.look(room) if "grown" in one.what]


def test_what_makes_postgresql_unsafe_is_bad(room: Room) -> None:
    with room.db.reading() as c:
        off = c.exec_driver_sql("SHOW fsync").scalar_one() == "off"
    found = [one for one in postgres.look(room) if one.what == "fsync is off"]
    assert [one.level for one in found] == ([Level.BAD] if off else [])


def test_a_transaction_that_is_forgotten_is_found(room: Room, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "LONG", 0)
    with closing(psycopg.connect(database.dsn)) as c:
        c.execute("SELECT 1")
        time.sleep(1.1)
        assert [one for one in postgres.look(room) if one.what.startswith("A transaction has been open for")]


def test_each_mailbox_is_signed_in_to_and_its_servers_own_words_are_told(room: Room) -> None:
    closed = imap_server.Server(user="closed@desk.example", login_answer="NO [AUTHENTICATIONFAILED] Buy more storage")
    with imap_server.running() as good, imap_server.running(closed) as bad, room.db.transaction() as s:
        for server, address, password in ((good, imap_server.USER, imap_server.PASSWORD), (bad, "closed@desk.example", "wrong")):
            managed.add(s, room.settings, server.account(password), address=address, now=database_now(s))
        s.commit()
        found = {one.what.partition(":")[0]: one for one in mailboxes.look(room)}
    assert len(found) == 2
    well, refused = sorted(found.values(), key=lambda one: one.level.rank)
    assert well.level is Level.OK
    assert "0 unread; never read yet" in well.what
    assert refused.level is Level.BAD
    assert "Buy more storage" in refused.what
    assert refused.paste
    assert "wrong" not in refused.what


def test_no_mailbox_is_a_hint_with_the_settings_for_one(room: Room) -> None:
    [found] = list(mailboxes.look(room))
    assert (found.level, found.paste and "IMAP_HOST=" in found.paste) == (Level.HINT, True)


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS", "ignore:Session.login_data")
@pytest.mark.parametrize(("password", "level"), [(sink.PASSWORD, Level.OK), ("wrong", Level.BAD)])
def test_the_mail_server_is_signed_in_to_and_nothing_is_sent(room: Room, password: str, level: Level) -> None:
    with sink.running(sink.Sink(), sign_in=True) as server:
        server.accepts = sink.PASSWORD
        there = replace(room.settings, smtp_host="127.0.0.1", smtp_port=server.port, smtp_security="none")
        signing_in = replace(there, smtp_user=sink.USER, smtp_password=password)
        [found] = list(smtp.look(replace(room, settings=signing_in)))
        assert (found.level, server.taken, server.signed_in) == (level, [], [level is Level.OK])
    assert password not in found.what


def test_a_mail_server_that_is_not_there_is_told(room: Room) -> None:
    [found] = list(smtp.look(replace(room, settings=replace(room.settings, smtp_host="127.0.0.1", smtp_port=1))))
    assert found.level is Level.BAD
    assert "127.0.0.1:1" in found.what


def spoken(domain: str, records: dict[str, list[str] | None]) -> list[tuple[Level, str]]:
    return [(one.level, one.what) for one in senders.of_domain(domain, None, lambda name: records.get(name, []))]


def test_what_a_domain_says_of_its_senders_is_judged() -> None:
    good: dict[str, list[str] | None] = {
        "desk.example": ["v=spf1 mx -all", "hello"], "_dmarc.desk.example": ["v=DMARC1; p=reject"],
    }  # fmt: skip
    assert [level for level, _ in spoken("desk.example", good)] == [Level.OK, Level.HINT, Level.OK]
    assert [level for level, _ in spoken("support.desk.example", good)] == [Level.WARNING, Level.HINT, Level.OK]
    assert spoken("desk.example", {"desk.example": ["v=spf1 a -all", "v=spf1 mx -all"]})[0][0] is Level.BAD
    assert spoken("desk.example", {"desk.example": ["v=spf1 +all"]})[0] == (Level.WARNING, "desk.example: SPF ends in +all")
    assert spoken("desk.example", {"desk.example": ["v=spf10 mx"]})[0] == (Level.WARNING, "desk.example: no SPF record")
    assert [level for level, _ in spoken("desk.example", {"desk.example": None})] == [Level.WARNING]


@pytest.mark.parametrize(
    ("seconds", "level"), [(0, Level.OK), (-5, Level.OK), (6, Level.WARNING), (-59, Level.WARNING), (61, Level.BAD)]
)
def test_a_clock_that_is_apart_is_worth_what_it_does(seconds: int, level: Level) -> None:
    assert clocks.judged("somebody", timedelta(seconds=seconds)).level is level


def test_the_databases_clock_is_compared(room: Room) -> None:
    [found] = [one for one in clocks.look(room) if "PostgreSQL" in one.what]
    assert found.level is Level.OK


def test_what_is_long_due_is_found(room: Room, database: Database) -> None:
    promised(database)
    assert not said(list(backlog.look(room)), Level.WARNING)
    with database.transaction() as s:
        s.execute(update(Clock).values(next_at=func.now() - timedelta(minutes=10)))
    [found] = said(list(backlog.look(room)), Level.WARNING)
    assert found.what.startswith("clocks: ")
    assert "the first for 10 minutes" in found.what

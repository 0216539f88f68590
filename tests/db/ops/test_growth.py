"""What bounds each table. Whoever adds one says here why it does not grow for ever, or whose words or evidence it holds."""

import threading
from datetime import timedelta
from time import monotonic, sleep

import pytest
from sqlalchemy import text

from app.accounts import throttle
from app.config import Settings
from app.db.session import Database
from app.db.session import now as database_now
from app.entry import webhooks
from app.ops import keeping

WORDS = "What people wrote or were sent stays."
EVIDENCE = "Who did what, what was promised and what came stays."
BY_HAND = "As many as somebody made; they go where somebody removes them."
BOUNDS = {
    "alembic_version": "One row.",
    "api_token": BY_HAND,
    "attachment": WORDS,
    "audit_checkpoint": EVIDENCE + " One a day.",
    "audit_event": EVIDENCE,
    "audit_head": "One row.",
    "backup": EVIDENCE + " One a night.",
    "backup_key": "One for each key of backups.",
    "bulk": EVIDENCE + " It is what a change is reverted by.",
    "bulk_ticket": EVIDENCE + " It is what a change is reverted by.",
    "calendar": BY_HAND,
    "calendar_feed": BY_HAND,
    "calendar_version": EVIDENCE + " Promises are reckoned by it.",
    "canary": "One for each mailbox.",
    "canned_reply": BY_HAND,
    "custom_field": BY_HAND,
    "idempotency": f"{keeping.ANSWERS}, by ops.keeping.",
    "inbound_mail": WORDS + " A copy that comes again is known by it.",
    "mailbox": BY_HAND,
    "mailbox_grant": "One for each mailbox.",
    "macro": BY_HAND,
    "membership": BY_HAND,
    "mention": WORDS,
    "merge": EVIDENCE,
    "message": WORDS,
    "one_time_link": f"{keeping.MONTH} after it ends, by ops.keeping.",
    "organization": BY_HAND,
    "organization_domain": BY_HAND,
    "outbox": WORDS,
    "passkey": BY_HAND,
    "person": "One for each who wrote.",
    "planned_answer": WORDS + " It goes when it is sent.",
    "recovery_code": "A set for each person, the newest.",
    "relay": "One row.",
    "role_policy": "One for each role.",
    "sender_key": BY_HAND,
    "settings_seen": "One row.",
    "setup_link": f"{keeping.MONTH} after it ends, by ops.keeping.",
    "sign_in": f"{keeping.MONTH} after it ends, by ops.keeping.",
    "sla_clock": EVIDENCE,
    "sla_escalation": EVIDENCE,
    "sla_event": EVIDENCE,
    "sla_hwm": "One row.",
    "sla_moment": EVIDENCE + " Clocks are reckoned again from it.",
    "sla_notice": EVIDENCE,
    "sla_policy": EVIDENCE + " Promises are reckoned by it.",
    "sla_rebuild": f"{keeping.MONTH} after it ended, by ops.keeping.",
    "sla_recheck": "One row.",
    "sla_segment": EVIDENCE,
    "sla_step": EVIDENCE + " What was told of was told by it.",
    "sla_target": EVIDENCE + " Promises are reckoned by it.",
    "spent_challenge": "Ten minutes, by the next one that is spent.",
    "spent_refresh": f"{keeping.MONTH}, by ops.keeping; or with its session.",
    "suggestion": WORDS,
    "suppression": "One for each address that mail did not reach.",
    "tag": BY_HAND,
    "team": BY_HAND,
    "ticket": WORDS,
    "ticket_link": BY_HAND,
    "ticket_text": "One for each ticket.",
    "totp": "One for each person.",
    "view": BY_HAND,
    "warned": "One for each thing that is amiss, until it is not.",
    "watcher": BY_HAND,
    "webhook": BY_HAND,
    "webhook_delivery": "Two weeks, by outbox.telling.tidy; what was told of deadlines is evidence and stays.",
}

# How a row of each comes to be that was of use until `at` for the last time; `n` tells them apart.
ROWS = {
    "idempotency": """
        INSERT INTO idempotency (person_id, key, fingerprint, status, headers, body, answered_at)
        SELECT id, :n, '', 200, '{}', '', :at FROM person""",
    "sign_in": """
        INSERT INTO sign_in (person_id, door, token_hash, created_at, seen_at, expires_at, refresh_until, ended_at)
        SELECT id, 'api', sha256(:n), '2020-01-01', '2020-01-01', '2020-01-01', :at, NULL FROM person""",
    "spent_refresh": """
        WITH session AS (
            INSERT INTO sign_in (person_id, door, token_hash, created_at, seen_at, expires_at)
            SELECT id, 'api', sha256(:n), now(), now(), now() + interval '7 days' FROM person RETURNING id)
        INSERT INTO spent_refresh (token_hash, sign_in_id, spent_at) SELECT sha256(:n), id, :at FROM session""",
    "one_time_link": """
        INSERT INTO one_time_link (purpose, person_id, token_hash, created_at, expires_at)
        SELECT 'reset', id, sha256(:n), '2020-01-01', :at FROM person""",
    "setup_link": "INSERT INTO setup_link (token_hash, expires_at) VALUES (sha256(:n), :at)",
    "sla_rebuild": """
        INSERT INTO sla_rebuild (everything, cursor, passed, seen, changed, begun_at, ended_at)
        SELECT length(:n) > 0, 0, '[]', 0, 0, '2020-01-01', :at""",
}
LITTLE = timedelta(hours=1)


@pytest.fixture
def person(database: Database) -> None:
    with database.transaction() as s:
        s.execute(text("INSERT INTO person (email, name, role, created_at) VALUES ('a@b.example', 'A', 'agent', now())"))


def add(database: Database, table: str, many: int, ago: timedelta) -> None:
    with database.transaction() as s:
        at = database_now(s) - ago
        for n in range(many):
            name = f"{ago} {n}"
            s.execute(text(ROWS[table]), {"n": name if table == "idempotency" else name.encode(), "at": at})


def count(database: Database, table: str) -> int:
    with database.reading() as c:
        return int(c.execute(text("SELECT count(*) FROM " + table)).scalar_one())


def test_each_table_has_an_answer_to_what_bounds_it(shared_database: Database) -> None:
    with shared_database.reading() as c:
        tables = set(
            c.execute(
                text("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace")
            ).scalars()
        )
    assert tables == set(BOUNDS)
    assert {table for table, bound in BOUNDS.items() if "ops.keeping" in bound} == set(keeping.SWEPT) == set(ROWS)


@pytest.mark.parametrize("table", ROWS)
@pytest.mark.usefixtures("person")
def test_what_is_of_no_use_any_more_goes_a_chunk_at_a_time_and_nothing_else(
    table: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "CHUNK", 2)
    after = keeping.SWEPT[table].after
    add(database, table, 5, after + LITTLE)
    add(database, table, 3, after - LITTLE)
    assert keeping.sweep(database) == keeping.EVERY
    assert count(database, table) == 3


@pytest.mark.usefixtures("person")
def test_a_session_that_is_alive_or_was_not_long_ago_stays_however_old_it_is(database: Database) -> None:
    add(database, "sign_in", 1, -LITTLE)
    add(database, "sign_in", 2, keeping.MONTH + LITTLE)
    with database.transaction() as s:
        s.execute(text("UPDATE sign_in SET ended_at = now() WHERE id = (SELECT max(id) FROM sign_in)"))
    keeping.sweep(database)
    assert count(database, "sign_in") == 2
    assert keeping.MONTH > throttle.KNOWN  # by then nobody asks where somebody signed in from


@pytest.mark.usefixtures("person")
def test_clocks_that_are_being_reckoned_again_stay_in_the_book(database: Database) -> None:
    add(database, "sla_rebuild", 1, keeping.MONTH + LITTLE)
    with database.transaction() as s:
        s.execute(text("UPDATE sla_rebuild SET ended_at = NULL"))
    keeping.sweep(database)
    assert count(database, "sla_rebuild") == 1


@pytest.mark.usefixtures("person")
def test_a_row_that_somebody_holds_holds_nobody_up(database: Database) -> None:
    add(database, "idempotency", 2, keeping.ANSWERS + LITTLE)
    with database.transaction() as s:
        s.execute(text("SELECT FROM idempotency LIMIT 1 FOR UPDATE"))
        keeping.sweep(database)
        assert count(database, "idempotency") == 1
    keeping.sweep(database)
    assert count(database, "idempotency") == 0


@pytest.mark.usefixtures("person")
def test_the_sender_of_letters_has_it_done(database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "SETTLED", 0.0)
    add(database, "idempotency", 1, keeping.ANSWERS + LITTLE)
    (thread,) = (thread for thread in webhooks.beside(database, settings) if thread.name == "keeping")
    thread.start()
    until = monotonic() + 10
    while count(database, "idempotency") and monotonic() < until:
        sleep(0.05)
    thread.ending.set()
    thread.join()
    assert count(database, "idempotency") == 0
    assert not any(each.name == "keeping" for each in threading.enumerate())

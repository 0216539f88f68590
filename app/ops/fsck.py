"""Whether what rows, files and the audit say of each other is true. Everything is read, and nothing is changed."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from app import config
from app.audit import verifying
from app.config import Settings
from app.core.sealing import Broken, Sealer
from app.core.signing import Signer
from app.db.session import Database
from app.files.disk import Blobs
from app.intake import mailboxes
from app.intake.sweeping import Sweeper
from app.ops import notary
from app.ops.backup import packing
from app.sla import rechecking

RESTORE = "It is in the backups made while it was whole: see the page Backups."
TELL = "Keep a backup, and tell us what happened before."
SWEEP = "atum fsck --sweep"
# What no foreign key holds: the table, its column, and what it names.
LINKS: tuple[tuple[str, str, str, str], ...] = (
    ("attachment", "message_id", "message", "id"),
    ("message", "inbound_mail_id", "inbound_mail", "id"),
    ("outbox", "ticket", "ticket", "number"),
    ("outbox", "message_id", "message", "id"),
    ("sla_clock", "ticket", "ticket", "number"),
    ("sla_moment", "ticket", "ticket", "number"),
    ("sla_escalation", "ticket", "ticket", "number"),
)
_MAILS: LiteralString = """
SELECT id, CASE WHEN blob IS NULL AND raw IS NULL THEN 'has no bytes' ELSE 'is not what came' END FROM inbound_mail
WHERE (raw IS NULL AND blob IS NULL) OR encode(sha256(raw), 'hex') <> raw_sha256 OR blob <> raw_sha256
"""
# What no process takes on, or takes on though it is done.
STATES: tuple[tuple[str, LiteralString], ...] = (
    (
        "mail",
        """SELECT format('mail %s is %s, but was processed at %s', id, state, coalesce(processed_at::text, 'no time'))
        FROM inbound_mail WHERE (state = 'new') <> (processed_at IS NULL)""",
    ),
    (
        "outbox",
        """SELECT format('letter %s is %s, and nobody will take it on', id, state) FROM outbox
        WHERE state = 'queued' AND next_at IS NULL""",
    ),
)
_SEQUENCES = """
SELECT s.oid::regclass::text, t.oid::regclass::text, a.attname FROM pg_class s
JOIN pg_depend d ON d.objid = s.oid AND d.deptype IN ('a', 'i') AND d.classid = 'pg_class'::regclass
JOIN pg_class t ON t.oid = d.refobjid JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
WHERE s.relkind = 'S' ORDER BY 1
"""


@dataclass(frozen=True)
class Finding:
    """One thing that isn't as it has to be: which check found it, what it is, and what to do."""

    check: str
    what: str
    mend: str


def look(db: Database, settings: Settings) -> Iterator[Finding]:
    """All findings, as they are found. Rows are those of one moment; the audit and the clocks may go on meanwhile."""
    with packing.snapshot(settings.database_dsn) as (c, _):
        for kind in packing.NAMED:
            yield from _blobs(c, kind, settings.data_dir / kind)
        yield from _mails(c)
        yield from _links(c)
        yield from _states(c)
        yield from _secrets(c, settings)
        yield from _searchable(c)
        yield from _sequences(c)
    yield from _audit(db, settings)
    for drift in rechecking.every(db):
        yield Finding("clocks", rechecking.words(drift), "atum sla verify")
    for path in Sweeper(db, settings).forgotten():
        yield Finding("files", f"no row has named {path} for a month", SWEEP)


def _blobs(c: psycopg.Connection, kind: str, folder: Path) -> Iterator[Finding]:
    """Each file that a row names is there, and holds what its name says."""
    blobs = Blobs(folder)
    with c.cursor(name=f"fsck_{kind}") as rows:
        for (blob,) in rows.execute(packing.NAMED[kind]):
            try:
                with blobs.path(blob).open("rb") as file:
                    whole = hashlib.file_digest(file, "sha256").hexdigest() == blob
            except OSError as wrong:
                yield Finding(kind, f"{blobs.path(blob)} can't be read: {wrong.strerror}", RESTORE)
            else:
                if not whole:
                    yield Finding(kind, f"{blobs.path(blob)} was changed", RESTORE)


def _mails(c: psycopg.Connection) -> Iterator[Finding]:
    """Every mail of the ledger has its bytes, as they came."""
    for id, how in c.execute(_MAILS):
        yield Finding("mail", f"mail {id} {how}", RESTORE)


def _links(c: psycopg.Connection) -> Iterator[Finding]:
    for table, column, other, key in LINKS:
        words = sql.SQL("SELECT {column}, count(*) FROM {table} t WHERE {column} IS NOT NULL AND NOT EXISTS ({there}) GROUP BY 1")
        there = sql.SQL("SELECT FROM {} o WHERE o.{} = t.{}").format(*map(sql.Identifier, (other, key, column)))
        found = c.execute(words.format(column=sql.Identifier(column), table=sql.Identifier(table), there=there))
        for value, count in found:
            yield Finding("rows", f"{count} of {table} are of {other} {value}, which is not there", TELL)


def _states(c: psycopg.Connection) -> Iterator[Finding]:
    for check, query in STATES:
        yield from (Finding(check, words, TELL) for (words,) in c.execute(query))


def _secrets(c: psycopg.Connection, settings: Settings) -> Iterator[Finding]:
    """The desk's key is there, and what passwords were sealed with."""
    try:
        sealer = Sealer(Signer(config.secret_key(settings)))
    except (OSError, ValueError):
        yield Finding("secrets", "secrets/secret_key is missing or damaged", RESTORE)
        return
    for name, sealed in c.execute("SELECT name, password FROM mailbox WHERE password IS NOT NULL").fetchall():
        try:
            sealer.open(mailboxes.SEALED_FOR, sealed)
        except Broken:
            yield Finding("secrets", f"the password of mailbox {name} was sealed with another key", "Give it anew on its page.")


def _searchable(c: psycopg.Connection) -> Iterator[Finding]:
    """Each ticket can be found by its words."""
    for (number,) in c.execute("SELECT number FROM ticket WHERE NOT EXISTS (SELECT FROM ticket_text WHERE ticket = number)"):
        yield Finding("rows", f"ticket {number} can't be found by its words", TELL)


def _sequences(c: psycopg.Connection) -> Iterator[Finding]:
    """Where numbers come from is not behind those that were given."""
    for sequence, table, column in c.execute(_SEQUENCES).fetchall():
        ask = sql.SQL("SELECT (SELECT last_value FROM {}), (SELECT max({}) FROM {})").format(
            sql.Identifier(sequence), sql.Identifier(column), sql.Identifier(table)
        )
        row = c.execute(ask).fetchone()
        if row and row[1] is not None and row[1] > row[0]:
            yield Finding("rows", f"{sequence} is at {row[0]}, and {table} has {row[1]} already", TELL)


def _audit(db: Database, settings: Settings) -> Iterator[Finding]:
    if (public := notary.public(settings)) is None:
        return  # that the key is gone is said of the secrets
    with db.reading() as c:
        checked = verifying.database(c, public)
    if not checked.verdict.whole:
        yield Finding("audit", "the audit's chain is broken", "atum audit verify")

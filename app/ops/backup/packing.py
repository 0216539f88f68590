"""What goes into an archive: everything the desk is made of, as it was at one moment."""

import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO, LiteralString

import psycopg

from app import __version__
from app.config import Settings
from app.db.session import plainly
from app.files.disk import Blobs
from app.ops import changes
from app.ops.backup import fingerprints, postgres
from app.ops.backup.archive import PIECE, Writer

DATABASE, FILES, MAIL, SECRETS, TLS = "database", "files", "mail", "secrets", "tls"
TABLES, BLOBS = "database.json", "blobs.json"
DUMP_PIECE = 16 << 20  # bytes
# Which rows name blobs, by the folder below DATA_DIR that the blobs lie in; what none names is swept (intake/sweeping.py).
NAMED: dict[str, LiteralString] = {
    FILES: """
        SELECT blob FROM attachment
        UNION SELECT file ->> 'blob' FROM planned_answer, jsonb_array_elements(files) file
        UNION SELECT file ->> 'blob' FROM suggestion, jsonb_array_elements(files) file
    """,
    MAIL: "SELECT DISTINCT blob FROM inbound_mail WHERE blob IS NOT NULL",
}
_ITSELF = """
SELECT version_num, current_setting('server_version'), pg_database_size(current_database()), now() FROM alembic_version
"""


@dataclass
class Packed:
    """What is in an archive, counted; and the blobs that the desk itself has not, or not as they were."""

    tables: int = 0
    rows: int = 0
    files: int = 0
    mail: int = 0
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        return {name: len(value) if isinstance(value, list) else value for name, value in asdict(self).items()}

    @property
    def problem(self) -> str | None:
        """What the desk lacks, in words: the backup is as good as the desk, and no better."""
        lacking = [f"{len(names)} are {how}" for names, how in ((self.missing, "missing"), (self.damaged, "damaged")) if names]
        if not lacking:
            return None
        return f"Of the desk's own files {' and '.join(lacking)}, for instance {(self.missing + self.damaged)[0]}."


@contextmanager
def snapshot(dsn: str) -> Iterator[tuple[psycopg.Connection, str]]:
    """A connection that sees the database as it is now while the block lasts, and the name by which others see the same."""
    options = f"{fingerprints.SETTINGS} -c default_transaction_isolation=repeatable\\ read -c lock_timeout=60s"
    options += " -c statement_timeout=0 -c idle_in_transaction_session_timeout=0"
    with plainly(), psycopg.connect(dsn, options=options) as c:
        c.read_only = True
        row = c.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        yield c, row[0]


def manifest(c: psycopg.Connection, settings: Settings, recipient: str) -> dict[str, Any]:
    """What an archive says of itself before anything else."""
    row = c.execute(_ITSELF).fetchone()
    assert row is not None
    open_ = {name: value for name, value in changes.told(settings).items() if name.lower() not in changes.SECRET}
    return {
        "product": "ATUM Desk",
        "version": __version__,
        "revision": row[0],
        "postgresql": row[1],
        "database_size": row[2],
        "taken_at": row[3].isoformat(),
        "url": settings.atum_url,
        "recipient": recipient,
        "settings": open_,
    }


def pack(writer: Writer, c: psycopg.Connection, name: str, settings: Settings, tls: BinaryIO | None) -> Packed:
    """Everything, in this order: the database, its files, its mail, its secrets, its certificates."""
    packed = Packed()
    _database(writer, c, name, settings, packed)
    packed.files = _blobs(writer, c, FILES, settings, packed)
    packed.mail = _blobs(writer, c, MAIL, settings, packed)
    _told(writer, packed)
    for secret in sorted((settings.data_dir / SECRETS).iterdir()):
        if secret.is_file() and not secret.name.startswith("."):
            writer.add(f"{SECRETS}/{secret.name}", secret.read_bytes())
    if tls is not None:
        _certificates(writer, tls)
    return packed


def pack_database(writer: Writer, c: psycopg.Connection, name: str, settings: Settings) -> Packed:
    """The database alone, of whatever revision it is."""
    packed = Packed()
    _database(writer, c, name, settings, packed)
    _told(writer, packed)
    return packed


def _database(writer: Writer, c: psycopg.Connection, name: str, settings: Settings, packed: Packed) -> None:
    with postgres.dumping(settings.database_dsn, name) as dump:
        for number, piece in enumerate(_pieces(dump), 1):
            writer.add(f"{DATABASE}/{number:05}", piece)
    contents = fingerprints.of(c)
    packed.tables, packed.rows = len(contents), sum(one.rows for one in contents.values())
    writer.add(TABLES, json.dumps(fingerprints.told(contents), indent=1).encode())


def _told(writer: Writer, packed: Packed) -> None:
    writer.add(BLOBS, json.dumps(asdict(packed), indent=1).encode())


def where(kind: str, blob: str) -> str:
    """A blob's name in the archive, which is where it lies below DATA_DIR."""
    return f"{kind}/{blob[:2]}/{blob[2:4]}/{blob}"


def _pieces(dump: BinaryIO) -> Iterator[bytes]:
    while piece := b"".join(_some(dump)):
        yield piece


def _some(dump: BinaryIO) -> Iterator[bytes]:
    left = DUMP_PIECE
    while left and (data := dump.read(min(left, PIECE))):
        left -= len(data)
        yield data


def _blobs(writer: Writer, c: psycopg.Connection, kind: str, settings: Settings, packed: Packed) -> int:
    blobs, count = Blobs(settings.data_dir / kind), 0
    with c.cursor(name=f"blobs_{kind}") as rows:
        for (blob,) in rows.execute(NAMED[kind]):
            try:
                file = blobs.path(blob).open("rb")
            except FileNotFoundError:
                packed.missing.append(where(kind, blob))
                continue
            with file:
                digest = writer.add_stream(where(kind, blob), file, blobs.path(blob).stat().st_size)
            count += 1
            if digest != blob:
                packed.damaged.append(where(kind, blob))
    return count


def _certificates(writer: Writer, tls: BinaryIO) -> None:
    """Who may read them made a tar of them for us: they are root's."""
    with tarfile.open(fileobj=tls, mode="r:") as tar:
        for info in tar:
            if info.isfile() and (found := tar.extractfile(info)):
                writer.add_stream(f"{TLS}/{info.name}", found, info.size)

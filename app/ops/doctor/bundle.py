"""A support bundle: what somebody who helps needs to know of a desk, in one tar.gz that may be sent to them."""

import io
import json
import os
import platform
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import func, select

from app import config
from app.audit.models import Entry
from app.config import Settings
from app.core import clock
from app.core.errors import DeskError
from app.core.sealing import Sealer
from app.core.signing import Signer
from app.db.redis import Counters
from app.db.session import plainly
from app.intake import mailboxes
from app.intake.models import Mailbox
from app.ops import queues
from app.ops.changes import SECRET
from app.ops.doctor import kept, versions
from app.ops.doctor.findings import Examination, Room
from app.ops.doctor.masking import HIDDEN, Mask
from app.ops.health import Watch

README = """\
A support bundle of ATUM Desk. No secret is in it, no address in full, and nothing that a customer wrote.

doctor.json     what `atum doctor` found
health.json     each part of the desk
settings.json   the settings in force; of secrets, only whether they are set
versions.json   what the desk is made of
machine.json    what it runs on: memory, disks, processes
database.json   tables: sizes, rows, when they were vacuumed
queues.json     what waits
audit.json      how often each kind of thing was recorded
conf/           the configuration of each program
log.jsonl       the last lines of the log, without what people wrote
"""
MODE, MOST_CONF = 0o600, 256 * 1024
_NAMED_SECRET = frozenset({*SECRET, "backup_s3_key"})
_TABLES = """
    SELECT relname AS table, pg_total_relation_size(relid) AS bytes, n_live_tup AS rows, n_dead_tup AS dead, seq_scan, idx_scan,
        last_autovacuum, last_vacuum, last_autoanalyze
    FROM pg_stat_user_tables ORDER BY bytes DESC
"""
_CONNECTIONS = """
    SELECT application_name, state, wait_event_type, count(*), extract(epoch FROM max(now() - xact_start))::int AS longest
    FROM pg_stat_activity WHERE datname = current_database() GROUP BY 1, 2, 3 ORDER BY 4 DESC
"""


def write(to: Any, room: Room, found: Examination) -> int:
    """Into this file; how many parts it has."""
    mask, count = Mask(secrets_of(room)), 0
    with tarfile.open(fileobj=to, mode="w:gz") as tar:
        for name, text in parts(room, found, mask):
            data = text.encode()
            info = tarfile.TarInfo(f"atum-support/{name}")
            info.size, info.mode, info.mtime = len(data), MODE, int(clock.epoch())
            tar.addfile(info, io.BytesIO(data))
            count += 1
    return count


def parts(room: Room, found: Examination, mask: Mask) -> Iterator[tuple[str, str]]:
    """Each by its name. What can't be found out says why."""
    settings = room.settings
    yield "README.txt", README
    looks: dict[str, Callable[[], Any]] = {
        "doctor": found.told,
        "health": lambda: Watch(settings, room.db, Counters(settings.redis_dsn)).report().told(whole=True),
        "settings": lambda: in_force(settings),
        "versions": versions.known,
        "machine": lambda: machine(settings),
        "database": lambda: database(settings),
        "queues": lambda: waiting(room),
        "audit": lambda: recorded(room),
    }
    for name, look in looks.items():
        yield f"{name}.json", json.dumps(_masked(look, mask), default=str, ensure_ascii=False, indent=1)
    yield from _configurations(settings, mask)
    yield "log.jsonl", "".join(f"{line}\n" for raw in kept.lines(settings) if (line := mask.line(raw)) is not None)


def in_force(settings: Settings) -> dict[str, Any]:
    """Every setting that isn't a secret; of those, whether they are set."""
    told: dict[str, Any] = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        is_set = value is not None and value != ()
        told[field.name.upper()] = HIDDEN if is_set and field.name in _NAMED_SECRET else value if is_set else None
    return {name: list(map(str, value)) if isinstance(value, tuple) else value for name, value in told.items()}


def secrets_of(room: Room) -> Iterator[str]:
    """Every secret that the desk knows, as far as it can be read now."""
    settings = room.settings
    yield from (str(value) for name in _NAMED_SECRET if (value := getattr(settings, name)))
    for path in sorted((settings.data_dir / "secrets").glob("*")):
        with suppress(OSError, UnicodeError):
            yield from path.read_text().split()
    with suppress(OSError, ValueError, DeskError), room.db.transaction() as s:
        sealer = Sealer(Signer(config.secret_key(settings)))
        for sealed in s.scalars(select(Mailbox.password).where(Mailbox.password.is_not(None))):
            yield sealer.open(mailboxes.SEALED_FOR, sealed or b"")


def machine(settings: Settings) -> dict[str, Any]:
    """Memory, disks and processes. Nothing of what a program was started with."""
    return {
        "system": platform.platform(),
        "processors": len(os.sched_getaffinity(0)),
        "memory": _texts(Path("/sys/fs/cgroup"), "memory.max", "memory.current", "memory.events", "memory.pressure"),
        "disks": {str(each): shutil.disk_usage(each)._asdict() for each in _folders(settings)},
        "processes": [known for each in sorted(Path("/proc").glob("[0-9]*")) if (known := _process(each))],
    }


def database(settings: Settings) -> dict[str, Any]:
    """As the owner: the desk's own role is not told all of it."""
    with plainly(), psycopg.connect(settings.database_dsn, connect_timeout=4, options="-c statement_timeout=8s") as c:
        c.read_only = True
        cursor = psycopg.Cursor(c, row_factory=dict_row)
        return {
            "version": cursor.execute("SELECT version()").fetchone(),
            "tables": cursor.execute(_TABLES).fetchall(),
            "connections": cursor.execute(_CONNECTIONS).fetchall(),
        }


def waiting(room: Room) -> list[dict[str, Any]]:
    with room.db.reading() as c:
        return [asdict(queue) for queue in queues.all_of(c)]


def recorded(room: Room) -> dict[str, int]:
    """How often each kind of thing was."""
    with room.db.reading() as c:
        return {row.kind: row.times for row in c.execute(select(Entry.kind, func.count().label("times")).group_by(Entry.kind))}


def _masked(look: Callable[[], Any], mask: Mask) -> Any:
    try:
        told = look()
    except (DeskError, OSError) as wrong:
        return {"not_known": mask.said(str(wrong))}
    return mask.value(json.loads(json.dumps(told, default=str)))


def _configurations(settings: Settings, mask: Mask) -> Iterator[tuple[str, str]]:
    """None of them holds a secret (ops/render.py hands out none); the mask looks all the same."""
    folder = settings.run_dir / "conf"
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            with suppress(OSError):
                yield f"conf/{path.relative_to(folder)}", mask.secrets(path.read_text("utf-8", "replace")[:MOST_CONF])


def _folders(settings: Settings) -> list[Path]:
    return [each for each in (settings.data_dir, settings.run_dir, Path("/tmp")) if each.is_dir()]  # noqa: S108 (only measured)


def _process(folder: Path) -> dict[str, str] | None:
    wanted = ("Name", "State", "Uid", "VmRSS", "Threads")
    with suppress(OSError):
        lines = (line.partition(":") for line in (folder / "status").read_text().splitlines())
        return {name: " ".join(value.split()) for name, _, value in lines if name in wanted}
    return None


def _texts(folder: Path, *names: str) -> dict[str, str]:
    found = {}
    for name in names:
        with suppress(OSError):
            found[name] = (folder / name).read_text().strip()
    return found

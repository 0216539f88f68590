"""Whether the desk does its whole job, part by part, in words."""

import shutil
import threading
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection, text

from app import __version__
from app.config import Settings
from app.core import clock
from app.db.redis import Counters
from app.db.session import Database
from app.files import room
from app.intake import ends
from app.intake import queries as intake
from app.ops import installed, roles, warnings
from app.ops.backup import standing as backups
from app.outbox import queries as outbox
from app.sla import rechecking, timekeeping

OK, DEGRADED, DOWN = "ok", "degraded", "down"
BEAT_MOST = 10  # seconds
WORKERS = {"sla_worker": "sla-worker", "mail_poller": "mail-poller", "outbox_sender": "outbox-sender"}
IF_ON = {"smtp_in": "smtp-in"}
REQUIRED = frozenset({"database", "migrations", "api", *WORKERS, *IF_ON})
DISK_LEAST = 0.05
FRESH = 1.0  # seconds
CHECKPOINT_MOST = timedelta(days=1)


@dataclass(frozen=True)
class Part:
    """One component: ok, degraded or down, why in words, and its figures."""

    status: str
    reason: str | None = None
    figures: dict[str, Any] | None = None

    def told(self) -> dict[str, Any]:
        told = asdict(self)
        figures = told.pop("figures") or {}
        return {key: value for key, value in told.items() if value is not None} | figures


@dataclass(frozen=True)
class Report:
    """The whole: healthy, degraded or unhealthy."""

    status: str
    at: datetime
    parts: dict[str, Part]

    @property
    def http_status(self) -> int:
        return 503 if self.status == "unhealthy" else 200

    def told(self, *, whole: bool) -> dict[str, Any]:
        """For JSON; only an insider is told the parts."""
        told: dict[str, Any] = {"status": self.status, "timestamp": self.at.isoformat(), "version": __version__}
        if whole:
            told["components"] = {name: part.told() for name, part in self.parts.items()}
        return told


class Watch:
    """Looks at every part, at most once a second however many ask."""

    def __init__(self, settings: Settings, db: Database, counters: Counters) -> None:
        self._settings, self._db, self._counters = settings, db, counters
        self._lock = threading.Lock()
        self._last: tuple[float, Report] | None = None

    def report(self) -> Report:
        """The state of the desk, at most a second old."""
        with self._lock:
            if self._last is None or time.monotonic() - self._last[0] > FRESH:
                self._last = (time.monotonic(), self._look())
            return self._last[1]

    def _look(self) -> Report:
        settings = self._settings
        parts = {"database": database(settings.database_dsn)}
        parts["redis"] = (
            Part(OK) if self._counters.alive() else Part(DEGRADED, "Redis does not answer; each process counts for itself.")
        )
        if parts["database"].status == OK:
            parts |= self._in_database()
        else:
            parts["migrations"] = Part(DOWN, "unknown while the database is down")
        parts["disk"] = disk(settings.data_dir)
        parts["tls"] = certificate(settings)
        parts["api"] = api(settings)
        for name, program in workers(settings).items():
            parts[name] = beating(settings.app_run / "heartbeat" / program)
        return Report(overall(parts), clock.now(), parts)

    def _in_database(self) -> dict[str, Part]:
        with self._db.reading() as c:
            return {
                "audit": audit(c),
                "backup": backup(c, self._settings),
                "migrations": migrations(c, self._settings.app_run / "ready"),
                "mailboxes": mailboxes(c),
                "sla": promises(c),
                "outbox": letters(c, configured=self._settings.smtp_host is not None),
            }


def workers(settings: Settings) -> dict[str, str]:
    """The processes that leave heartbeats of their own: their parts of health, and what supervisord calls them."""
    return WORKERS | (IF_ON if settings.smtp_in else {})


def overall(parts: dict[str, Part]) -> str:
    """Unhealthy with something required down, degraded with anything else amiss."""
    if any(part.status == DOWN for name, part in parts.items() if name in REQUIRED):
        return "unhealthy"
    return "healthy" if all(part.status == OK for part in parts.values()) else "degraded"


def database(dsn: str) -> Part:
    """A fresh connection and one query: the pool's old connections say nothing about the next one."""
    try:
        with psycopg.connect(dsn, connect_timeout=2, options="-c statement_timeout=2s") as c:
            c.execute("SELECT 1")
    except psycopg.Error as wrong:
        return Part(DOWN, f"PostgreSQL does not answer: {str(wrong).strip().splitlines()[0]}")
    return Part(OK)


def disk(folder: Path) -> Part:
    usage = shutil.disk_usage(folder)
    free = usage.free / usage.total
    figures = {"free_bytes": usage.free, "free_percent": round(free * 100, 1)}
    if room.is_short(folder):
        return Part(DEGRADED, room.WORDS, figures)
    if free < DISK_LEAST:
        return Part(DEGRADED, f"Only {free:.1%} of the disk under {folder} is free.", figures)
    return Part(OK, None, figures)


def certificate(settings: Settings) -> Part:
    """What `certificates` found last. A day that is far away is told, and degrades nothing."""
    if settings.atum_tls == "off":
        return Part(OK, "TLS ends at the proxy in front (ATUM_TLS=off).")
    state = installed.state(settings)
    if state is None or state.not_after is None:
        return Part(DEGRADED, (state and state.problem) or "The state of the certificate is not known.")
    ends = datetime.fromisoformat(state.not_after)
    figures = {"mode": state.mode, "days_left": (ends - clock.now()).days, "names": state.names, "issuer": state.issuer}
    problem = state.problem or (f"The certificate expired on {ends:%Y-%m-%d}." if ends <= clock.now() else None)
    return Part(DEGRADED if problem else OK, problem or state.hint, figures)


def api(settings: Settings) -> Part:
    """How many of the API's processes are alive."""
    marks = [settings.app_run / "heartbeat" / f"api_{n:02d}" for n in range(settings.web_concurrency)]
    alive = sum(beating(mark).status == OK for mark in marks)
    figures = {"workers": alive, "wanted": settings.web_concurrency}
    if alive == 0:
        return Part(DOWN, "None of the API's processes is alive.", figures)
    if alive < settings.web_concurrency:
        return Part(DEGRADED, f"{alive} of {settings.web_concurrency} of the API's processes are alive.", figures)
    return Part(OK, None, figures)


def beating(mark: Path) -> Part:
    """Whether the process that leaves this heartbeat is there, running, and not stuck."""
    try:
        age, pid = clock.epoch() - mark.stat().st_mtime, int(mark.read_text() or 0)
    except (OSError, ValueError):
        return Part(DOWN, "It has not started yet.")
    figures = {"heartbeat_age": round(age, 1)}
    state = process_state(pid)
    if state in {"", "Z", "X"}:
        return Part(DOWN, "Its process is gone; it is being restarted.", figures)
    if state in {"T", "t"}:
        return Part(DOWN, "Its process is stopped.", figures)
    if age > BEAT_MOST:
        return Part(DOWN, f"It has given no sign of life for {age:.0f} s.", figures)
    return Part(OK, None, figures)


def process_state(pid: int) -> str:
    """The kernel's letter for a process's state (proc(5)), or nothing where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def migrations(c: Connection, ready: Path) -> Part:
    """Whether the database is still at the revision that `boot` brought it to and wrote into the ready mark."""
    wanted = ready.read_text().strip() if ready.exists() else None
    found = c.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found != wanted:
        return Part(DOWN, f"The database is at revision {found}, and this version needs {wanted}. Restart the desk.")
    return Part(OK, None, {"revision": found})


def audit(c: Connection) -> Part:
    """When its end was signed last, and whether the role that the desk works as keeps it from being changed."""
    standing = roles.standing(c)
    last = c.execute(text("SELECT max(day) FROM audit_checkpoint")).scalar_one()
    figures = {"works_as": standing.role, "last_checkpoint": last and last.isoformat()}
    if last and clock.now().date() - last > CHECKPOINT_MOST:
        return Part(DEGRADED, f"The audit was last signed on {last}; the SLA worker does that every day.", figures)
    return Part(OK, standing.problem, figures)


def backup(c: Connection, settings: Settings) -> Part:
    """Whether the last one was good and not long ago. That nobody keeps the key elsewhere is said, and degrades nothing."""
    standing, now = backups.of(c, settings, now=clock.now()), clock.now()
    unkept = backups.KEEP_THE_KEY if standing.last and not standing.key_kept else None
    off = backups.OFF if settings.backup_schedule == "off" else None
    return Part(DEGRADED if standing.amiss else OK, standing.amiss or unkept or off, standing.figures(now))


def promises(c: Connection) -> Part:
    """Whether the time that deadlines go by is to be trusted, and each clock's row is what its history says."""
    time, check = timekeeping.standing(c), rechecking.last(c) or {}
    amiss = []
    if time.behind:
        amiss.append(f"The database's clock is {time.behind} behind a time it has already had: deadlines wait until then.")
    elif time.lately and time.stepped_by:
        way = "forward" if time.stepped_by > timedelta(0) else "back"
        amiss.append(f"The database's clock was put {way} by {abs(time.stepped_by)} at {time.stepped_at:%Y-%m-%d %H:%M:%S} UTC.")
    if check.get("differences"):
        amiss.append(f"{check['differences']} clocks differ from their replay: see atum sla verify.")
    return Part(DEGRADED if amiss else OK, " ".join(amiss) or None, {"re_check": check or None})


def mailboxes(c: Connection) -> Part:
    """Each mailbox in words. One that can't be read degrades the desk; everything else works on."""
    states = intake.mailbox_states(c)
    amiss = [f"{state['name']}: {state['reason']}" for state in states if state["state"] not in intake.WELL]
    held = sum(state.get("quarantined", 0) for state in states)
    if held:
        amiss.append(
            f"{held} mails wait for a person: see the page Mail (or atum mail list --state quarantined, then replay or drop)."
        )
    amiss += intake.too_quiet(c)
    amiss += [end.words for end in ends.about_to(states, now=clock.now())]
    if waiting := warnings.unprocessed(c, now=clock.now()):
        amiss.append(waiting)
    return Part(DEGRADED if amiss else OK, " ".join(amiss) or None, {"each": states})


def letters(c: Connection, configured: bool) -> Part:
    """How long the oldest letter waits, and what the server that takes them says."""
    standing = outbox.standing(c)
    figures = {"waiting": standing.waiting, "oldest_since": standing.oldest, "unknown": standing.unknown}
    reason = standing.reason
    if not configured and standing.waiting:
        reason = f"{standing.waiting} letters wait: {outbox.NO_SERVER}."
    elif reason is None and standing.oldest and clock.now() - standing.oldest > warnings.LETTER_MOST:
        reason = f"The oldest letter waits since {standing.oldest:%Y-%m-%d %H:%M} UTC."
    return Part(DEGRADED if reason else OK, reason, figures)

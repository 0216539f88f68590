"""The parts of health, in health's own words, each with what mends it."""

from collections.abc import Iterable

from app.db.redis import Counters
from app.ops.doctor.findings import DESK, Finding, Level, Room
from app.ops.health import DEGRADED, DOWN, Watch

LOOK_AT_LOG = "docker compose logs --tail 100 desk"
_LEVELS = {DOWN: Level.BAD, DEGRADED: Level.WARNING}
_LINES = {
    "audit": f"{DESK} atum audit verify",
    "backup": f"{DESK} atum backup",
    "migrations": "docker compose restart desk",
    "mailboxes": f"{DESK} atum mailbox list",
    "sla": f"{DESK} atum sla verify",
    "outbox": f"{DESK} atum mail suppressed",
    "tls": "docker compose logs desk | grep '\"certificates\"'",
    "disk": "docker system df -v && df -h",
}


def look(room: Room) -> Iterable[Finding]:
    """One finding for each part that there is."""
    report = Watch(room.settings, room.db, Counters(room.settings.redis_dsn)).report()
    for name, part in report.parts.items():
        chosen = name == "tls" and room.settings.atum_tls == "off"  # then what is said of it is no advice
        level = _LEVELS.get(part.status, Level.HINT if part.reason and not chosen else Level.OK)
        line = None if level is Level.OK else line_for(name, part.reason or "")
        yield Finding(name.replace("_", "-"), level, part.reason or "as it should be", None, line)


def line_for(name: str, reason: str) -> str:
    """The line that a part's words ask for by themselves, or the part's own."""
    _, found, asked = reason.rpartition("atum ")
    if found and name in {"backup", "audit"}:
        return f"{DESK} atum {asked.strip().rstrip('.')}"
    return _LINES.get(name, LOOK_AT_LOG)

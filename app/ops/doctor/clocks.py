"""Whether this machine has the right time, by whoever else tells it. That the clock was put is health's to say."""

import ctypes
import http.client
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from sqlalchemy import Connection, select, text

from app.config import Settings
from app.core import clock
from app.intake.models import Grant
from app.ops.doctor.findings import Finding, Level, Room

SUBJECT = "clock"
PATIENCE = 4.0  # seconds
APART, FAR = timedelta(seconds=5), timedelta(seconds=60)
MOST = 4  # servers
_UNSYNCHRONISED = 5  # TIME_ERROR of adjtimex(2)
_SET = "sudo timedatectl set-ntp true"


def look(room: Room) -> Iterable[Finding]:
    if synchronised() is False:
        why = "Codes of authenticator apps, certificates and deadlines go by it, and it drifts."
        yield Finding(SUBJECT, Level.HINT, "Nobody keeps this machine's clock right", why, _SET)
    with room.db.reading() as c:
        yield from database(c)
        servers = _servers(room.settings, c)
    for server in servers:
        yield from _by(server)


def synchronised() -> bool | None:
    """Whether the kernel is told the time by somebody; None where it does not say."""
    answer = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    return None if answer < 0 else answer != _UNSYNCHRONISED


def database(c: Connection) -> Iterator[Finding]:
    """PostgreSQL's clock is what deadlines go by; ours is what mails and certificates do."""
    before = clock.now()
    theirs: datetime = c.execute(text("SELECT clock_timestamp()")).scalar_one()
    yield judged("PostgreSQL", theirs - (before + (clock.now() - before) / 2))


def judged(who: str, apart: timedelta) -> Finding:
    """What a difference is worth."""
    if abs(apart) <= APART:
        return Finding(SUBJECT, Level.OK, f"within {APART.seconds} s of {who}'s")
    level = Level.BAD if abs(apart) > FAR else Level.WARNING
    way = "behind" if apart > timedelta(0) else "ahead of"
    why = "Codes of authenticator apps fail, and deadlines and mails bear wrong times."
    return Finding(SUBJECT, level, f"{abs(apart).total_seconds():.0f} s {way} {who}'s", why, _SET)


def _servers(settings: Settings, c: Connection) -> list[str]:
    """Those that the desk speaks to by HTTPS anyway."""
    authority = settings.acme_directory if settings.atum_tls == "acme" else None
    known = [authority, settings.backup_s3_endpoint, *c.execute(select(Grant.token_url).distinct()).scalars()]
    hosts = [urlsplit(url).netloc for url in known if url and url.startswith("https://")]
    return list(dict.fromkeys(hosts))[:MOST]


def _by(server: str) -> Iterator[Finding]:
    """A server that can't be asked says nothing of the time."""
    connection = http.client.HTTPSConnection(server, timeout=PATIENCE)
    try:
        connection.request("HEAD", "/", headers={"User-Agent": "atum-doctor"})
        told = parsedate_to_datetime(connection.getresponse().getheader("Date") or "")
    except (OSError, ValueError, http.client.HTTPException):
        return
    finally:
        connection.close()
    yield judged(server.partition(":")[0], (told if told.tzinfo else told.replace(tzinfo=UTC)) - clock.now())

"""The server that takes our mail: greeted and signed in to now; nothing is sent."""

from collections.abc import Iterable

from app.ops.doctor.findings import DESK, Finding, Level, Room
from app.outbox.smtp import Line, Trouble, account

SUBJECT = "smtp"
PATIENCE = 8.0  # seconds


def look(room: Room) -> Iterable[Finding]:
    known = account(room.settings)
    if known is None:
        return  # which the settings have said
    line = Line(known, connecting=PATIENCE, together=PATIENCE)
    try:
        features = line.tried()
    except Trouble as trouble:
        why = "Letters wait until it takes them."
        yield Finding(SUBJECT, Level.BAD, str(trouble), why, f"{DESK} atum config check")
        return
    how = {"starttls": "by STARTTLS", "tls": "by TLS", "none": "without TLS"}[known.security]
    user = f", signed in as {known.user}" if known.user else ", not signed in"
    largest = f"; it takes {int(features['size']) >> 20} MB" if features.get("size", "").isdigit() else ""
    yield Finding(SUBJECT, Level.OK, f"{known.host}:{known.port} {how}{user}{largest}")

"""What is amiss with mail, backups and the certificate, as a state: recorded when it begins and when it ends, whoever looks.

The event that records it is what webhooks tell. A banner and health say the same as long as it is so.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from app.audit import actions as audit
from app.audit.models import Event
from app.config import Settings
from app.db import locks
from app.db.session import Session
from app.db.session import now as time_of
from app.intake import ends
from app.intake import queries as intake
from app.intake.mailboxes import TELL_AFTER
from app.intake.rules.states import MailboxState
from app.ops import installed
from app.ops.backup import standing as backups
from app.ops.models import Warned
from app.outbox import queries as outbox

LETTER_MOST = NEW_MOST = timedelta(minutes=15)
_AT_ONCE = frozenset({MailboxState.NEEDS_REAUTH, MailboxState.BLOCKED})

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Amiss:
    """One thing: what kind, the mailbox it is about, if any, and what to say."""

    name: str
    words: str
    about: str | None = None
    mailbox: int | None = None

    @property
    def key(self) -> str:
        return f"{self.name}:{self.mailbox or ''}"


def unprocessed(c: Connection | Session, *, now: datetime) -> str | None:
    """What is to be said of mails that came and have no outcome yet."""
    waiting, oldest = intake.oldest_new(c)
    if oldest is None or now - oldest <= NEW_MOST:
        return None
    return f"{waiting} mails have come and not been looked at; the first came at {oldest:%Y-%m-%d %H:%M} UTC."


def late(c: Connection | Session, settings: Settings, *, now: datetime) -> str | None:
    """What is to be said of letters that wait for long."""
    standing = outbox.standing(c)
    if standing.oldest is None or now - standing.oldest <= LETTER_MOST:
        return None
    reason = standing.reason if settings.smtp_host else outbox.NO_SERVER
    why = f": {reason}" if reason else "."
    return f"Mail goes out late: the oldest letter waits since {standing.oldest:%Y-%m-%d %H:%M} UTC{why}"


def amiss(c: Connection | Session, settings: Settings, *, now: datetime) -> list[Amiss]:
    """Everything that lasts. A server that is away for a moment is nothing yet."""
    boxes = intake.mailbox_states(c)
    found = [
        Amiss("mailbox-stopped", f"Mail to {box['name']} is not coming in: {box['reason']}", box["name"], box["id"])
        for box in boxes
        if box["state"] not in intake.WELL and (box["state"] in _AT_ONCE or (box["since"] and now - box["since"] >= TELL_AFTER))
    ]
    found += [Amiss("mailbox-silent", words, name, id) for id, name, words in intake.silent(c)]
    found += [Amiss("sign-in-ends", end.words, end.name, end.mailbox) for end in ends.about_to(boxes, now=now)]
    backup = backups.of(c, settings, now=now)
    for name, words in (
        ("mail-waiting", unprocessed(c, now=now)),
        ("letters-waiting", late(c, settings, now=now)),
        ("backup-failed", backup.failed),
        ("backup-late", backup.late),
        ("certificate", shown.problem if (shown := installed.state(settings)) else None),
    ):
        if words:
            found.append(Amiss(name, words))
    return found


def look(s: Session, settings: Settings) -> None:
    """Record what is amiss and was not, and what was and is no more. Any number of processes may at once."""
    locks.take_in_transaction(s, "warnings")
    now = time_of(s)
    present = {one.key: one for one in amiss(s, settings, now=now)}
    known = {row.key: row for row in s.scalars(select(Warned))}
    for key, one in present.items():
        if key in known:
            known[key].words = one.words
            continue
        s.add(Warned(key=key, name=one.name, about=one.about, words=one.words, since=now))
        audit.record(s, Event.DESK_WARNED, now=now, name=one.name, about=one.about, words=one.words)
        log.warning("something is amiss", extra={"warning": one.name, "about": one.about, "reason": one.words})
    for key, row in known.items():
        if key not in present:
            audit.record(s, Event.DESK_WARNING_CLEARED, now=now, name=row.name, about=row.about, words=row.words)
            log.info("what was amiss is over", extra={"warning": row.name, "about": row.about, "since": row.since})
            s.delete(row)

"""Each mailbox: signed in to now, with its server's own words, and when it was read last."""

from collections.abc import Iterable
from datetime import timedelta
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic

from app.core import clock
from app.core.errors import DeskError
from app.db.locks import Keeper
from app.intake import grants, managed, queries
from app.intake.failure import MailboxFailure
from app.intake.models import Mailbox
from app.ops.doctor.findings import DESK, Finding, Level, Room

SUBJECT = "mailbox"
PATIENCE = 9.0  # seconds for all of them, side by side
_ADD = "IMAP_HOST=imap.example.com\nIMAP_USER=support@example.com\nIMAP_PASSWORD=…"


def look(room: Room) -> Iterable[Finding]:
    with room.db.transaction() as s:
        boxes = list(queries.in_use(s))
        others = [box for box in queries.named(s) if box.smtp_only]
    if not boxes and not others:
        yield Finding(SUBJECT, Level.HINT, "No mailbox is read", "No mail becomes a ticket.", _ADD)
    for box in others:
        yield by_smtp(room, box)
    answers: SimpleQueue[tuple[Mailbox, Finding]] = SimpleQueue()
    for box in boxes:
        Thread(target=lambda box=box: answers.put((box, tried(room, box))), daemon=True).start()
    missing, until = {box.id: box for box in boxes}, monotonic() + PATIENCE
    while missing:
        try:
            box, finding = answers.get(timeout=max(until - monotonic(), 0))
        except Empty:
            break
        del missing[box.id]
        yield finding
    yield from (_no(box, f"no answer within {PATIENCE:.0f} s") for box in missing.values())


def by_smtp(room: Room, box: Mailbox) -> Finding:
    """One that has no server: its mail comes to us."""
    if room.settings.smtp_in:
        return Finding(SUBJECT, Level.OK, f"{box.name}: its mail comes by SMTP")
    why = "Whoever writes to it is told by their own server that it could not be delivered."
    return Finding(SUBJECT, Level.WARNING, f"{box.name}: its mail comes by SMTP, and SMTP_IN is off", why, "SMTP_IN=on")


def tried(room: Room, box: Mailbox) -> Finding:
    """Sign in, and open the folder; nothing is changed there."""
    try:
        unread = managed.tried(grants.account(room.db, Keeper(room.db.dsn, name="atum"), box, room.settings))
    except MailboxFailure as failure:
        return _no(box, str(failure))
    except DeskError as refused:
        return _no(box, refused.message)
    return Finding(SUBJECT, Level.OK, f"{box.name}: signed in to {box.host}, opened {box.folder}; {unread} unread; {_last(box)}")


def _no(box: Mailbox, words: str) -> Finding:
    what = f"{box.name}: {words}; {_last(box)}"
    return Finding(SUBJECT, Level.BAD, what, "Its mail waits on the server.", f"{DESK} atum mailbox test {box.name}")


def _last(box: Mailbox) -> str:
    if box.last_ok_at is None:
        return "never read yet"
    age = timedelta(seconds=round((clock.now() - box.last_ok_at).total_seconds()))
    return f"read last {age} ago"

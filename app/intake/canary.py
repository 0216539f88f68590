"""Whether mail still comes in where none does: the desk sends itself one, and knows how often each mailbox has mail.

A mailbox can be read without any mail reaching it: a forwarding that was changed, a full account, a filter. So where it has been
quiet for long, or for improbably long, the desk mails itself there. The mail is known by a signed mark in its subject, whatever
relays do to its header; it becomes nothing when it is back. If it does not come back, nor anything else, that is told.
"""

import logging
import time
from collections.abc import Collection
from datetime import datetime, timedelta
from enum import Enum, auto

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.accounts import queries as accounts
from app.config import Settings
from app.db.session import Database, Session
from app.db.session import now as database_now
from app.intake import notices, queries
from app.intake.models import Canary, Mailbox
from app.intake.rules import silence
from app.intake.rules.states import MailboxState
from app.outbox import actions as outbox
from app.outbox.actions import Draft
from app.outbox.house import House, house
from app.outbox.models import Kind, Letter, State

LOOK = 30.0  # seconds between looks at all mailboxes
LEARN = 3600.0  # seconds between looks at when mail came
EVERY = timedelta(hours=6)  # of quiet, between two mails of the desk to itself
SOON = timedelta(hours=2)  # the same where something may be amiss
REFUSED_FOR = timedelta(days=1)  # where our own server does not take mail for the mailbox
TRIPS = 20  # journeys that are remembered

log = logging.getLogger(__name__)


class Probe(Enum):
    """How the last mail of the desk to itself is doing."""

    NONE = auto()
    WAITING = auto()  # in the outbox
    REFUSED = auto()  # by the server that takes our letters
    OUT = auto()
    BACK = auto()  # or something else came since, which says the same
    LOST = auto()


class Canaries:
    """Looks at all mailboxes again and again, for one process of several."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._settings = database, settings
        self._hours: dict[int, tuple[float, Collection[datetime]]] = {}

    def turn(self) -> float:
        """Look at each mailbox; the seconds to wait before the next time."""
        with self._database.transaction() as s:
            mailboxes = queries.in_use(s)
            ours = house(self._settings, others=queries.addresses(s))
        for mailbox in mailboxes:
            hours = self._known(mailbox.id)
            with self._database.transaction() as s:
                look(s, mailbox.id, house=ours, sends=self._settings.smtp_host is not None, hours=hours, now=database_now(s))
        return LOOK

    def _known(self, mailbox: int) -> Collection[datetime]:
        at, hours = self._hours.get(mailbox, (float("-inf"), ()))
        if time.monotonic() - at > LEARN:
            with self._database.reading() as c:
                hours = queries.hours_with_mail(c, mailbox, weeks=silence.MOST_WEEKS + 1)
            self._hours[mailbox] = (time.monotonic(), hours)
        return hours


def look(s: Session, mailbox_id: int, *, house: House, sends: bool, hours: Collection[datetime], now: datetime) -> None:
    """Judge one mailbox, tell what changed, and send it a mail if it is time. `sends`: whether there is an SMTP server."""
    s.execute(insert(Canary).values(mailbox_id=mailbox_id, probe=0, trips=[]).on_conflict_do_nothing())
    row = s.scalar(select(Canary).where(Canary.mailbox_id == mailbox_id).with_for_update(skip_locked=True))
    if row is None:  # another poller looks at it at this moment
        return
    mailbox = s.get_one(Mailbox, mailbox_id, populate_existing=True)
    if mailbox.state is not MailboxState.OK or mailbox.last_ok_at is None:
        row.words = row.since = None  # that it can't be read is told by others
        return
    alive, written = queries.last_signs(s, mailbox_id)
    alive, written = alive or mailbox.created_at, written or mailbox.created_at
    letter = _letter(s, row)
    probe = _standing(row, letter, alive, mailbox.last_ok_at)
    improbable = silence.improbable(hours, written, mailbox.last_ok_at)
    words = _words(mailbox, probe, letter, alive, written, improbable=improbable, sends=sends)
    if probe in {Probe.WAITING, Probe.OUT} and row.since and alive <= row.since:
        words = words or row.words  # another one is on its way, and nothing has changed so far
    _tell(s, row, mailbox, words, house, now)
    pause = SOON if improbable or probe is Probe.LOST else EVERY
    pause = REFUSED_FOR if probe is Probe.REFUSED else pause
    if sends and probe not in {Probe.WAITING, Probe.OUT} and now - max(alive, row.asked_at or alive) >= pause:
        _send(s, row, mailbox, house, now)


def came_back(s: Session, mailbox_id: int, probe: int, *, now: datetime) -> str:
    """The mail of this number is back; why it becomes nothing, in words."""
    row = s.get(Canary, mailbox_id, with_for_update=True)
    if row is None or row.probe != probe or row.came_at is not None:
        return "the desk's own probe, late or once more"
    letter = _letter(s, row)
    sent = (letter and letter.sent_at) or row.asked_at or now
    seconds = max((now - sent).total_seconds(), 0.0)
    row.came_at, row.trips = now, [*row.trips, round(seconds, 1)][-TRIPS:]
    return f"the desk's own probe, back after {seconds:.0f} s"


def _standing(row: Canary, letter: Letter | None, alive: datetime, read_at: datetime) -> Probe:
    """What was not read can't be missed: time is counted until the mailbox was read last."""
    if letter is None or row.asked_at is None:
        return Probe.NONE
    if row.came_at or alive > row.asked_at:
        return Probe.BACK
    if letter.state is State.FAILED:
        return Probe.REFUSED
    if letter.state in {State.QUEUED, State.SENDING}:
        return Probe.WAITING
    return Probe.LOST if read_at - (letter.sent_at or row.asked_at) > silence.patience(row.trips) else Probe.OUT


def _words(
    mailbox: Mailbox,
    probe: Probe,
    letter: Letter | None,
    alive: datetime,
    written: datetime,
    *,
    improbable: bool,
    sends: bool,
) -> str | None:
    """What is amiss, if anything: a mail of ours that is lost, or an improbable silence where we can't send ourselves one."""
    if probe is Probe.LOST and letter:
        sent = letter.sent_at or letter.created_at
        return (
            f"Nothing has come to {mailbox.name} since {alive:%Y-%m-%d %H:%M} UTC, not even the mail that the desk sent there "
            f"itself at {sent:%Y-%m-%d %H:%M} UTC. Look into its spam folder, and at how mail for {mailbox.address} gets there."
        )
    if not improbable or (sends and probe not in {Probe.WAITING, Probe.REFUSED}):
        return None
    why = "there is no SMTP server" if not sends else f"{(letter and letter.last_error) or 'mail is not going out'}"
    return (
        f"No mail has come to {mailbox.name} since {written:%Y-%m-%d %H:%M} UTC, which is unusual for it, and the desk can't "
        f"send itself one to see why ({why}). Write a mail to {mailbox.address} and see whether it comes."
    )


def _tell(s: Session, row: Canary, mailbox: Mailbox, words: str | None, house: House, now: datetime) -> None:
    """In the log and to the administrators when it is news; on pages and in health as long as it is so."""
    if words and row.since is None:
        row.since = now
        log.error("a mailbox is too quiet", extra={"mailbox": mailbox.name, "reason": words})
        letters = [notices.too_quiet(mailbox, words, now, person, house.zone) for person in accounts.administrators(s)]
        outbox.put_all(s, letters, now=now)
    elif words is None and row.since:
        log.info("mail comes in again", extra={"mailbox": mailbox.name, "quiet_since": row.since})
        row.since = None
    row.words = words


def _send(s: Session, row: Canary, mailbox: Mailbox, house: House, now: datetime) -> None:
    row.probe, row.asked_at, row.came_at = row.probe + 1, now, None
    draft = Draft(
        kind=Kind.NOTICE,
        dedupe_key=_key(row),
        ticket=None,
        message_id=None,
        to_address=mailbox.address,
        to_name="",
        from_name="",
        subject=f"Does mail still come in? [{house.probe(mailbox.id, row.probe)}]",
        text=(
            "The desk sent itself this mail, because nothing had come to this mailbox for some hours. It becomes no ticket.\n\n"
            "You may delete it at any time."
        ),
        in_reply_to=None,
        references=(),
        mail_id=outbox.new_mail_id(0, 0),
        from_address=mailbox.address,
    )
    outbox.put(s, draft, now=now)


def _letter(s: Session, row: Canary) -> Letter | None:
    return s.scalar(select(Letter).where(Letter.dedupe_key == _key(row))) if row.asked_at else None


def _key(row: Canary) -> str:
    return f"probe:{row.mailbox_id}:{row.probe}"

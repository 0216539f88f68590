"""How letters and their server stand, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from app.core import text
from app.db.session import Session
from app.files.models import Attachment
from app.outbox.models import Kind, Letter, Relay, RelayState, State

_WORSE = (State.SENT, State.SENDING, State.QUEUED, State.UNKNOWN, State.FAILED)
NO_SERVER = "no SMTP server is set (SMTP_HOST)"


@dataclass(frozen=True)
class Fate:
    """What became of a message's letter, for the page: "sent", "waiting: …", "not delivered: …", "perhaps not delivered: …"."""

    state: State
    words: str
    at: datetime


@dataclass(frozen=True)
class Standing:
    """The outbox as a whole: how many letters wait and since when, and whether the server takes them."""

    waiting: int
    oldest: datetime | None
    unknown: int
    relay: RelayState
    reason: str | None
    since: datetime | None
    next_try_at: datetime | None


def enclosed(s: Session, letter: Letter) -> Sequence[Attachment]:
    """The files that go with a letter: an agent's with the answer, never a stranger's with what a machine writes."""
    if letter.kind is not Kind.REPLY or letter.message_id is None:
        return []
    return s.scalars(select(Attachment).where(Attachment.message_id == letter.message_id).order_by(Attachment.id)).all()


def by_mail_id(s: Session, bare: str, *, to: str) -> Letter | None:
    """The letter of this bare Message-ID; of several, which went out in copy, the one to this address. It is locked."""
    letters = s.scalars(select(Letter).where(Letter.mail_id == bare).with_for_update()).all()
    mine = [letter for letter in letters if text.address(letter.to_address) == text.address(to)] or letters
    return mine[0] if len(mine) == 1 else None


def fates(c: Connection | Session, ticket: int, *, configured: bool) -> dict[int, Fate]:
    """What became of a ticket's messages, by message. `configured`: whether there is an SMTP server at all.

    Of a message that went to several people the worst is told; of equal fates the first, which is the requester's.
    """
    query = select(Letter.message_id, Letter.state, Letter.last_error, Letter.next_at, Letter.sent_at, Letter.created_at)
    rows = c.execute(query.where(Letter.ticket == ticket, Letter.message_id.is_not(None)).order_by(Letter.id.desc())).all()
    trouble = c.execute(select(Relay.reason)).scalar_one_or_none() if configured else NO_SERVER
    worst_last = sorted(rows, key=lambda row: _WORSE.index(row.state))
    return {
        message: Fate(state, _words(state, error, next_at, trouble), sent_at or created_at)
        for message, state, error, next_at, sent_at, created_at in worst_last
        if message is not None
    }


def standing(c: Connection | Session) -> Standing:
    """How the outbox stands."""
    open_ = Letter.state.in_((State.QUEUED, State.SENDING))
    waiting, oldest = c.execute(select(func.count(), func.min(Letter.created_at)).where(open_)).one()
    unknown = c.execute(select(func.count()).where(Letter.state == State.UNKNOWN)).scalar_one()
    relay = c.execute(select(Relay.state, Relay.reason, Relay.since, Relay.next_try_at)).one_or_none()
    return Standing(waiting, oldest, unknown, *(relay or (RelayState.OK, None, None, None)))


def _words(state: State, error: str | None, next_at: datetime | None, trouble: str | None) -> str:
    match state:
        case State.SENT:
            return "sent"
        case State.FAILED:
            return f"not delivered: {error}"
        case State.UNKNOWN:
            return f"perhaps not delivered: {error}"
        case State.QUEUED if trouble:
            return f"waiting: {trouble}"
        case State.QUEUED if error and next_at:
            return f"waiting: {error} (next try at {next_at:%H:%M} UTC)"
        case _:
            return "waiting: it is next in line"

"""How letters and their server stand, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from app.db.session import Session
from app.files.models import Attachment
from app.outbox.house import House
from app.outbox.models import Kind, Letter, Relay, RelayState, State, Suppression

_WORSE = (State.SENT, State.SENDING, State.QUEUED, State.UNKNOWN, State.FAILED)
MOST_ADDRESSEES = 500
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


def written(s: Session, letter: Letter) -> dict[str, datetime]:
    """When the letters of ours were written that this one refers to, by their bare Message-IDs."""
    ours = {one for one in (letter.in_reply_to, *letter.references) if one and not one.startswith("<")}
    if not ours:
        return {}
    query = select(Letter.mail_id, func.min(Letter.created_at)).where(Letter.mail_id.in_(ours)).group_by(Letter.mail_id)
    return {row.mail_id: row[1] for row in s.execute(query)}


def by_return_address(s: Session, address: str, house: House, *, lock: bool = False) -> Letter | None:
    """The letter whose return path this is; None for any address that isn't one of ours."""
    id = house.letter_of_address(address)
    return s.get(Letter, id, with_for_update=lock or None) if id is not None else None


def by_mail_id(s: Session, bare: str) -> Sequence[Letter]:
    """The letters of this bare Message-ID, locked: several where one mail went out in copy."""
    return s.scalars(select(Letter).where(Letter.mail_id == bare).order_by(Letter.id).with_for_update()).all()


def addressees(s: Session, ticket: int) -> Sequence[str]:
    """Who was ever written to about a ticket."""
    return s.scalars(select(Letter.to_address).where(Letter.ticket == ticket).distinct().limit(MOST_ADDRESSEES)).all()


def fates(c: Connection | Session, ticket: int, *, configured: bool) -> dict[int, Fate]:
    """What became of a ticket's messages, by message. `configured`: whether there is an SMTP server at all.

    Of a message that went to several people the worst is told; of equal fates the first, which is the requester's.
    """
    query = select(Letter.message_id, Letter.state, Letter.last_error, Letter.next_at, Letter.sent_at, Letter.created_at)
    rows = c.execute(query.where(Letter.ticket == ticket, Letter.message_id.is_not(None)).order_by(Letter.id.desc())).all()
    trouble = c.execute(select(Relay.reason)).scalar_one_or_none() if configured else NO_SERVER
    worst_last = sorted(rows, key=lambda row: (_WORSE.index(row.state), row.last_error is not None))
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


def suppressed(c: Connection | Session, *, limit: int, after: tuple[datetime, str] | None = None) -> list[dict[str, Any]]:
    """The addresses that get no more mail, or none that a machine writes: since when and why, the last ones first. `after` is
    the time and address of the one before.
    """
    columns = (Suppression.address, Suppression.cause, Suppression.since, Suppression.reason)
    query = select(*columns).where(Suppression.since.is_not(None)).order_by(Suppression.since.desc(), Suppression.address)
    if after is not None:
        since, address = after
        query = query.where(or_(Suppression.since < since, and_(Suppression.since == since, Suppression.address > address)))
    return [dict(row) for row in c.execute(query.limit(limit)).mappings()]


def _words(state: State, error: str | None, next_at: datetime | None, trouble: str | None) -> str:
    match state:
        case State.SENT:
            return f"delayed: {error}" if error else "sent"
        case State.FAILED:
            return f"not delivered: {error}"
        case State.UNKNOWN:
            return f"perhaps not delivered: {error}"
        case State.QUEUED if trouble:
            return f"waiting: {trouble}"
        case State.QUEUED if error and next_at:
            return f"waiting: {error} (next try at {next_at:%Y-%m-%d %H:%M} UTC)"
        case _:
            return "waiting: it is next in line"

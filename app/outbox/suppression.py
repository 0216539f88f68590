"""Addresses that get no more mail from us: where nobody is, and where mail has failed for days. Those whose readers complained
get only what a person wrote.

It ends when a mail comes from there that no machine sent (after a complaint: one that is verified), or by hand. One-time links
always go: whoever asked for one waits for it now.
"""

from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Delete, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from app.audit import actions as audit
from app.audit.models import Event
from app.core import text
from app.core.errors import NotFound
from app.db.session import Session
from app.outbox import rules
from app.outbox.house import ACKNOWLEDGE
from app.outbox.models import Cause, Kind, Letter, State, Suppression

COMPLAINED = "its reader's provider passed on that our mail is unwanted"


class Mailed(Protocol):
    """A letter, or the draft of one."""

    @property
    def to_address(self) -> str: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def link(self) -> str | None: ...


def refusal(mailed: Mailed, cause: str, since: str, reason: str) -> str | None:
    """Why this letter to a suppressed address is not sent, and how that ends; None where it is sent all the same."""
    if mailed.link not in {None, ACKNOWLEDGE} or (cause == Cause.COMPLAINT and mailed.kind is Kind.REPLY):
        return None
    complained = cause == Cause.COMPLAINT
    what, ends = ("no automatic mail", "a verified mail comes") if complained else ("no mail", "somebody writes to us")
    address = text.address(mailed.to_address)
    return (
        f"{what} is sent to {address} since {since}: {reason}. It is sent again as soon as {ends} from there, "
        f"or after: atum mail unsuppress {address}"
    )


def failed(s: Session, letter: Letter, words: str, *, sure: bool, now: datetime) -> None:
    """A letter did not arrive. One failure is enough where it is `sure` that nobody is there; of others it takes several days."""
    row = _row(s, letter.to_address, words)
    row.days, row.failed_at = rules.failing_days(row.days, row.failed_at, now), now
    if sure and rules.nobody_there(words):
        _suppress(s, row, Cause.HARD, words, letter, now)
    elif row.days >= rules.MOST_FAILING_DAYS:
        _suppress(s, row, Cause.SOFT, f"on {row.days} days in a row of failures it did not arrive, last: {words}", letter, now)


def complained(s: Session, letter: Letter, *, now: datetime) -> None:
    """The letter's reader called it unwanted, as their provider reports (RFC 5965)."""
    _suppress(s, _row(s, letter.to_address, COMPLAINED), Cause.COMPLAINT, COMPLAINED, letter, now)


def lift(s: Session, address: str, *, by: tuple[int, str] | None = None, now: datetime) -> bool:
    """Mail goes to this address again, by somebody's hand; what failed before is forgotten. False where it went anyway."""
    return _lifted(s, delete(Suppression).where(Suppression.address == text.address(address)), by=by, mail=None, now=now)


def heard_from(s: Session, address: str, *, mail: int, verified: bool, now: datetime) -> bool:
    """The same, because a mail (of this id) came from there. A complaint ends only where it is known that it did: else whoever
    makes the desk write to strangers in their name would end it too.
    """
    gone = delete(Suppression).where(Suppression.address == text.address(address))
    if not verified:
        gone = gone.where(Suppression.cause != Cause.COMPLAINT)
    return _lifted(s, gone, by=None, mail=mail, now=now)


def _lifted(s: Session, gone: Delete, *, by: tuple[int, str] | None, mail: int | None, now: datetime) -> bool:
    columns = (Suppression.address, Suppression.since, Suppression.cause, Suppression.reason)
    found = s.execute(gone.returning(*columns)).one_or_none()
    if found is None or found.since is None:
        return False
    told = {"to": found.address, "cause": found.cause.value, "reason": found.reason, "mail": mail}
    audit.record(s, Event.MAIL_UNSUPPRESSED, now=now, by=by, **told)
    return True


def lift_by_hand(s: Session, address: str, *, by: tuple[int, str] | None = None, now: datetime) -> None:
    """The same, where somebody means it. Raises NotFound."""
    if not lift(s, address, by=by, now=now):
        raise NotFound(f"Mail to {text.one_line(address, most=320)} is not suppressed. List what is: atum mail suppressed")


def _row(s: Session, to: str, words: str) -> Suppression:
    """The address' row, locked; a new one says nothing yet."""
    fresh = {"address": text.address(to), "cause": Cause.SOFT, "reason": words, "days": 0}
    s.execute(insert(Suppression).values(fresh).on_conflict_do_nothing())
    return s.get_one(Suppression, fresh["address"], with_for_update=True, populate_existing=True)


def _suppress(s: Session, row: Suppression, cause: Cause, reason: str, letter: Letter, now: datetime) -> None:
    if row.since is not None and (row.cause is not Cause.COMPLAINT or cause is Cause.COMPLAINT):
        return
    row.since, row.cause, row.reason = now, cause, text.one_line(reason, most=500)
    about: dict[str, Any] = {"to": row.address, "cause": cause.value, "reason": row.reason, "letter": letter.id}
    audit.record(s, Event.MAIL_SUPPRESSED, now=now, ticket=letter.ticket, **about)
    here = select(Letter).where(Letter.state == State.QUEUED, func.lower(Letter.to_address) == row.address)
    for waiting in s.scalars(here.order_by(Letter.id).with_for_update(skip_locked=True)):
        if words := refusal(waiting, cause, f"{now:%Y-%m-%d}", row.reason):
            waiting.state, waiting.next_at, waiting.last_error = State.FAILED, None, words
            about = {"letter": waiting.id, "to": waiting.to_address, "reason": words}
            audit.record(s, Event.MAIL_NOT_DELIVERED, now=now, ticket=waiting.ticket, **about)

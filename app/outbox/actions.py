"""Putting letters in the outbox, taking the next one out, and writing down what became of it."""

import logging
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import aliased

from app.audit import actions as audit
from app.audit.models import Event
from app.db import plain
from app.db.session import Session
from app.db.session import now as time_of
from app.outbox import rules, suppression
from app.outbox.models import Kind, Letter, Relay, RelayState, State
from app.outbox.rules import Outcome, Verdict

WAKE = "outbox_wake"  # the channel of NOTIFY
_ONCE = """
ON CONFLICT (dedupe_key) DO NOTHING RETURNING id, dedupe_key, pg_notify('outbox_wake', ''), (
    SELECT ARRAY[cause, to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD'), reason] FROM suppression
    WHERE address = lower(to_address) AND since IS NOT NULL
)
"""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Draft:
    """A letter to be sent. `mail_id` is bare, and so are ours among the ids it answers; others' are whole ("<…>").

    With `link`, the page of a one-time link, the sender writes that link where the text has compose.LINK.

    `follower` is who gets it because they follow the ticket: such a letter says how to follow it no more.

    The outbox takes one letter for each `dedupe_key`, ever.
    """

    kind: Kind
    dedupe_key: str
    ticket: int | None
    message_id: int | None
    to_address: str
    to_name: str
    from_name: str
    subject: str
    text: str
    in_reply_to: str | None
    references: tuple[str, ...]
    mail_id: str
    from_address: str | None = None
    link: str | None = None
    follower: int | None = None


def new_mail_id(ticket: int, message: int) -> str:
    """A bare Message-ID nobody else has. Lower case, so that a relay that folds cases does no harm."""
    return f"t.{ticket}.{message}.{secrets.token_hex(8)}"


def put(s: Session, draft: Draft, *, now: datetime) -> bool:
    """Queue a letter and wake the sender; False when its dedupe key is known. What can't be mailed fails at once."""
    return put_all(s, [draft], now=now) == 1


def put_all(s: Session, drafts: Iterable[Draft], *, now: datetime) -> int:
    """The same for many letters in one go; answers how many were new."""
    by_key = {draft.dedupe_key: (draft, _problem(draft.to_address)) for draft in drafts}
    if not by_key:
        return 0
    made = plain.write(s, Letter, [_letter(draft, problem, now) for draft, problem in by_key.values()], then=_ONCE)
    for id, key, _, suppressed in made:
        draft, problem = by_key[key]
        if suppressed and not problem and (problem := suppression.refusal(draft, *suppressed)):
            s.execute(update(Letter).where(Letter.id == id).values(state=State.FAILED, next_at=None, last_error=problem))
        if problem:
            _tell(s, id, draft.ticket, draft.to_address, problem, now)
    return len(made)


def _letter(draft: Draft, problem: str | None, now: datetime) -> dict[str, Any]:
    return vars(draft) | {
        "state": State.FAILED if problem else State.QUEUED,
        "created_at": now,
        "next_at": None if problem else now,
        "attempts": 0,
        "doubts": 0,
        "last_error": problem,
    }


def claim(s: Session, *, relay: str) -> Letter | None:
    """The next letter that is due, marked as being sent; None when there is none or its server is being left in peace.

    `relay` tells the server's settings: trouble with others doesn't count. A letter waits for earlier ones of its ticket
    to the same address, so that nobody reads an answer before the question.
    """
    now = time_of(s)
    trouble = s.get(Relay, 1)
    if trouble and trouble.settings == relay and trouble.next_try_at and trouble.next_try_at > now:
        return None
    earlier = aliased(Letter)
    blocked = select(earlier.id).where(
        earlier.ticket == Letter.ticket,
        earlier.to_address == Letter.to_address,
        earlier.id < Letter.id,
        earlier.state.in_((State.QUEUED, State.SENDING)),
    )
    due = select(Letter).where(Letter.next_at <= now, ~blocked.exists()).order_by(Letter.next_at, Letter.id).limit(1)
    letter = s.scalar(due.with_for_update(skip_locked=True, of=Letter))
    if letter:
        letter.state, letter.next_at, letter.attempts = State.SENDING, None, letter.attempts + 1
    return letter


def record(s: Session, id: int, outcome: Outcome, *, relay: str | None) -> None:
    """Write down what became of an attempt; of the letter, and of the server, where it was asked."""
    letter = s.get(Letter, id, with_for_update=True)
    if letter is None or letter.state is not State.SENDING:
        return
    now = time_of(s)
    match outcome.verdict:
        case Verdict.SENT:
            letter.state, letter.sent_at, letter.last_error = State.SENT, now, None
        case Verdict.RETRY:
            _put_off(s, letter, outcome.words, now)
        case Verdict.FAILED:
            _fail(s, letter, outcome.words, now)
            if relay is not None:  # else nobody was asked
                suppression.failed(s, letter, outcome.words, sure=True, now=now)
        case Verdict.DOUBTFUL:
            _doubt(letter, outcome.words, again_at=now + rules.pause(Verdict.DOUBTFUL, letter.doubts + 1))
        case Verdict.REFUSED | Verdict.UNREACHABLE:  # not the letter's fault: it keeps its place and its tries
            letter.state, letter.next_at, letter.attempts = State.QUEUED, now, letter.attempts - 1
    if relay is not None:
        _record_relay(s, outcome, relay, now)


def returned(s: Session, letter: Letter, reason: str, *, mail: int, perhaps: bool = False, now: datetime) -> bool:
    """A report (the inbound mail of this id) says that the letter did not arrive, whatever its server said. Once is enough:
    answers whether it changed anything. `perhaps` leaves it open.
    """
    if letter.state not in {State.SENT, State.UNKNOWN}:
        return False
    letter.state, letter.last_error = State.UNKNOWN if perhaps else State.FAILED, reason
    to, ticket = letter.to_address, letter.ticket
    audit.record(s, Event.MAIL_NOT_DELIVERED, now=now, ticket=ticket, letter=letter.id, to=to, reason=reason, mail=mail)
    return True


def delayed(letter: Letter, reason: str) -> None:
    """A report says that the letter has not arrived yet, and that it is still being tried."""
    if letter.state is State.SENT:
        letter.last_error = reason


def arrived(letter: Letter) -> None:
    """A report says that the letter arrived, or went on to where no more is told of it."""
    if letter.state in {State.SENT, State.UNKNOWN}:
        letter.state, letter.last_error = State.SENT, None


def recover(s: Session) -> int:
    """Settle the letters that a sender left in the middle; only for who holds the sender's lock. Answers how many."""
    left = s.scalars(select(Letter).where(Letter.state == State.SENDING).with_for_update()).all()
    for letter in left:
        _doubt(letter, "the desk was stopped while it was being sent", again_at=time_of(s))
    return len(left)


def _put_off(s: Session, letter: Letter, words: str, now: datetime) -> None:
    pause = rules.again_after(letter.attempts)
    if pause is None:
        _fail(s, letter, f"given up after {letter.attempts} tries: {words}", now)
        suppression.failed(s, letter, words, sure=True, now=now)
    else:
        letter.state, letter.next_at, letter.last_error = State.QUEUED, now + pause, words


def _fail(s: Session, letter: Letter, words: str, now: datetime) -> None:
    letter.state, letter.last_error = State.FAILED, words
    _tell(s, letter.id, letter.ticket, letter.to_address, words, now)


def _doubt(letter: Letter, words: str, *, again_at: datetime) -> None:
    """A person's words go again as the same mail, which receivers know from its Message-ID; but not for ever."""
    letter.doubts += 1
    letter.last_error = words
    if letter.kind is Kind.REPLY and letter.doubts < rules.MOST_DOUBTS:
        letter.state, letter.next_at = State.QUEUED, again_at
    else:
        letter.state = State.UNKNOWN


_TROUBLE = {Verdict.REFUSED: RelayState.REFUSED, Verdict.UNREACHABLE: RelayState.UNREACHABLE}
_NEWS = {
    RelayState.OK: "outgoing mail is taken again",
    RelayState.REFUSED: "outgoing mail waits: the server refuses us",
    RelayState.UNREACHABLE: "outgoing mail waits: the server can't be reached",
}


def _record_relay(s: Session, outcome: Outcome, settings: str, now: datetime) -> None:
    """Trouble pauses everything, longer each time; anything else shows that the server works. Logged on change only."""
    state = _TROUBLE.get(outcome.verdict, RelayState.OK)
    row = s.get(Relay, 1)
    if row is None:
        if state is RelayState.OK:
            return
        row = Relay(id=1, state=RelayState.OK, since=now, reason=None, failures=0, settings=settings)
        s.add(row)
    reason = None if state is RelayState.OK else outcome.words
    if (row.state, row.reason) != (state, reason):
        level = logging.INFO if state is RelayState.OK else logging.ERROR
        log.log(level, _NEWS[state], extra={"reason": reason, "before": row.reason})
    again = (row.state, row.settings) == (state, settings)
    row.failures = 0 if state is RelayState.OK else row.failures * again + 1
    row.next_try_at = None if state is RelayState.OK else now + rules.pause(outcome.verdict, row.failures)
    row.since = row.since if row.state is state else now
    row.state, row.reason, row.settings = state, reason, settings


def _problem(address: str) -> str | None:
    try:
        rules.wire_address(address)
    except ValueError as wrong:
        return str(wrong)
    return None


def _tell(s: Session, letter: int, ticket: int | None, to: str, reason: str, now: datetime) -> None:
    audit.record(s, Event.MAIL_NOT_DELIVERED, now=now, ticket=ticket, letter=letter, to=to, reason=reason)

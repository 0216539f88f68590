"""How the mailboxes are, and what became of each mail."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Connection, RowMapping, String, Text, any_, case, cast, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from app.accounts.models import Team
from app.core import text
from app.db.session import Session
from app.intake.models import BY_SMTP, Canary, Grant, InboundMail, Mailbox
from app.intake.rules.states import MailboxState, MailState
from app.tickets.models import Ticket

WELL = ("ok", "paused")  # states of a mailbox that need nobody


def mailbox_states(c: Connection | Session) -> list[dict[str, Any]]:
    """Each mailbox in use: name, state, since when it fails, the reason in words, and how many of its mails wait for a person."""
    held = (
        select(func.count())
        .where(InboundMail.mailbox_id == Mailbox.id, InboundMail.state == MailState.QUARANTINED)
        .scalar_subquery()
    )
    columns = (
        Mailbox.id,
        Mailbox.name,
        case((Mailbox.paused_at.is_not(None), "paused"), else_=cast(Mailbox.state, String)).label("state"),
        Mailbox.address,
        Team.name.label("team"),
        Mailbox.priority,
        Mailbox.smtp_only,
        Mailbox.trusts,
        Mailbox.forwarders,
        Mailbox.sender_from,
        Mailbox.disowned,
        Mailbox.tells_too_large,
        Mailbox.failing_since.label("since"),
        Mailbox.reason,
        case((Mailbox.state != MailboxState.NEEDS_REAUTH, Mailbox.next_try_at)).label("next_try_at"),
        Mailbox.last_ok_at,
        held.label("quarantined"),
        Grant.refresh_expires_at.label("sign_in_ends_at"),
        Grant.secret_expires_at.label("client_secret_until"),
    )
    joined = select(*columns).outerjoin(Team, Team.id == Mailbox.team_id).outerjoin(Grant, Grant.mailbox_id == Mailbox.id)
    rows = c.execute(joined.where(Mailbox.removed_at.is_(None)).order_by(Mailbox.id))
    return [dict(row) for row in rows.mappings()]


def ledger(
    c: Connection | Session,
    *,
    id: int | None = None,
    state: str | None = None,
    mailbox: int | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """The last mails that came, newest first: who from, what about, and what became of them. `before` is a row's id.

    With `id`, that one alone.
    """
    columns = (
        InboundMail.id,
        Mailbox.name.label("mailbox"),
        InboundMail.received_at,
        InboundMail.taken_at,
        InboundMail.size,
        InboundMail.state,
        InboundMail.reason,
        InboundMail.verdict,
        InboundMail.verdict_words,
        InboundMail.seal,
        InboundMail.seal_words,
        InboundMail.sender,
        InboundMail.subject,
        InboundMail.mail_id,
        InboundMail.charset,
        InboundMail.ticket,
        InboundMail.attempts,
        InboundMail.header_only,
        InboundMail.released_at,
        InboundMail.server_acked_at,
    )
    query = select(*columns).join(Mailbox, Mailbox.id == InboundMail.mailbox_id).order_by(InboundMail.id.desc())
    if state is not None:
        query = query.where(InboundMail.state == MailState(state))
    if id is not None:
        query = query.where(InboundMail.id == id)
    if mailbox is not None:
        query = query.where(InboundMail.mailbox_id == mailbox)
    if before is not None:
        query = query.where(InboundMail.id < before)
    return [dict(row) for row in c.execute(query.limit(limit)).mappings()]


def attested(s: Session, mails: Iterable[int | None]) -> dict[int | None, RowMapping]:
    """Of these mails, by their numbers in the ledger: whether each is from whom it says, and what its signature shows."""
    columns = (InboundMail.verdict, InboundMail.verdict_words, InboundMail.seal, InboundMail.seal_words)
    found = s.execute(select(InboundMail.id, *columns).where(InboundMail.id.in_([id for id in mails if id])))
    return {row.id: row for row in found.mappings()}


def believed_by(c: Connection | Session, id: int) -> tuple[bool, Sequence[str], Sequence[str], bool]:
    """Whether a mail came straight to our own SMTP server, the names of the servers that are believed when they say who a mail is
    from, the domains of the forwarders that are, and whether all of it is here.
    """
    columns = select(InboundMail.uidvalidity, InboundMail.header_only, Mailbox.trusts, Mailbox.forwarders)
    query = columns.join(Mailbox, Mailbox.id == InboundMail.mailbox_id)
    found = c.execute(query.where(InboundMail.id == id)).one_or_none()
    if found is None:
        return False, (), (), True
    return found.uidvalidity == BY_SMTP, found.trusts, found.forwarders, not found.header_only


def waiting(c: Connection | Session, *, after: int, limit: int) -> Sequence[int]:
    """Rows above `after` that have no outcome yet and that nobody has tried, oldest first."""
    new = select(InboundMail.id).where(InboundMail.state == MailState.NEW, InboundMail.attempts == 0, InboundMail.id > after)
    return c.execute(new.order_by(InboundMail.id).limit(limit)).scalars().all()


def failed_before(c: Connection | Session) -> Sequence[int]:
    """Rows that have no outcome yet though somebody has tried, those with the fewest tries first."""
    tried = select(InboundMail.id).where(InboundMail.state == MailState.NEW, InboundMail.attempts > 0)
    return c.execute(tried.order_by(InboundMail.attempts, InboundMail.id)).scalars().all()


def in_thread_of(s: Session, ids: Sequence[str], *, mailbox_id: int, requester_id: int) -> list[int]:
    """This requester's tickets with mails to this mailbox that refer to one of these Message-IDs, newest first: answers that
    came before what they answer, or what they answer never came.
    """
    if not ids:
        return []
    same = select(InboundMail.ticket).join(Ticket, Ticket.number == InboundMail.ticket)
    same = same.where(InboundMail.thread.overlap(list(ids)), InboundMail.state == MailState.DONE)
    same = same.where(InboundMail.mailbox_id == mailbox_id, Ticket.requester_id == requester_id)
    found = s.scalars(same.order_by(InboundMail.ticket.desc()))
    return list(dict.fromkeys(number for number in found if number))


def to_acknowledge(s: Session, mailbox: Mailbox, *, uidvalidity: int, limit: int = 500) -> list[tuple[int, int]]:
    """(row, UID) of mails that have their outcome, and that the server was not told of yet."""
    rows = s.execute(
        select(InboundMail.id, InboundMail.uid)
        .where(
            InboundMail.mailbox_id == mailbox.id,
            InboundMail.uidvalidity == uidvalidity,
            InboundMail.state != MailState.NEW,
            InboundMail.server_acked_at.is_(None),
            InboundMail.refusal.is_(None),
        )
        .order_by(InboundMail.uid)
        .limit(limit)
    )
    return [(id, uid) for id, uid in rows]


def not_taken(c: Connection | Session, mailbox: Mailbox, uids: Sequence[int], *, uidvalidity: int) -> list[int]:
    """Which of the mails with these UIDs the ledger has no row for."""
    taken = select(InboundMail.uid).where(InboundMail.mailbox_id == mailbox.id, InboundMail.uidvalidity == uidvalidity)
    known = set(c.execute(taken.where(InboundMail.uid == any_(literal(uids, ARRAY(BigInteger))))).scalars())
    return [uid for uid in uids if uid not in known]


def known_ids(c: Connection | Session, mailbox: Mailbox, ids: Sequence[str]) -> set[str]:
    """Which of these Message-IDs this mailbox has had."""
    wanted = {id.strip("<>") for id in ids} | set(ids)
    named = InboundMail.mail_id == any_(literal(list(wanted), ARRAY(Text)))
    here = select(InboundMail.mail_id).where(InboundMail.mailbox_id == mailbox.id, named)
    found = set(c.execute(here).scalars())
    return {id for id in ids if id in found or id.strip("<>") in found}


def refusal(c: Connection | Session, id: int) -> str | None:
    """Why the server did not give this mail whole; None where it did, or was not asked to."""
    return c.execute(select(InboundMail.refusal).where(InboundMail.id == id)).scalar_one_or_none()


def withheld(c: Connection | Session, mailbox: Mailbox, *, uidvalidity: int) -> list[tuple[int, int, int]]:
    """(row, UID, size) of the mails that the server did not give, and that nobody has dropped."""
    rows = c.execute(
        select(InboundMail.id, InboundMail.uid, InboundMail.size)
        .where(
            InboundMail.mailbox_id == mailbox.id,
            InboundMail.uidvalidity == uidvalidity,
            InboundMail.state == MailState.QUARANTINED,
            InboundMail.refusal.is_not(None),
        )
        .order_by(InboundMail.uid)
    )
    return [(id, uid, size) for id, uid, size in rows]


def named(s: Session) -> Sequence[Mailbox]:
    """All mailboxes that are not paused or removed, whichever way their mail comes."""
    used = select(Mailbox).where(Mailbox.removed_at.is_(None), Mailbox.paused_at.is_(None))
    return s.scalars(used.order_by(Mailbox.id)).all()


def brought(c: Connection | Session, mailbox: Mailbox) -> int:
    """How many mails came to this mailbox by SMTP."""
    here = (InboundMail.mailbox_id == mailbox.id, InboundMail.uidvalidity == BY_SMTP)
    return c.execute(select(func.count()).select_from(InboundMail).where(*here)).scalar_one()


def in_use(s: Session) -> Sequence[Mailbox]:
    """The mailboxes to read: those that have a server."""
    return [mailbox for mailbox in named(s) if not mailbox.smtp_only]


def silent(c: Connection | Session) -> list[tuple[int, str, str]]:
    """The mailboxes that are read and get no mail, with their names and what is to be said of them."""
    here = select(Mailbox.id, Mailbox.name, Canary.words).join(Canary, Canary.mailbox_id == Mailbox.id)
    amiss = here.where(Canary.words.is_not(None), Mailbox.removed_at.is_(None), Mailbox.paused_at.is_(None))
    return [(id, name, words or "") for id, name, words in c.execute(amiss.order_by(Mailbox.id))]


def too_quiet(c: Connection | Session) -> Sequence[str]:
    """What is to be said of them."""
    return [words for _, _, words in silent(c)]


def last_signs(s: Session, mailbox: int) -> tuple[datetime | None, datetime | None]:
    """When the last mail was taken out of a mailbox, whatever became of it; and when the last came that became something."""
    of_it = InboundMail.mailbox_id == mailbox
    latest = select(InboundMail.taken_at).where(of_it).order_by(InboundMail.id.desc()).limit(1)
    something = select(InboundMail.received_at).where(of_it, InboundMail.state != MailState.IGNORED)
    return s.scalar(latest), s.scalar(something.order_by(InboundMail.id.desc()).limit(1))


def hours_with_mail(c: Connection | Session, mailbox: int, *, weeks: int) -> Sequence[datetime]:
    """The hours of the last weeks in which mail came that became something."""
    hour = func.date_trunc("hour", InboundMail.received_at, "UTC")
    lately = InboundMail.received_at > func.now() - timedelta(weeks=weeks)
    query = select(hour).where(InboundMail.mailbox_id == mailbox, InboundMail.state != MailState.IGNORED, lately)
    return c.execute(query.distinct()).scalars().all()


def oldest_new(c: Connection | Session) -> tuple[int, datetime | None]:
    """How many mails wait for their outcome, and when the first of them was taken."""
    waiting, oldest = c.execute(
        select(func.count(), func.min(InboundMail.taken_at)).where(InboundMail.state == MailState.NEW)
    ).one()
    return waiting, oldest


def addresses(c: Connection | Session) -> Sequence[str]:
    """The addresses of all mailboxes that somebody names, paused ones too."""
    return c.execute(select(Mailbox.address).where(Mailbox.removed_at.is_(None))).scalars().all()


def mailbox(s: Session, named: str) -> Mailbox | None:
    """The mailbox of this name or address, locked."""
    called = text.address(named) if "@" in named else named
    here = select(Mailbox).where(Mailbox.removed_at.is_(None), (Mailbox.name == named) | (Mailbox.address == called))
    return s.scalars(here.order_by(Mailbox.name != named, Mailbox.id).with_for_update()).first()

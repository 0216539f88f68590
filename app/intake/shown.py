"""Mailboxes as programs are told of them: everything but what is secret."""

from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from app.accounts.models import Team
from app.core import cursors
from app.core.errors import NotFound
from app.intake.models import Grant, InboundMail, Mailbox
from app.intake.rules.states import MailboxState, MailState

_ENDS = (Grant.refresh_expires_at.label("sign_in_ends_at"), Grant.secret_expires_at.label("client_secret_until"))


def mailboxes(c: Connection, *, limit: int, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
    """Those in use, as they were added, and the cursor of the next ones."""
    [last] = cursors.place(cursor, int) if cursor else [0]
    rows = c.execute(_select().where(Mailbox.id > last).order_by(Mailbox.id).limit(limit + 1)).all()
    following = cursors.cursor(rows[limit - 1].id) if len(rows) > limit else None
    return [_told(row) for row in rows[:limit]], following


def mailbox(c: Connection, id: int) -> dict[str, Any]:
    """One of them. Raises NotFound."""
    row = c.execute(_select().where(Mailbox.id == id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no mailbox {id} here.")
    return _told(row)


def _select() -> Select[*tuple[Any, ...]]:
    held = (
        select(func.count())
        .where(InboundMail.mailbox_id == Mailbox.id, InboundMail.state == MailState.QUARANTINED)
        .scalar_subquery()
    )
    more = (
        Team.name.label("team"),
        Grant.provider,
        *_ENDS,
        Mailbox.password.is_(None).label("of_settings"),
        held.label("quarantined"),
    )
    query = select(*(column for column in Mailbox.__table__.c if column.name != "password"), *more)
    joined = query.outerjoin(Team, Team.id == Mailbox.team_id).outerjoin(Grant, Grant.mailbox_id == Mailbox.id)
    return joined.where(Mailbox.removed_at.is_(None))


def _told(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    stopped = row.state == MailboxState.NEEDS_REAUTH
    same = (
        "id",
        "name",
        "address",
        "processed_folder",
        "trusts",
        "forwarders",
        "sender_from",
        "tells_too_large",
        "disowned",
        "priority",
        "import_since",
        "paused_at",
        "reason",
        "failing_since",
    )
    told = {name: getattr(row, name) for name in same}
    server = {name: getattr(row, name) for name in ("host", "port", "tls", "username", "folder")}
    return told | {
        "server": None if row.smtp_only else server,
        "sign_in_ends_at": row.sign_in_ends_at,
        "client_secret_until": row.client_secret_until,
        "signs_in_by": None if row.smtp_only else row.provider or "password",
        "of_settings": row.of_settings and not row.smtp_only,
        "team": {"id": row.team_id, "name": row.team} if row.team_id else None,
        "state": "paused" if row.paused_at else row.state,
        "next_try_at": None if stopped else row.next_try_at,
        "last_ok_at": row.last_ok_at,
        "quarantined": row.quarantined,
        "created_at": row.created_at,
        "revision": row.revision,
    }

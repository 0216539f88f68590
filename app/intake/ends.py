"""What a mailbox signs in with that is about to end: told a week before, while there is nothing amiss yet."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from app.db.session import Session
from app.intake.models import Grant, Mailbox

AHEAD = timedelta(days=7)
_SIGN_IN = "Allow it again before that: atum mailbox set {name} --sign-in-again"
_SECRET = "Make another one at the provider, then: atum mailbox set {name} --client-secret --client-secret-until YYYY-MM-DD"  # noqa: S105


@dataclass(frozen=True)
class End:
    """Of what, in words."""

    mailbox: int
    name: str
    words: str


def about_to(c: Connection | Session, *, now: datetime) -> list[End]:
    """What ends within a week, of mailboxes that are read. Where nobody said when something ends, nothing is known here."""
    columns = (Mailbox.id, Mailbox.name, Grant.refresh_expires_at, Grant.secret_expires_at)
    used = (Mailbox.removed_at.is_(None), Mailbox.paused_at.is_(None))
    rows = c.execute(select(*columns).join(Grant, Grant.mailbox_id == Mailbox.id).where(*used).order_by(Mailbox.id))
    found = []
    for id, name, sign_in, secret in rows:
        ends = [(at, what, then) for at, what, then in ((sign_in, "sign-in", _SIGN_IN), (secret, "client secret", _SECRET)) if at]
        for at, what, then in sorted(ends):
            if at - now <= AHEAD:
                when = f"{'ended' if at <= now else 'ends'} at {at:%Y-%m-%d %H:%M} UTC"
                words = f"The {what} of {name} {when}, and then its mail does not come in any more. {then.format(name=name)}"
                found.append(End(id, name, words))
                break
    return found

"""What an empty desk needs before anybody comes, and what the settings say about it at every start."""

from dataclasses import dataclass
from datetime import datetime

from app.accounts import actions as accounts
from app.accounts import queries
from app.accounts.rules import Role
from app.config import Settings
from app.db.session import Session
from app.intake import mailboxes
from app.sla import actions as sla


@dataclass(frozen=True)
class Welcome:
    """What the log should tell whoever starts the desk."""

    setup_token: str | None
    administrator_made: str | None


def furnish(s: Session, settings: Settings, *, now: datetime) -> Welcome:
    """Service levels, the first mailbox, the first administrator or a link to make one. May be done any number of times."""
    sla.ensure_defaults(s, now=now)
    mailboxes.ensure_mailbox(s, settings, now=now)
    made = _administrator(s, settings, now)
    token = None if queries.has_administrator(s) else accounts.make_setup_link(s, now=now)
    return Welcome(token, made)


def _administrator(s: Session, settings: Settings, now: datetime) -> str | None:
    email, password = settings.admin_email, settings.admin_password
    if not email or not password or queries.by_email(s, email):
        return None
    accounts.add(s, email=email, name="Administrator", role=Role.ADMIN, now=now, password=password)
    return email

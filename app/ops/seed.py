"""What an empty desk needs before anybody comes, and what the settings say about it at every start."""

from datetime import datetime

from app.accounts import actions as accounts
from app.accounts import queries
from app.accounts.rules import Role
from app.config import Settings
from app.db.session import Session
from app.intake import by_smtp, mailboxes
from app.sla import actions as sla


def furnish(s: Session, settings: Settings, *, now: datetime) -> str | None:
    """Service levels, the first mailbox, the first administrator; answers their address if they were made just now.

    May be done any number of times.
    """
    sla.ensure_defaults(s, now=now)
    mailboxes.ensure_mailbox(s, settings, now=now)
    by_smtp.ensure(s, settings, now=now)
    return _administrator(s, settings, now)


def setup_link(s: Session, settings: Settings, *, now: datetime) -> str | None:
    """The address to make the first administrator at; None once there is one."""
    if queries.has_administrator(s):
        return None
    return f"{settings.atum_url}/setup/{accounts.make_setup_link(s, now=now)}"


def _administrator(s: Session, settings: Settings, now: datetime) -> str | None:
    email, password = settings.admin_email, settings.admin_password
    if not email or not password or queries.by_email(s, email):
        return None
    accounts.add(s, email=email, name="Administrator", role=Role.ADMIN, now=now, password=password)
    return email

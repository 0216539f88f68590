"""One-time links that are mailed: made, looked at, and spent. Of the token nothing is stored but its SHA-256."""

from datetime import datetime

from sqlalchemy import Select, insert, literal, select

from app.accounts import actions as accounts
from app.accounts import queries
from app.accounts.models import Link, Person
from app.accounts.rules import LinkPurpose
from app.core import ids
from app.core.errors import NotFound
from app.db.session import Session
from app.outbox import actions as outbox
from app.outbox.house import House, one_time_token
from app.people import notices
from app.people.rules import LIFE


class LinkSpent(NotFound):
    """This link was used, was replaced by a newer one, or is too old."""


def mail(
    s: Session, house: House, purpose: LinkPurpose, *, person_id: int, to: str, now: datetime, email: str | None = None
) -> None:
    """Send a new link; those of the same kind that were mailed before end. `email` is the address it is meant to confirm.

    Where nobody has this number no link is made, by the same statements.
    """
    mail_id = outbox.new_mail_id(0, 0)
    values = {
        Link.purpose: purpose,
        Link.token_hash: ids.fingerprint(one_time_token(house.signer, mail_id)),
        Link.email: email,
        Link.created_at: now,
        Link.expires_at: now + LIFE[purpose],
    }
    accounts.end_links(s, person_id, now=now, purpose=purpose)
    row = select(Person.id, *(literal(value, column.type) for column, value in values.items())).where(Person.id == person_id)
    s.execute(insert(Link).from_select([Link.person_id, *values], row))
    outbox.put(s, notices.link(house, purpose, to, mail_id), now=now)


def shown(s: Session, token: str, purpose: LinkPurpose, *, now: datetime) -> Link:
    """A link that is still good; looking at it changes nothing. Raises LinkSpent."""
    return _good(s.scalar(_by(token, purpose)), now)


def taken(s: Session, token: str, purpose: LinkPurpose, *, now: datetime) -> Link:
    """A link that is still good, held with its person until the transaction ends: of two that come at once one gets it.

    The person comes first, as everywhere. Raises LinkSpent.
    """
    found = shown(s, token, purpose, now=now)
    queries.by_id(s, found.person_id)
    held = _by(token, purpose).with_for_update(of=Link).execution_options(populate_existing=True)
    return _good(s.scalar(held), now)


def _by(token: str, purpose: LinkPurpose) -> Select[Link]:
    return select(Link).where(Link.token_hash == ids.fingerprint(token), Link.purpose == purpose)


def _good(link: Link | None, now: datetime) -> Link:
    if link is None or link.used_at is not None or link.expires_at <= now or link.person.disabled_at is not None:
        raise LinkSpent
    return link

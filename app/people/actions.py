"""What people do about their accounts by mail: invitations, forgotten passwords, new addresses."""

from contextlib import suppress
from datetime import datetime

from sqlalchemy import exists, select

from app.accounts import actions as accounts
from app.accounts import sessions, throttle
from app.accounts.models import Link, Person
from app.accounts.rules import LinkPurpose, Role, may_manage
from app.accounts.sessions import WrongPassword
from app.audit import actions as audit
from app.audit.models import Event
from app.core import ids, text
from app.core.errors import Conflict, Forbidden, Invalid, TooMany
from app.db import locks
from app.db.redis import Counters
from app.db.session import Session
from app.outbox import actions as outbox
from app.outbox.house import House
from app.outbox.rules import wire_address
from app.people import links, notices, rules

NOBODY = 0  # no person has this number


class _TakenBack(Exception):
    """Nobody is to get this letter."""


class WrongOldPassword(Forbidden):
    """That is not your present password."""

    slug = "wrong-old-password"
    kept = True


def invite(
    s: Session,
    house: House,
    *,
    email: str,
    name: str,
    role: Role,
    now: datetime,
    by: Person | None,
    organization_id: int | None = None,
) -> Person:
    """A new person, who is mailed a link to choose a password with. A customer joins the organization of their domain."""
    _mailable(email)
    if organization_id is None and not role.staff:
        organization_id = accounts.organization_of(s, email)
    person = accounts.add(s, email=email, name=name, role=role, organization_id=organization_id, by=by, now=now)
    _mail_invitation(s, house, person, by=by, now=now)
    return person


def invite_again(s: Session, house: House, counters: Counters, person: Person, *, by: Person | None, now: datetime) -> None:
    """Another link for somebody who has no password yet; the one before ends. `person` is held."""
    if by is not None and not may_manage(by, person.role):
        raise Forbidden(f"Your role ({by.role}) may not invite people whose role is {person.role}.")
    if person.disabled_at is not None:
        raise Conflict("This person is disabled. Enable them first.")
    if person.password_hash is not None:
        raise Conflict("This person has a password already. Who has forgotten it asks for a new one at /forgot.")
    _mailable(person.email)
    if counters.add(f"invitation:{person.id}", lasting=rules.HOUR) > rules.INVITATIONS:
        raise TooMany("This person was mailed five invitations within the hour.", retry_after=rules.HOUR)
    _mail_invitation(s, house, person, by=by, now=now)


def accept(s: Session, token: str, *, password: str, now: datetime, name: str | None = None) -> Person:
    """Choose the first password with an invitation, which is spent. Raises LinkSpent, and Invalid where the password won't do."""
    person = _spend(links.taken(s, token, LinkPurpose.INVITE, now=now), now)
    if name and (name := text.one_line(name, most=200)):
        person.name = name
        person.revision += 1
    accounts.set_password(s, person, password, by=person, now=now)
    return person


def forgot(s: Session, house: House, counters: Counters, *, email: str, source: str, now: datetime) -> None:
    """Mail a link for a new password to this address, if somebody who isn't disabled has it.

    For somebody and for nobody it is the same statements, and the same number of them: a letter for nobody is written too, and
    taken back before the end. So neither what is answered nor how long it takes tells who is here.
    """
    address = text.address(email)
    if counters.add(f"forgot:from:{throttle.place(source)}", lasting=rules.HOUR) > rules.FROM_ONE_PLACE:
        raise TooMany("Too many requests for new passwords from your address. Wait an hour.", retry_after=rules.HOUR)
    if not text.is_address(email) or not _may_write_to(counters, LinkPurpose.RESET, address):
        return
    locks.take_in_transaction(s, f"forgot:{address}")
    person_id = s.scalar(select(Person.id).where(Person.email == address, Person.disabled_at.is_(None)))
    _mail_if(s, house, LinkPurpose.RESET, person_id, to=address, now=now, really=person_id is not None)
    audit.record(s, Event.PASSWORD_FORGOTTEN, now=now, person=address, source=source)


def reset(s: Session, house: House, token: str, *, password: str, now: datetime) -> Person:
    """Choose a new password with a mailed link, which is spent; every session ends, and a letter says so."""
    person = _spend(links.taken(s, token, LinkPurpose.RESET, now=now), now)
    accounts.set_password(s, person, password, by=person, now=now)
    outbox.put(s, notices.password_changed(house, person.email), now=now)
    return person


def change_password(
    s: Session, house: House, counters: Counters, me: Person, *, old: str, new: str, source: str, now: datetime
) -> None:
    """Another password for myself. Every session ends, this one too."""
    _prove(s, counters, me, old, source, now)
    accounts.set_password(s, me, new, by=me, now=now)
    outbox.put(s, notices.password_changed(house, me.email), now=now)


def ask_new_address(
    s: Session, house: House, counters: Counters, me: Person, *, email: str, password: str, source: str, now: datetime
) -> None:
    """Mail a link to the address that I want to have from now on. An address that somebody has is not told to be taken."""
    _prove(s, counters, me, password, source, now)
    _mailable(email)
    address = text.address(email)
    if address == me.email:
        raise Invalid("That is your address already.")
    if counters.add(f"new-address:{me.id}", lasting=rules.HOUR) > rules.NEW_ADDRESSES:
        raise TooMany("You asked for five new addresses within the hour.", retry_after=rules.HOUR)
    if _may_write_to(counters, LinkPurpose.EMAIL, address):
        taken = bool(s.scalar(select(exists().where(Person.email == address))))
        _mail_if(s, house, LinkPurpose.EMAIL, me.id, to=address, now=now, email=address, really=not taken)
    audit.record(s, Event.EMAIL_CHANGE_ASKED, now=now, by=me.signature, email=address)


def confirm_new_address(s: Session, house: House, me: Person, token: str, *, now: datetime) -> None:
    """Have the address that this link was mailed to. It takes the link and me: a mistyped address takes nobody's account."""
    link = links.taken(s, token, LinkPurpose.EMAIL, now=now)
    if link.person_id != me.id or link.email is None:
        raise links.LinkSpent
    link.used_at = now
    change_address(s, house, link.person, link.email, by=link.person, now=now)


def change_address(s: Session, house: House, person: Person, email: str, *, by: Person | None, now: datetime) -> None:
    """Somebody has another address; a letter to the old one says so."""
    before = person.email
    accounts.set_email(s, person, email, by=by, now=now)
    outbox.put(s, notices.address_changed(house, before), now=now)


def _mail_invitation(s: Session, house: House, person: Person, *, by: Person | None, now: datetime) -> None:
    links.mail(s, house, LinkPurpose.INVITE, person_id=person.id, to=person.email, now=now)
    audit.record(s, Event.PERSON_INVITED, now=now, by=by.signature if by else None, person=person.email, role=person.role.value)


def _mail_if(
    s: Session,
    house: House,
    purpose: LinkPurpose,
    person_id: int | None,
    *,
    to: str,
    now: datetime,
    really: bool,
    email: str | None = None,
) -> None:
    """Mail a link, or do all that it takes and take it back. What was put down for the audit before would go with it."""
    with suppress(_TakenBack), s.begin_nested():
        links.mail(s, house, purpose, person_id=person_id or NOBODY, to=to, now=now, email=email)
        if not really:
            raise _TakenBack


def _spend(link: Link, now: datetime) -> Person:
    link.used_at = now
    return link.person


def _may_write_to(counters: Counters, purpose: LinkPurpose, address: str) -> bool:
    """Whether this address may get a letter that a stranger can cause: counted alike for every address, and for each purpose."""
    return counters.add(f"letter:{purpose}:{ids.fingerprint(address).hex()}", lasting=rules.ADDRESS_PAUSE) == 1


def _prove(s: Session, counters: Counters, me: Person, password: str, source: str, now: datetime) -> None:
    """Raises WrongOldPassword; tries are counted as those to sign in are."""
    try:
        sessions.check_password(s, counters, email=me.email, password=password, source=source, now=now)
    except WrongPassword:
        raise WrongOldPassword from None
    throttle.succeeded(counters, email=me.email, source=source)


def _mailable(email: str) -> None:
    try:
        wire_address(text.address(email))
    except ValueError as wrong:
        raise Invalid(f"No mail can be sent to {text.one_line(email, most=320)!r}: {wrong}.") from None

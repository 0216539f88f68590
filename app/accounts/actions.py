"""Adding people, and changing and disabling them."""

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert

from app.accounts import passwords, queries, rules
from app.accounts.models import Person, SetupLink, SignIn
from app.accounts.rules import Role
from app.audit import actions as audit
from app.audit.models import Event
from app.core import ids, text
from app.core.errors import Conflict, Invalid, NotFound
from app.db.session import Session


def add(
    s: Session,
    *,
    email: str,
    name: str,
    role: Role,
    now: datetime,
    password: str | None = None,
    by: Person | None = None,
) -> Person:
    """A new person. Raises Conflict where the address is taken, Invalid where the password won't do."""
    if not text.is_address(email):
        raise Invalid(f"{email!r} is not an e-mail address. Write it like name@example.com.")
    if password is not None and (problem := rules.password_problem(password)):
        raise Invalid(problem)
    if queries.by_email(s, email):
        raise Conflict(f"There is somebody with the address {text.address(email)} already.")
    person = Person(
        email=text.address(email),
        name=text.one_line(name, most=200) or email.partition("@")[0],
        role=role,
        password_hash=passwords.hashed(password) if password else None,
        created_at=now,
    )
    s.add(person)
    s.flush()
    audit.record(s, Event.PERSON_ADDED, now=now, by=by.signature if by else None, person=person.email, role=role.value)
    return person


def known_sender(s: Session, *, email: str, name: str, now: datetime) -> Person:
    """Whoever writes from this address; somebody new becomes a customer who can't sign in until they set a password."""
    email = text.address(email)
    made = s.execute(
        insert(Person)
        .values(
            email=email,
            name=text.one_line(name, most=200) or email.partition("@")[0],
            role=Role.CUSTOMER,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=[Person.email])
    )
    person = queries.by_email(s, email)
    assert person is not None
    if made.rowcount:  # type: ignore[attr-defined]
        audit.record(s, Event.PERSON_ADDED, now=now, person=email, role=Role.CUSTOMER.value, by_mail=True)
    return person


def set_password(s: Session, person: Person, password: str, *, by: Person | None, now: datetime) -> None:
    """A new password ends every session of its owner."""
    if problem := rules.password_problem(password):
        raise Invalid(problem)
    person.password_hash = passwords.hashed(password)
    s.execute(update(SignIn).where(SignIn.person_id == person.id, SignIn.ended_at.is_(None)).values(ended_at=now))
    audit.record(s, Event.PASSWORD_CHANGED, now=now, by=by.signature if by else None, person=person.email)


def disable(s: Session, person: Person, *, by: Person | None, now: datetime) -> None:
    """Nobody signs in as this person any more, and whoever is, is out at once."""
    person.disabled_at = now
    s.execute(update(SignIn).where(SignIn.person_id == person.id, SignIn.ended_at.is_(None)).values(ended_at=now))
    audit.record(s, Event.PERSON_DISABLED, now=now, by=by.signature if by else None, person=person.email)


def make_setup_link(s: Session, *, now: datetime) -> str:
    """The token of a new one-time setup link; older ones end. Raises Conflict once there is an administrator."""
    if queries.has_administrator(s):
        raise Conflict("The desk has an administrator already; no setup link is needed.")
    s.execute(update(SetupLink).where(SetupLink.used_at.is_(None)).values(expires_at=now))
    token = ids.token()
    s.add(SetupLink(token_hash=ids.fingerprint(token), expires_at=now + rules.SETUP_LIFE))
    return token


def setup_link_is_good(s: Session, token: str, *, now: datetime) -> bool:
    """Whether this link can still be used."""
    return _setup_link(s, token, now) is not None


def set_up(s: Session, token: str, *, email: str, name: str, password: str, now: datetime) -> Person:
    """Make the first administrator with a setup link, which is spent. Raises NotFound for any link that isn't good."""
    link = _setup_link(s, token, now)
    if link is None:
        raise NotFound("This setup link is used or too old. Make another with: atum setup-link")
    link.used_at = now
    person = add(s, email=email, name=name, role=Role.ADMIN, password=password, now=now)
    audit.record(s, Event.DESK_SET_UP, now=now, by=person.signature)
    return person


def _setup_link(s: Session, token: str, now: datetime) -> SetupLink | None:
    found = s.query(SetupLink).filter_by(token_hash=ids.fingerprint(token)).with_for_update().one_or_none()
    good = found is not None and found.used_at is None and found.expires_at > now and not queries.has_administrator(s)
    return found if good else None

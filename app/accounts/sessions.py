"""Signing in and out. Nothing here commits."""

from dataclasses import dataclass
from datetime import datetime

from app.accounts import passwords, queries, rules
from app.accounts.models import Person, SignIn
from app.accounts.rules import Door
from app.audit import actions as audit
from app.audit.models import Event
from app.core import ids, text
from app.core.errors import NotSignedIn, TooMany
from app.db.redis import Counters
from app.db.session import Session

TRIES = 10
TRIES_LAST = 900  # seconds


class WrongPassword(NotSignedIn):
    """That address and password don't go together."""

    slug = "wrong-password"


@dataclass(frozen=True)
class Tokens:
    """What a signed-in program or browser holds; `refresh` is for programs alone."""

    access: str
    refresh: str | None = None


def check_password(s: Session, counters: Counters, *, email: str, password: str, source: str) -> Person:
    """The person, if the password is theirs. Raises WrongPassword, or TooMany after ten tries from one place in 15 minutes."""
    key = f"sign-in:{ids.fingerprint(text.address(email)).hex()}:{source}"
    if counters.add(key, lasting=TRIES_LAST) > TRIES:
        raise TooMany("Too many tries with this address. Wait a quarter of an hour.", retry_after=TRIES_LAST)
    person = queries.by_email(s, email)
    fits = passwords.matches(password[: rules.PASSWORD_MOST], person.password_hash if person else None)
    if not fits or person is None or person.disabled_at:
        raise WrongPassword
    counters.forget(key)
    if person.password_hash and passwords.outdated(person.password_hash):
        person.password_hash = passwords.hashed(password)
    return person


def sign_in(s: Session, person: Person, *, door: Door, source: str, now: datetime) -> Tokens:
    """Open a session and answer its tokens, which are nowhere else."""
    tokens = Tokens(ids.token(), ids.token() if door is Door.API else None)
    s.add(
        SignIn(
            person_id=person.id,
            door=door,
            token_hash=ids.fingerprint(tokens.access),
            refresh_hash=ids.fingerprint(tokens.refresh) if tokens.refresh else None,
            created_at=now,
            seen_at=now,
            expires_at=now + (rules.ACCESS_LIFE if door is Door.API else rules.PAGE_IDLE),
            refresh_until=now + rules.REFRESH_LIFE if door is Door.API else None,
        )
    )
    audit.record(s, Event.SIGNED_IN, now=now, by=person.signature, door=door.value, source=source)
    return tokens


def refresh(s: Session, token: str, *, now: datetime) -> tuple[Person, Tokens]:
    """New tokens for an old refresh token, which is worthless from now on. Raises NotSignedIn."""
    found = queries.by_refresh_token(s, token)
    alive = found is not None and not found.ended_at and not found.person.disabled_at
    if found is None or not alive or found.refresh_until is None or found.refresh_until <= now:
        raise NotSignedIn("That refresh token is no longer good. Sign in again.")
    tokens = Tokens(ids.token(), ids.token())
    assert tokens.refresh
    found.token_hash, found.refresh_hash = ids.fingerprint(tokens.access), ids.fingerprint(tokens.refresh)
    found.seen_at, found.expires_at = now, now + rules.ACCESS_LIFE
    return found.person, tokens


def sign_out(s: Session, session: SignIn, *, now: datetime) -> None:
    """End this session."""
    session.ended_at = now
    audit.record(s, Event.SIGNED_OUT, now=now, by=session.person.signature)

"""Signing in and out, and what one is signed in by. Nothing here commits."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update
from sqlalchemy import text as statement

from app.accounts import lists, passwords, queries, role_policies, rules, throttle
from app.accounts.identity import Identity
from app.accounts.models import ApiToken, Person, SignIn, SpentRefresh
from app.accounts.rules import Door
from app.audit import actions as audit
from app.audit.models import Event
from app.core import ids, text
from app.core.errors import Forbidden, NotFound, NotSignedIn
from app.db.redis import Counters
from app.db.session import Session

FRESH = timedelta(hours=2)

_LISTED = statement(
    """
    WITH found AS (
        SELECT * FROM sign_in WHERE person_id = :person AND ended_at IS NULL AND id < :before
          AND greatest(expires_at, refresh_until) > now() ORDER BY id DESC LIMIT :most + 1
    ), shown AS (SELECT * FROM found ORDER BY id DESC LIMIT :most)
    SELECT json_build_object(
        'items', coalesce(json_agg(json_build_object(
            'id', id, 'door', door, 'agent', agent, 'source', source, 'restricted', restricted,
            'created_at', created_at, 'seen_at', seen_at, 'current', id = :current) ORDER BY id DESC), '[]'),
        'next', CASE WHEN (SELECT count(*) FROM found) > :most THEN min(id)::text END)::text
    FROM shown
    """
)


class WrongPassword(NotSignedIn):
    """That address and password don't go together."""

    slug = "wrong-password"
    kept = True


class RefreshReused(NotSignedIn):
    """That refresh token is no longer good. Sign in again."""

    kept = True


class Outrun(NotSignedIn):
    """This account was changed while you signed in. Sign in again."""


class SignInAgain(Forbidden):
    """This takes somebody who signed in within the last two hours. Sign in again, then repeat it."""

    slug = "sign-in-again"


@dataclass(frozen=True)
class Tokens:
    """What a signed-in program or browser holds; `refresh` is for programs alone."""

    access: str
    refresh: str | None = None
    restricted: bool = False


def check_password(s: Session, counters: Counters, *, email: str, password: str, source: str, now: datetime) -> Person:
    """The person, if the password is theirs. Raises WrongPassword, or TooManyTries.

    What it does for an unknown address, a wrong password and somebody disabled is the same, and takes the same time.
    """
    attempt = throttle.begin(s, counters, email=email, source=source, now=now)
    person = queries.by_email(s, email)
    fits = passwords.matches(password[: rules.PASSWORD_MOST], person.password_hash if person else None)
    if not fits or person is None or person.disabled_at:
        attempt.refused(s, "wrong password", now=now)
        raise WrongPassword
    if person.password_hash and passwords.outdated(person.password_hash):
        _hold_unchanged(s, person, to_change=True)
        person.password_hash = passwords.hashed(password)
    return person


def sign_in(s: Session, person: Person, *, door: Door, source: str, now: datetime, agent: str = "") -> Tokens:
    """Open a session and answer its tokens, which are nowhere else. It is restricted while its owner lacks a second factor.

    Raises Outrun where this person was disabled or got another password since `person` was read.
    """
    _hold_unchanged(s, person)
    tokens = Tokens(ids.token(), ids.token() if door is Door.API else None, role_policies.lacks_factor(s, person))
    s.add(
        SignIn(
            person_id=person.id,
            door=door,
            token_hash=ids.fingerprint(tokens.access),
            refresh_hash=ids.fingerprint(tokens.refresh) if tokens.refresh else None,
            agent=text.one_line(agent, most=200),
            source=source,
            restricted=tokens.restricted,
            created_at=now,
            seen_at=now,
            expires_at=now + (rules.ACCESS_LIFE if door is Door.API else rules.PAGE_IDLE),
            refresh_until=now + rules.REFRESH_LIFE if door is Door.API else None,
        )
    )
    audit.record(s, Event.SIGNED_IN, now=now, by=person.signature, door=door.value, source=source)
    return tokens


def refresh(s: Session, token: str, *, now: datetime, source: str = "") -> tuple[Person, Tokens]:
    """New tokens for an old refresh token, which is worthless from now on. Raises NotSignedIn.

    Whoever shows one that was exchanged before, or its owner, was robbed: nobody knows which, so the session ends
    (RFC 9700, section 4.14.2).
    """
    found = queries.by_refresh_token(s, token)
    if found is None:
        _end_if_spent(s, token, source, now)
    alive = found is not None and not found.ended_at and not found.person.disabled_at
    if found is None or not alive or found.refresh_until is None or found.refresh_until <= now:
        raise NotSignedIn("That refresh token is no longer good. Sign in again.")
    tokens = Tokens(ids.token(), ids.token(), found.restricted)
    assert tokens.refresh
    s.add(SpentRefresh(token_hash=ids.fingerprint(token), sign_in_id=found.id, spent_at=now))
    found.token_hash, found.refresh_hash = ids.fingerprint(tokens.access), ids.fingerprint(tokens.refresh)
    found.seen_at, found.expires_at = now, now + rules.ACCESS_LIFE
    return found.person, tokens


def listed(c: Connection, who: Identity, *, limit: int, cursor: str | None) -> str:
    """One's own sessions as JSON, newest first: some of them, and the cursor that leads to the next ones."""
    asked = {"person": who.id, "current": who.session_id, "before": lists.below(cursor), "most": limit}
    return str(c.execute(_LISTED, asked).scalar_one())


def end(s: Session, person: Person, id: int, *, now: datetime) -> None:
    """End one of one's own sessions. Raises NotFound for everybody else's."""
    found = s.scalar(select(SignIn).where(SignIn.id == id, SignIn.person_id == person.id, SignIn.ended_at.is_(None)))
    if found is None:
        raise NotFound("There is no such session of yours.")
    sign_out(s, found, now=now)


def end_all(s: Session, person_id: int, *, now: datetime, tokens: bool = False, but: int | None = None) -> None:
    """End every session of this person, `but` that one; with `tokens` their API tokens too."""
    theirs = update(SignIn).where(SignIn.person_id == person_id, SignIn.ended_at.is_(None))
    s.execute((theirs if but is None else theirs.where(SignIn.id != but)).values(ended_at=now))
    if tokens:
        s.execute(update(ApiToken).where(ApiToken.person_id == person_id, ApiToken.revoked_at.is_(None)).values(revoked_at=now))


def end_others(s: Session, session: SignIn, *, now: datetime) -> None:
    """End every session of one's own but this."""
    end_all(s, session.person_id, now=now, but=session.id)
    audit.record(s, Event.SIGNED_OUT, now=now, by=session.person.signature, others=True)


def lift(s: Session, session: SignIn, *, now: datetime) -> str | None:
    """A second factor was just shown in this session: it may do everything now. Others that waited for that end.

    A browser's session answers its new token: whoever knew the old one knew it before there was a second factor.
    """
    waiting = update(SignIn).where(SignIn.person_id == session.person_id, SignIn.restricted, SignIn.id != session.id)
    s.execute(waiting.where(SignIn.ended_at.is_(None)).values(ended_at=now))
    session.restricted = False
    if session.door is not Door.PAGE:
        return None
    token = ids.token()
    session.token_hash = ids.fingerprint(token)
    return token


def require_fresh(session: SignIn, *, now: datetime) -> None:
    """Raises SignInAgain where somebody could be at a screen that another left long ago."""
    if now - session.created_at > FRESH:
        raise SignInAgain


def sign_out(s: Session, session: SignIn, *, now: datetime) -> None:
    """End this session."""
    session.ended_at = now
    audit.record(s, Event.SIGNED_OUT, now=now, by=session.person.signature)


def _hold_unchanged(s: Session, person: Person, *, to_change: bool = False) -> None:
    """Whoever disables somebody or changes a password ends the sessions there are. One that is opened at that moment either
    comes first, and they find it because they wait for this row; or it comes second, and is refused here.
    """
    held = select(Person.password_hash, Person.disabled_at).where(Person.id == person.id)
    row = s.execute(held.with_for_update(read=not to_change, key_share=to_change)).one()
    if (row.password_hash, row.disabled_at) != (person.password_hash, None):
        raise Outrun


def _end_if_spent(s: Session, token: str, source: str, now: datetime) -> None:
    spent = s.get(SpentRefresh, ids.fingerprint(token))
    family = s.get(SignIn, spent.sign_in_id, with_for_update={"of": SignIn}) if spent else None
    if family is None or family.ended_at:
        return
    family.ended_at = now
    audit.record(s, Event.REFRESH_REUSED, now=now, person=family.person.email, session=family.id, source=source)
    raise RefreshReused

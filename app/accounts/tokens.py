"""API tokens: a program's key to the desk, in somebody's name."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select, update
from sqlalchemy import text as statement

from app.accounts import lists
from app.accounts.identity import Identity
from app.accounts.models import ApiToken, Person
from app.accounts.rules import TOKEN_PREFIX, Scope
from app.audit import actions as audit
from app.audit.models import Event
from app.core import ids, text
from app.core.errors import Conflict, Invalid, NotFound, NotSignedIn
from app.db.session import Session

BITS = 160
MOST = 100  # of one person, at a time
SHOWN = 6  # letters of it that stay readable, to tell one from the other

_LISTED = statement(
    """
    WITH found AS (SELECT * FROM api_token WHERE person_id = :person AND revoked_at IS NULL AND id < :before
                  ORDER BY id DESC LIMIT :most + 1),
    shown AS (SELECT * FROM found ORDER BY id DESC LIMIT :most)
    SELECT json_build_object(
        'items', coalesce(json_agg(json_build_object(
            'id', id, 'name', name, 'prefix', prefix, 'scopes', scopes, 'created_at', created_at, 'expires_at', expires_at,
            'used_at', used_at) ORDER BY id DESC), '[]'),
        'next', CASE WHEN (SELECT count(*) FROM found) > :most THEN min(id)::text END)::text
    FROM shown
    """
)


def make(
    s: Session, person: Person, *, name: str, scopes: Sequence[Scope], days: int | None, now: datetime
) -> tuple[ApiToken, str]:
    """A new token and its words, which are nowhere else: atum_, 160 random bits, and seven letters to know a mistyped one by."""
    if not (name := text.one_line(name, most=100)):
        raise Invalid("A token has a name: what it is for.")
    _hold_enabled(s, person)
    alive = select(func.count()).where(ApiToken.person_id == person.id, ApiToken.revoked_at.is_(None))
    if (s.scalar(alive) or 0) >= MOST:
        raise Conflict(f"You have {MOST} tokens. Revoke those that nothing uses.")
    body = ids.readable(BITS)
    words = f"{TOKEN_PREFIX}{body}{ids.checksum(TOKEN_PREFIX + body)}"
    token = ApiToken(
        person_id=person.id,
        name=name,
        prefix=words[: len(TOKEN_PREFIX) + SHOWN],
        token_hash=ids.fingerprint(words),
        scopes=sorted({scope.value for scope in scopes}),
        created_at=now,
        expires_at=now + timedelta(days=days) if days else None,
    )
    s.add(token)
    s.flush()
    audit.record(s, Event.TOKEN_MADE, now=now, by=person.signature, token=token.prefix, name=name, scopes=token.scopes, days=days)
    return token, words


def _hold_enabled(s: Session, person: Person) -> None:
    """Whoever disables somebody revokes the tokens there are: one made at that moment comes first, or is refused here."""
    held = select(Person.disabled_at).where(Person.id == person.id)
    if s.execute(held.with_for_update(read=True)).scalar_one() is not None:
        raise NotSignedIn


def listed(c: Connection, who: Identity, *, limit: int, cursor: str | None) -> str:
    """One's own tokens as JSON, newest first, expired ones too: some of them, and the cursor that leads to the next ones."""
    return str(c.execute(_LISTED, {"person": who.id, "before": lists.below(cursor), "most": limit}).scalar_one())


def revoke(s: Session, person: Person, id: int, *, now: datetime) -> None:
    """Nothing gets in with this token any more. Raises NotFound for everybody else's."""
    mine = (ApiToken.id == id, ApiToken.person_id == person.id, ApiToken.revoked_at.is_(None))
    prefix = s.scalar(update(ApiToken).where(*mine).values(revoked_at=now).returning(ApiToken.prefix))
    if prefix is None:
        raise NotFound("There is no such token of yours.")
    audit.record(s, Event.TOKEN_REVOKED, now=now, by=person.signature, token=prefix)

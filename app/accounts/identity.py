"""Who a token speaks for: one statement, for every request."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from app.accounts import rules
from app.accounts.rules import Door, Part, Role, Scope
from app.core import ids
from app.core.errors import NotSignedIn

_SESSION = text(
    """
    SELECT now() AS now, s.id AS session_id, NULL::bigint AS token_id, s.restricted, s.created_at, s.seen_at,
           NULL::jsonb AS scopes, p.id, p.email, p.name, p.role, p.organization_id,
           (SELECT jsonb_object_agg(m.team_id, m.part) FROM membership m WHERE m.person_id = p.id) AS parts
    FROM sign_in s JOIN person p ON p.id = s.person_id
    WHERE s.token_hash = :hash AND s.door = :door AND s.ended_at IS NULL AND s.expires_at > now() AND p.disabled_at IS NULL
    """
)
_TOKEN = text(
    """
    SELECT now() AS now, NULL::bigint AS session_id, t.id AS token_id, false AS restricted, t.created_at,
           coalesce(t.used_at, t.created_at) AS seen_at, t.scopes, p.id, p.email, p.name, p.role, p.organization_id,
           (SELECT jsonb_object_agg(m.team_id, m.part) FROM membership m WHERE m.person_id = p.id) AS parts
    FROM api_token t JOIN person p ON p.id = t.person_id
    WHERE t.token_hash = :hash AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())
      AND p.disabled_at IS NULL
    """
)
_SEEN_SESSION = text("UPDATE sign_in SET seen_at = :now, expires_at = :expires_at WHERE id = :id AND ended_at IS NULL")
_SEEN_TOKEN = text("UPDATE api_token SET used_at = :now WHERE id = :id")


@dataclass(frozen=True)
class Identity:
    """A person as they are known by a session or an API token. `scopes` is None where everything the person may is allowed."""

    id: int
    email: str
    name: str
    role: Role
    organization_id: int | None
    teams: Mapping[int, Part]
    door: Door
    session_id: int | None
    token_id: int | None
    scopes: frozenset[Scope] | None
    restricted: bool
    created_at: datetime
    seen_at: datetime
    now: datetime

    @property
    def staff(self) -> bool:
        return self.role.staff

    @property
    def signature(self) -> tuple[int, str]:
        """How the audit names this person."""
        return self.id, f"{self.name} <{self.email}>"

    @property
    def seen_again(self) -> bool:
        """Whether it is time to write down that the session or token was used."""
        return rules.worth_noting(self.door, self.seen_at, self.now)

    def allows(self, scope: Scope) -> bool:
        """Whether the token was given this scope; a session has them all."""
        if self.scopes is None or scope in self.scopes:
            return True
        return scope.endswith(":read") and f"{scope.removesuffix('read')}write" in self.scopes


def of_cookie(c: Connection, token: str) -> Identity:
    """Whose browser this is. Raises NotSignedIn."""
    return _identity(c, _SESSION, Door.PAGE, token)


def of_bearer(c: Connection, token: str) -> Identity:
    """Whose program this is: a session's access token or an API token. Raises NotSignedIn."""
    if token.startswith(rules.TOKEN_PREFIX):
        return _identity(c, _TOKEN, Door.TOKEN, token)
    return _identity(c, _SESSION, Door.API, token)


def note_seen(c: Connection, who: Identity) -> None:
    """Write down that the session or token was used now."""
    if who.session_id is not None:
        expires_at = rules.page_session_ends(who.created_at, who.now)
        c.execute(_SEEN_SESSION, {"id": who.session_id, "now": who.now, "expires_at": expires_at})
    else:
        c.execute(_SEEN_TOKEN, {"id": who.token_id, "now": who.now})


def _identity(c: Connection, query: Any, door: Door, token: str) -> Identity:
    row = c.execute(query, {"hash": ids.fingerprint(token), "door": door.value}).one_or_none()
    if row is None:
        raise NotSignedIn
    return Identity(
        id=row.id,
        email=row.email,
        name=row.name,
        role=Role(row.role),
        organization_id=row.organization_id,
        teams={int(team): Part(part) for team, part in (row.parts or {}).items()},
        door=door,
        session_id=row.session_id,
        token_id=row.token_id,
        scopes=None if row.scopes is None else frozenset(Scope(scope) for scope in row.scopes),
        restricted=row.restricted,
        created_at=row.created_at,
        seen_at=row.seen_at,
        now=row.now,
    )

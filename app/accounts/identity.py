"""Who a token speaks for: one statement, for every request."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from sqlalchemy import Connection, text

from app.accounts import rules
from app.accounts.rules import Door, Part, Role, Scope
from app.core import ids
from app.core.errors import NotSignedIn
from app.db.plain import rows

_SESSION = """
SELECT now() AS now, s.id AS session_id, NULL::bigint AS token_id, s.restricted, s.created_at, s.seen_at,
       NULL::jsonb AS scopes, p.id, p.email, p.name, p.role, p.organization_id,
       p.zone, (SELECT jsonb_object_agg(m.team_id, m.part) FROM membership m WHERE m.person_id = p.id) AS parts
FROM sign_in s JOIN person p ON p.id = s.person_id
WHERE s.token_hash = %(hash)s AND s.door = %(door)s AND s.ended_at IS NULL AND s.expires_at > now() AND p.disabled_at IS NULL
"""
_KEY = """
SELECT now() AS now, NULL::bigint AS session_id, t.id AS token_id,
       coalesce((SELECT r.second_factor_required FROM role_policy r WHERE r.role = p.role), false)
         AND NOT EXISTS (SELECT FROM totp f WHERE f.person_id = p.id AND f.confirmed_at IS NOT NULL)
         AND NOT EXISTS (SELECT FROM passkey k WHERE k.person_id = p.id) AS restricted,
       t.created_at, coalesce(t.used_at, t.created_at) AS seen_at, t.scopes, p.id, p.email, p.name, p.role, p.organization_id,
       p.zone, (SELECT jsonb_object_agg(m.team_id, m.part) FROM membership m WHERE m.person_id = p.id) AS parts
FROM api_token t JOIN person p ON p.id = t.person_id
WHERE t.token_hash = %(hash)s AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())
  AND p.disabled_at IS NULL
"""
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
    zone: str | None
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
        words, check = token[: -ids.CHECKSUM], token[-ids.CHECKSUM :]
        if ids.checksum(words) != check:  # mistyped or made up: not worth a query
            raise NotSignedIn
        return _identity(c, _KEY, Door.TOKEN, token)
    return _identity(c, _SESSION, Door.API, token)


def note_seen(c: Connection, who: Identity) -> None:
    """Write down that the session or token was used now."""
    if who.session_id is not None:
        expires_at = rules.page_session_ends(who.created_at, who.now)
        c.execute(_SEEN_SESSION, {"id": who.session_id, "now": who.now, "expires_at": expires_at})
    else:
        c.execute(_SEEN_TOKEN, {"id": who.token_id, "now": who.now})


def _identity(c: Connection, query: LiteralString, door: Door, token: str) -> Identity:
    found = rows(c, query, {"hash": ids.fingerprint(token), "door": door.value})
    if not found:
        raise NotSignedIn
    now, session_id, token_id, restricted, created_at, seen_at, scopes, *person, parts = found[0]
    id, email, name, role, organization_id, zone = person
    return Identity(
        id=id,
        email=email,
        name=name,
        role=Role(role),
        organization_id=organization_id,
        zone=zone,
        teams={int(team): Part(part) for team, part in (parts or {}).items()},
        door=door,
        session_id=session_id,
        token_id=token_id,
        scopes=None if scopes is None else frozenset(Scope(scope) for scope in scopes),
        restricted=restricted,
        created_at=created_at,
        seen_at=seen_at,
        now=now,
    )

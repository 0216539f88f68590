"""Who there is, in which organization and teams, who is signed in, and by what."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from app.accounts.rules import Door, LinkPurpose, Part, Role, Scope
from app.db.types import Table, words


class Organization(Table):
    """A customer's company: its people may see each other's tickets where their role says so."""

    __tablename__ = "organization"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    notes: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(server_default="1", default=1)


class OrganizationDomain(Table):
    """A mail domain whose new senders join the organization. It belongs to one alone."""

    __tablename__ = "organization_domain"
    domain: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id", ondelete="CASCADE"), index=True)
    added_at: Mapped[datetime]


class Team(Table):
    """Some of the staff, and the tickets that are theirs. An archived one keeps its tickets and gets no new ones."""

    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    revision: Mapped[int] = mapped_column(server_default="1", default=1)


class Membership(Table):
    """Somebody's part in a team."""

    __tablename__ = "membership"
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True, index=True)
    part: Mapped[Part] = mapped_column(words(Part, "part"))
    joined_at: Mapped[datetime]


class Person(Table):
    """Somebody who writes to the desk or works at it. `email` is in lower case; without a password hash nobody signs in.
    `zone` is the name of the time zone they are told times in; with none it is the desk's.

    `parts` is the person's part in each team, by the team's id as text: a query of its own, made when it is asked for.
    """

    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[Role] = mapped_column(words(Role, "role"))
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"), index=True)
    password_hash: Mapped[str | None]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    revision: Mapped[int] = mapped_column(server_default="1", default=1)
    zone: Mapped[str | None]

    organization: Mapped[Organization | None] = relationship(lazy="joined")
    parts: Mapped[dict[str, Any]] = column_property(
        select(func.coalesce(func.jsonb_object_agg(Membership.team_id, Membership.part), text("'{}'::jsonb"), type_=JSONB))
        .where(Membership.person_id == id)
        .correlate_except(Membership)
        .scalar_subquery(),
        deferred=True,
    )

    @property
    def signature(self) -> tuple[int, str]:
        """How the audit names this person."""
        return self.id, f"{self.name} <{self.email}>"

    @property
    def staff(self) -> bool:
        return self.role.staff

    @property
    def teams(self) -> dict[int, Part]:
        """The person's part in each of their teams, by the team's id."""
        return {int(team): Part(part) for team, part in self.parts.items()}


class SignIn(Table):
    """A session of a browser (`page`) or a program (`api`). Only hashes of its tokens are stored.

    `agent` is what the browser or program calls itself, `source` the address it came from. A `restricted` one may do
    nothing but set up the second factor that its owner's role requires.
    """

    __tablename__ = "sign_in"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    door: Mapped[Door] = mapped_column(words(Door, "door", checked=False))
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    refresh_hash: Mapped[bytes | None] = mapped_column(unique=True)
    agent: Mapped[str] = mapped_column(server_default="")
    source: Mapped[str] = mapped_column(server_default="")
    restricted: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    refresh_until: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    person: Mapped[Person] = relationship(lazy="joined", innerjoin=True)


class SpentRefresh(Table):
    """A refresh token that was exchanged already: whoever shows it again ends the session it belonged to (RFC 9700, 4.14.2)."""

    __tablename__ = "spent_refresh"
    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    sign_in_id: Mapped[int] = mapped_column(ForeignKey("sign_in.id", ondelete="CASCADE"), index=True)
    spent_at: Mapped[datetime]


class ApiToken(Table):
    """A program's key to the desk in a person's name; shown once, stored as its SHA-256. `prefix` is what people know it by."""

    __tablename__ = "api_token"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    name: Mapped[str]
    prefix: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    scopes: Mapped[list[Any]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    person: Mapped[Person] = relationship(lazy="joined", innerjoin=True)

    @property
    def granted(self) -> frozenset[Scope]:
        return frozenset(Scope(each) for each in self.scopes)


class Totp(Table):
    """An authenticator app (RFC 6238). `secret` is sealed; `last_step` is the last time step used, which never works again.

    `tries` are wrong codes since `tried_from`. They stand here and not in Redis, so that no two guesses count as one.
    """

    __tablename__ = "totp"
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True, autoincrement=False)
    secret: Mapped[bytes]
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int] = mapped_column(server_default="0", default=0)
    tries: Mapped[int] = mapped_column(server_default="0", default=0)
    tried_from: Mapped[datetime | None]


class RecoveryCode(Table):
    """A code for the day the phone is lost; good once."""

    __tablename__ = "recovery_code"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    code_hash: Mapped[bytes] = mapped_column(unique=True)
    used_at: Mapped[datetime | None]


class Passkey(Table):
    """A WebAuthn credential (https://www.w3.org/TR/webauthn-3/)."""

    __tablename__ = "passkey"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    credential_id: Mapped[bytes] = mapped_column(unique=True)
    public_key: Mapped[bytes]
    sign_count: Mapped[int]
    name: Mapped[str]
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    person: Mapped[Person] = relationship(lazy="joined", innerjoin=True)


class SpentChallenge(Table):
    """A challenge that was answered. Challenges are signed and not stored; this is what makes each good for one answer."""

    __tablename__ = "spent_challenge"
    hash: Mapped[bytes] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Link(Table):
    """A one-time way in that was mailed to somebody: an invitation, a new password, a new address (then in `email`)."""

    __tablename__ = "one_time_link"
    id: Mapped[int] = mapped_column(primary_key=True)
    purpose: Mapped[LinkPurpose] = mapped_column(words(LinkPurpose, "purpose"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    email: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    person: Mapped[Person] = relationship(lazy="joined", innerjoin=True)


class RolePolicy(Table):
    """What the desk asks of everybody in a role. A role without a row is asked nothing."""

    __tablename__ = "role_policy"
    role: Mapped[Role] = mapped_column(words(Role, "role"), primary_key=True)
    second_factor_required: Mapped[bool]


class SetupLink(Table):
    """A one-time way to make the first administrator."""

    __tablename__ = "setup_link"
    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


Index("person_name_idx", func.lower(Person.name))
Index("person_staff_idx", Person.id, postgresql_where=text("role IN ('agent', 'manager', 'admin')"))
Index("organization_lower_name_idx", func.lower(Organization.name))
Index("team_lower_name_idx", func.lower(Team.name))

"""Who there is, and who is signed in."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.rules import Door, Role
from app.db.types import Table, words


class Organization(Table):
    """A customer's company: its people may see each other's tickets where their role says so."""

    __tablename__ = "organization"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]


class Person(Table):
    """Somebody who writes to the desk or works at it. `email` is casefolded; without a password hash nobody signs in."""

    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[Role] = mapped_column(words(Role, "role"))
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"), index=True)
    password_hash: Mapped[str | None]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]

    organization: Mapped[Organization | None] = relationship(lazy="joined")

    @property
    def signature(self) -> tuple[int, str]:
        """How the audit names this person."""
        return self.id, f"{self.name} <{self.email}>"

    @property
    def staff(self) -> bool:
        return self.role.staff


class SignIn(Table):
    """A session of a browser (`page`) or a program (`api`). Only hashes of its tokens are stored."""

    __tablename__ = "sign_in"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    door: Mapped[Door] = mapped_column(words(Door, "door"))
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    refresh_hash: Mapped[bytes | None] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    refresh_until: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    person: Mapped[Person] = relationship(lazy="joined", innerjoin=True)


class SetupLink(Table):
    """A one-time way to make the first administrator."""

    __tablename__ = "setup_link"
    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


Index("person_name_idx", func.lower(Person.name))

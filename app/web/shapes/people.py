"""People, organizations, teams, and what they do about their accounts by mail."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.accounts.rules import Part, Role
from app.web.shapes import Address, Answer, Named, Shape, example

Name = Annotated[str, Field(min_length=1, max_length=200)]
Words = Annotated[str, Field(max_length=20_000)]
Password = Annotated[str, Field(max_length=4096)]  # what is wrong with a shorter one is told in words
Token = Annotated[str, Field(min_length=1, max_length=200)]
Key = Annotated[int, Field(ge=1, lt=2**63)]  # a row's number in a path or a query
Cursor = Annotated[str, Field(max_length=4000)]
Number = Annotated[int, Field(strict=True, ge=1, lt=2**63)]
Zone = Annotated[str, Field(max_length=100, description="Like Europe/Berlin; what is wrong with it is told in words")]


class Invitation(Shape):
    """Somebody to be invited. A customer without an organization joins the one of their mail domain."""

    model_config = Shape.model_config | example(email="erin@acme.example", name="Erin", role="customer")
    email: Address
    name: str = Field(default="", max_length=200)
    role: Role
    organization_id: Number | None = None


class PersonChange(Shape):
    """What can be changed of a person; what is left out stays. `organization_id` null: in none; `zone` null: the desk's."""

    model_config = Shape.model_config | example(name="Erin Miller")
    name: Name | None = None
    email: Address | None = None
    role: Role | None = None
    organization_id: Number | None = None
    zone: Zone | None = None


class TeamOf(Answer):
    """A team somebody is in, and their part there."""

    id: int
    name: str
    part: Part


class Person(Answer):
    """A person. `zone` is the time zone they are told times in, null where it is the desk's. `invited_until` is when their
    invitation ends, as long as one is open.
    """

    id: int
    email: str
    name: str
    role: Role
    organization: Named | None
    zone: str | None
    teams: list[TeamOf]
    can_sign_in: bool
    invited_until: datetime | None
    disabled_at: datetime | None
    created_at: datetime
    revision: int


class People(Answer):
    """Some people, by name."""

    items: list[Person]
    next: str | None


class NewOrganization(Shape):
    """A new organization."""

    model_config = Shape.model_config | example(name="Acme", notes="Pays yearly.")
    name: Name
    notes: Words = ""


class OrganizationChange(Shape):
    """What can be changed of an organization; what is left out stays."""

    model_config = Shape.model_config | example(notes="Pays monthly.")
    name: Name | None = None
    notes: Words | None = None


class Organization(Answer):
    """An organization; `people` is how many belong to it."""

    id: int
    name: str
    notes: str
    domains: list[str]
    people: int
    created_at: datetime
    revision: int


class Organizations(Answer):
    """Some organizations, by name."""

    items: list[Organization]
    next: str | None


class NewTeam(Shape):
    """A new team."""

    model_config = Shape.model_config | example(name="Field service", description="Whoever drives out.")
    name: Name
    description: Words = ""


class TeamChange(Shape):
    """What can be changed of a team; what is left out stays."""

    model_config = Shape.model_config | example(description="Whoever drives out, and the depot.")
    name: Name | None = None
    description: Words | None = None


class Membership(Shape):
    """Somebody's part in a team: `reader` reads and notes, `member` works, `lead` also keeps what the team shares."""

    model_config = Shape.model_config | example(part="member")
    part: Part


class Member(Answer):
    """Somebody in a team."""

    id: int
    name: str
    email: str
    part: Part
    disabled_at: datetime | None


class Team(Answer):
    """A team. An archived one keeps its tickets and gets no new ones."""

    id: int
    name: str
    description: str
    members: list[Member]
    archived_at: datetime | None
    created_at: datetime
    revision: int


class Teams(Answer):
    """Some teams, by name."""

    items: list[Team]
    next: str | None


class Forgotten(Shape):
    """Whose password was forgotten."""

    model_config = Shape.model_config | example(email="carol@acme.example")
    email: str = Field(min_length=1, max_length=400)


class NewPassword(Shape):
    """A new password, and the token of the link that was mailed."""

    model_config = Shape.model_config | example(token="n5rq…", password="four words in a row")  # noqa: S106 (an example)
    token: Token
    password: Password


class Acceptance(NewPassword):
    """The first password, the token of the invitation, and perhaps another name."""

    model_config = Shape.model_config | example(token="n5rq…", name="Erin", password="four words in a row")  # noqa: S106
    name: str = Field(default="", max_length=200)


class PasswordChange(Shape):
    """My present password and the next one."""

    model_config = Shape.model_config | example(old="correct horse battery", new="four words in a row")
    old: Password
    new: Password


class AddressChange(Shape):
    """The address I want to have, and my password."""

    model_config = Shape.model_config | example(email="carol@acme.example", password="correct horse battery")  # noqa: S106
    email: Address
    password: Password


class Confirmation(Shape):
    """The token of the link that was mailed to the new address."""

    model_config = Shape.model_config | example(token="n5rq…")  # noqa: S106 (an example)
    token: Token


class OnItsWay(Answer):
    """The same whoever was meant, and whether or not they are here."""

    detail: str

"""What tickets carry: tags and custom fields."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StrictBool, StrictInt, StringConstraints

from app.tickets import field_list
from app.tickets.rules import FieldKind, Required
from app.web.shapes import Answer, Named, Shape, example
from app.web.shapes.tickets import Id

Word = Annotated[str, Field(min_length=1, max_length=200)]
Description = Annotated[str, Field(max_length=500)]
Label = Annotated[str, Field(min_length=1, max_length=field_list.LONGEST)]
Choices = Annotated[list[Label], Field(max_length=field_list.MOST)]
Position = Annotated[StrictInt, Field(ge=0, le=10_000)]
Key = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]{0,39}$")]


class NewTag(Shape):
    """A tag and what it is for."""

    model_config = Shape.model_config | example(name="vpn", description="Whatever has to do with working from home")
    name: Word
    description: Description = ""


class TagChange(Shape):
    """What a tag is for, or what it is called from now on; a name that exists makes the two one."""

    model_config = Shape.model_config | example(description="Whatever has to do with working from home")
    name: Word = Field(default_factory=str)
    description: Description = Field(default_factory=str)


class Tag(Answer):
    """A tag."""

    name: str
    description: str
    created_at: datetime
    revision: int


class CountedTag(Tag):
    """A tag, and how many of the tickets that you may see have it (null for a token that may not read tickets)."""

    tickets: int | None


class Tags(Answer):
    """Tags by name."""

    items: list[CountedTag]
    next: str | None


class NewField(Shape):
    """A custom field. Its key, kind and team stay for good; `choices` are for the two kinds that have some."""

    model_config = Shape.model_config | example(key="contract_no", label="Contract number", kind="text")
    key: Key
    label: Label
    kind: FieldKind
    team_id: Id | None = None
    choices: Choices = Field(default_factory=list)
    required: Required = Required.NEVER
    shown_to_customers: StrictBool = False
    position: Position = 0


class FieldChange(Shape):
    """What to change; whatever isn't sent stays. `archived` puts the field away, or takes it out again."""

    model_config = Shape.model_config | example(label="Number of the contract", required="to_resolve")
    label: Label = Field(default_factory=str)
    choices: Choices = Field(default_factory=list)
    required: Required = Field(default_factory=lambda: Required.NEVER)
    shown_to_customers: StrictBool = Field(default_factory=bool)
    position: Position = Field(default_factory=int)
    archived: StrictBool = Field(default_factory=bool)

    @property
    def said(self) -> dict[str, Any]:
        """Only what was sent."""
        return self.model_dump(exclude_unset=True)


class CustomField(Answer):
    """A custom field, of a team's tickets or of all (`team` is null)."""

    id: int
    key: str
    label: str
    kind: FieldKind
    team: Named | None
    choices: list[str]
    required: Required
    shown_to_customers: bool
    position: int
    archived_at: datetime | None
    created_at: datetime
    revision: int


class CustomFields(Answer):
    """Custom fields in their order."""

    items: list[CustomField]
    next: str | None

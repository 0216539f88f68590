"""What is kept for use again and again, who follows a ticket, and how tickets stand to each other."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import Field

from app.accounts.sharing import SharedWith
from app.core.priority import Priority
from app.intake.rules.authentication import Verdict
from app.intake.rules.seal import SealState
from app.knowledge.rules import TEXT_MOST
from app.tickets.links import Relation
from app.tickets.rules import Status, WatcherKind
from app.web.shapes import Address, Answer, Brief, Named, Shape, example

Key = Annotated[int, Field(strict=True, ge=1, le=2**63 - 1)]
PathKey = Annotated[int, Path(ge=1, le=2**63 - 1)]
Title = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(min_length=1, max_length=TEXT_MOST)]
Shortcut = Annotated[str, Field(min_length=1, max_length=41)]


class NewWatcher(Shape):
    """Who is to follow a ticket: somebody in copy by their address, or one of the staff (whoever asks, without an address)."""

    model_config = Shape.model_config | example(kind="cc", email="colleague@acme.example")
    kind: WatcherKind = WatcherKind.CC
    email: Address | None = None


class Watcher(Answer):
    """Somebody who follows a ticket. Customers are not told names."""

    kind: WatcherKind
    email: str
    name: str | None
    added_at: datetime


class Watchers(Answer):
    """Who follows a ticket: those in copy, and for the staff those of them who follow."""

    items: list[Watcher]
    next: str | None


class SuggestedFile(Answer):
    """A file of a mail that waits."""

    name: str
    size: int


class Suggestion(Answer):
    """A mail that waits for a say, and `because` why, after its sender's name. `verdict` is what is known of who sent it, and
    `seal` what its signature shows.
    """

    id: int
    sender: Brief
    because: str
    subject: str
    text: str
    files: list[SuggestedFile]
    verdict: Verdict | None
    verdict_words: str | None
    seal: SealState | None
    seal_words: str | None
    made_at: datetime


class Suggestions(Answer):
    """The mails that wait for a say on a ticket, oldest first."""

    items: list[Suggestion]
    next: str | None


class Acceptance(Shape):
    """Whether the sender is to get every answer from then on."""

    model_config = Shape.model_config | example(put_in_copy=False)
    put_in_copy: bool = False


class Placed(Answer):
    """Where the mail stands now, and the message it became; null where it is the first of a new ticket."""

    ticket: int
    message: int | None


class Mentionable(Answer):
    """Whom a note on a ticket can mention."""

    items: list[Brief]
    next: str | None


class NewLink(Shape):
    """What a ticket is to another: `parent_of` makes it the other's parent."""

    model_config = Shape.model_config | example(relation="parent_of", ticket=2)
    relation: Relation
    ticket: Key


class LinkedTicket(Answer):
    """The ticket at the other end."""

    number: int
    subject: str
    status: Status


class Link(Answer):
    """What a ticket is to another one, and since when."""

    relation: Relation
    ticket: LinkedTicket
    linked_at: datetime


class Links(Answer):
    """A ticket's links to tickets that the asker may see."""

    items: list[Link]
    next: str | None


class NewCannedReply(Shape):
    """A text to begin an answer with. `{{requester.first_name}}` and the like stand for what is known when it is used."""

    model_config = Shape.model_config | example(
        title="How to reset a password",
        text="Hello {{requester.first_name}},\n\nopen {{desk.url}} and choose Forgot password.\n\n{{agent.first_name}}",
        shortcut="reset",
        shared_with="me",
    )
    title: Title
    text: Text
    shortcut: Shortcut | None = None
    shared_with: SharedWith = SharedWith.ME
    team_id: Key | None = None


class CannedReplyChange(Shape):
    """What is to be different about a reply. `shortcut` null takes the shortcut away."""

    model_config = Shape.model_config | example(title="Reset a password", shortcut="password")
    title: Title = "…"
    text: Text = "…"
    shortcut: Shortcut | None = None
    shared_with: SharedWith = SharedWith.ME
    team_id: Key | None = None


class CannedReply(Answer):
    """A canned reply, and whether the asker may change it."""

    id: int
    title: str
    shortcut: str | None
    text: str
    shared_with: SharedWith
    team: Named | None
    may_change: bool
    created_at: datetime
    revision: int


class CannedReplies(Answer):
    """A page of them, by title."""

    items: list[CannedReply]
    next: str | None


class FilledIn(Answer):
    """A reply's text with its placeholders filled in for a ticket."""

    text: str


class Steps(Shape):
    """What a macro does, in this order. `then` is the status after the answer; null gives a ticket to no team or to nobody."""

    team_id: Key | None = None
    assignee_id: Key | Literal["me"] | None = None
    priority: Priority | None = None
    add_tags: list[str] = Field(default_factory=list, max_length=20)
    remove_tags: list[str] = Field(default_factory=list, max_length=20)
    fields: dict[str, Any] = Field(default_factory=dict, max_length=50)
    status: Status | None = None
    note: Text | None = None
    reply: Text | None = None
    then: Status | None = None
    snooze_minutes: int | None = Field(default=None, strict=True, ge=1, le=525_600)


class NewMacro(Shape):
    """Several steps under one title, for me, a team or everybody."""

    model_config = Shape.model_config | example(
        title="Waiting for logs",
        steps={"assignee_id": "me", "add_tags": ["logs"], "reply": "Please send us the log file.", "then": "waiting_customer"},
        shared_with="me",
    )
    title: Title
    steps: Steps
    shared_with: SharedWith = SharedWith.ME
    team_id: Key | None = None


class MacroChange(Shape):
    """What is to be different about a macro; `steps` are all of its steps."""

    model_config = Shape.model_config | example(title="Ask for logs")
    title: Title = "…"
    steps: Steps = Field(default_factory=Steps)
    shared_with: SharedWith = SharedWith.ME
    team_id: Key | None = None


class Macro(Answer):
    """A macro: only the steps it has are in `steps`."""

    id: int
    title: str
    steps: dict[str, Any]
    shared_with: SharedWith
    team: Named | None
    may_change: bool
    created_at: datetime
    revision: int


class Macros(Answer):
    """A page of them, by title."""

    items: list[Macro]
    next: str | None


class Attachment(Answer):
    """A file on a message. `media_type` is judged by its bytes."""

    id: int
    message: int
    name: str
    media_type: str
    size: int
    created_at: datetime


class Attachments(Answer):
    """A ticket's files, oldest first."""

    items: list[Attachment]
    next: str | None


class MessageWithFiles(Answer):
    """The message that files were sent with; `not_notified` are the mentions in a note that reach nobody."""

    id: int
    ticket: int
    internal: bool
    text: str
    attachments: list[Attachment]
    not_notified: list[str]
    created_at: datetime

"""Mailboxes. What they sign in with is told to the desk and never told again."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from app.core.priority import Priority
from app.intake.rules.states import Disowned, SenderFrom
from app.web.shapes import Address, Answer, Named, Shape, example
from app.web.shapes.people import Number

Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9.\-_:]{1,253}$")]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Secret = Annotated[str, Field(min_length=1, max_length=16_000, pattern=r"^[^\x00-\x1f\x7f]*$")]


class OAuth(Shape):
    """A sign-in that somebody allowed, instead of a password. Without a refresh token the application signs in for itself.

    The desk warns a week before `client_secret_until`, when the secret ends.
    """

    provider: Literal["google", "microsoft"]
    client_id: Line
    client_secret: Secret | None = None
    client_secret_until: AwareDatetime | None = None
    tenant: Line | None = None
    refresh_token: Secret | None = None


class NewMailbox(Shape):
    """A mailbox to be read, with a password or with `oauth`. `untested`: save it though its server can't be reached now."""

    model_config = Shape.model_config | example(
        address="sales@desk.example",
        host="imap.desk.example",
        password="open sesame",  # noqa: S106 (an example)
        priority="high",
        untested=True,
    )
    address: Address
    host: Host
    port: int = Field(default=993, ge=1, le=65535)
    tls: bool = True
    username: Line | None = None
    folder: Line = "INBOX"
    password: Secret | None = None
    oauth: OAuth | None = None
    team_id: Number | None = None
    priority: Priority = Priority.MEDIUM
    import_since: AwareDatetime | None = None
    processed_folder: Line | None = None
    sender_from: SenderFrom = SenderFrom.FROM
    tells_too_large: bool = False
    disowned: Disowned = Disowned.QUARANTINE
    untested: bool = False

    @model_validator(mode="after")
    def one_way_in(self) -> Self:
        if (self.password is None) == (self.oauth is None):
            raise ValueError("give either a password or oauth")
        return self


class MailboxChange(Shape):
    """What is to be different; what is left out stays. Another way in is tried first, but where it is `untested`."""

    model_config = Shape.model_config | example(priority="urgent", processed_folder="Processed")
    password: Secret | None = None
    oauth: OAuth | None = None
    team_id: Number | None = None
    priority: Priority | None = None
    processed_folder: Line | None = None
    trusts: list[Line] | None = Field(default=None, max_length=20)
    forwarders: list[Line] | None = Field(default=None, max_length=20)
    sender_from: SenderFrom | None = None
    tells_too_large: bool | None = None
    disowned: Disowned | None = None
    untested: bool = False

    @model_validator(mode="after")
    def one_way_in(self) -> Self:
        if self.password is not None and self.oauth is not None:
            raise ValueError("give either a password or oauth")
        return self


class Server(Answer):
    """Where a mailbox is."""

    host: str
    port: int
    tls: bool
    username: str
    folder: str


class Mailbox(Answer):
    """A mailbox and how it is. `server` is null where its mail comes by SMTP alone. `quarantined` of its mails wait for a person.

    `sign_in_ends_at` and `client_secret_until` are null where nobody said when that ends.

    `trusts` are the mail servers that are believed when they say who a mail is from, and `forwarders` the domains of mailing
    lists and the like whose seals (ARC) are: mail that they changed is not held. `sender_from` is the field that names who
    wrote: `reply_to` is for forms that write everything in their own name. Where it `tells_too_large`, who
    sends a mail that is too large to be fetched hears of that. `disowned` is what becomes of a mail that its sender's domain
    disowns: `quarantine` keeps it on the page Mail, `flag` makes it a ticket of its own or a suggestion that says so, and
    `accept` takes it as one of which nothing is known; in the name of somebody who works here it is always held. One that is
    `of_settings` is named by the desk's settings, and its way in is changed there.
    """

    id: int
    name: str
    address: str
    server: Server | None
    signs_in_by: str | None
    sign_in_ends_at: datetime | None
    client_secret_until: datetime | None
    of_settings: bool
    team: Named | None
    priority: Priority
    import_since: datetime | None
    processed_folder: str | None
    trusts: list[str]
    forwarders: list[str]
    sender_from: SenderFrom
    tells_too_large: bool
    disowned: Disowned
    state: Literal["ok", "failing", "blocked", "needs_reauth", "paused"]
    reason: str | None
    failing_since: datetime | None
    next_try_at: datetime | None
    last_ok_at: datetime | None
    paused_at: datetime | None
    quarantined: int
    created_at: datetime
    revision: int


class Mailboxes(Answer):
    """A page of them, as they were added."""

    items: list[Mailbox]
    next: str | None


class Trial(Answer):
    """How signing in went just now: how many mails nobody has read, or why it did not work, in the server's own words."""

    works: bool
    unread: int | None
    reason: str | None

"""Webhooks. What the desk signs by is told when it is made and never again."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from app.outbox.models import DeliveryState, Topic
from app.web.shapes import Answer, Named, Shape, example

Url = Annotated[str, Field(min_length=1, max_length=2000)]
Topics = Annotated[list[Topic], Field(min_length=1, max_length=len(Topic))]


class NewWebhook(Shape):
    """An address on the open net (https) that is told of these events."""

    model_config = Shape.model_config | example(
        url="https://hooks.desk.example/in", events=["desk.warning", "desk.warning_cleared"]
    )
    url: Url
    events: Topics


class WebhookChange(Shape):
    """What is to be different; what is left out stays. `active` true asks a failing one at once, too."""

    model_config = Shape.model_config | example(events=["ticket.created", "ticket.answered"], active=True)
    url: Url | None = None
    events: Topics | None = None
    active: bool | None = None


class Webhook(Answer):
    """A webhook and how it is. One that failed for five days is `disabled`; `waiting` is how much it is still to be told.

    `own_network`: it was added from the shell, for an address that may be on a network of one's own.
    """

    id: int
    url: str
    events: list[Topic]
    active: bool
    own_network: bool
    state: Literal["ok", "failing", "disabled", "off"]
    problem: str | None
    failing_since: datetime | None
    next_try_at: datetime | None
    last_ok_at: datetime | None
    waiting: int
    created_by: Named | None
    created_at: datetime
    revision: int


class MadeWebhook(Webhook):
    """The same with what the desk signs by, which is shown this once (Standard Webhooks: HMAC-SHA256)."""

    secret: str


class Webhooks(Answer):
    """A page of them, as they were added."""

    items: list[Webhook]
    next: str | None


class Delivery(Answer):
    """One thing that a webhook is told. `status` is what its receiver answered last, `problem` why that is not enough."""

    id: int
    event_id: str
    type: str
    state: DeliveryState
    created_at: datetime
    next_at: datetime | None
    attempts: int
    status: int | None
    problem: str | None
    ended_at: datetime | None


class Deliveries(Answer):
    """A page of them, the last first."""

    items: list[Delivery]
    next: str | None

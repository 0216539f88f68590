"""Who is looking at a ticket: what programs send and are sent."""

from datetime import datetime

from app.tickets.presence import Doing
from app.web.shapes import Answer, Shape, example


class Presence(Shape):
    """What I do with a ticket that is open before me."""

    model_config = Shape.model_config | example(doing="typing")
    doing: Doing


class PresentPerson(Answer):
    """Somebody who has the ticket open, until when unless they say so again."""

    id: int
    name: str
    doing: Doing
    until: datetime


class People(Answer):
    """Who has the ticket open, by name."""

    items: list[PresentPerson]
    next: str | None

"""What keeps mail from moving, for everybody who works at the desk."""

from sqlalchemy import Connection

from app.config import Settings
from app.core import clock
from app.intake import ends
from app.intake import queries as intake
from app.ops import warnings
from app.outbox import queries as outbox


def words(c: Connection, settings: Settings) -> list[str]:
    """One sentence for each thing that is amiss; none when mail comes and goes."""
    boxes = intake.mailbox_states(c)
    said = [f"Mail to {box['name']} is not coming in: {box['reason']}" for box in boxes if box["state"] not in intake.WELL]
    now = clock.now()
    said += [*intake.too_quiet(c), *(end.words for end in ends.about_to(boxes, now=now))]
    if waiting := warnings.unprocessed(c, now=now):
        said.append(waiting)
    standing = outbox.standing(c)
    reason = standing.reason if settings.smtp_host else outbox.NO_SERVER
    if standing.waiting and reason:
        said.append(f"Mail is not going out ({standing.waiting} waiting): {reason}")
    elif late := warnings.late(c, settings, now=now):
        said.append(late)
    return said

"""What keeps mail from moving, for everybody who works at the desk."""

from sqlalchemy import Connection

from app.config import Settings
from app.core import clock
from app.intake import queries as intake
from app.ops.health import LETTER_MOST
from app.outbox import queries as outbox


def words(c: Connection, settings: Settings) -> list[str]:
    """One sentence for each thing that is amiss; none when mail comes and goes."""
    amiss = [box for box in intake.mailbox_states(c) if box["state"] not in intake.WELL]
    said = [f"Mail to {box['name']} is not coming in: {box['reason']}" for box in amiss]
    said += intake.too_quiet(c)
    standing = outbox.standing(c)
    reason = standing.reason if settings.smtp_host else outbox.NO_SERVER
    if standing.waiting and reason:
        said.append(f"Mail is not going out ({standing.waiting} waiting): {reason}")
    elif standing.oldest and clock.now() - standing.oldest > LETTER_MOST:
        said.append(f"Mail goes out late: the oldest letter waits since {standing.oldest:%Y-%m-%d %H:%M} UTC.")
    return said

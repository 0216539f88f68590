"""What waits for longer than it should. What health says of mails and letters is not said again."""

from collections.abc import Iterable

from app.core import clock
from app.ops import queues
from app.ops.doctor.findings import Finding, Level, Room

SUBJECT = "queues"
LATE = 300  # seconds
_TOLD_BY_HEALTH = frozenset({"mail", "outbox"})


def look(room: Room) -> Iterable[Finding]:
    now = clock.now()
    with room.db.reading() as c:
        for queue in queues.all_of(c):
            late = queue.late_by(now)
            told = f"{queue.name}: {queue.waiting} wait" + (f", {queue.due} are due" if queue.due else "")
            if late <= LATE or queue.name in _TOLD_BY_HEALTH:
                yield Finding(SUBJECT, Level.OK, told)
            else:
                why = "The program that does this is stuck, or has too much to do."
                what = f"{told}, the first for {late / 60:.0f} minutes"
                yield Finding(SUBJECT, Level.WARNING, what, why, "docker compose logs --tail 100 desk")

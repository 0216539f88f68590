"""What goes on beside the letters: looking for what is amiss, telling webhooks of what happened, letting go of what is old."""

import logging
import threading
import time

from app.config import Settings
from app.db.session import Database, DatabaseGone
from app.db.session import now as database_now
from app.entry.loop import Turning
from app.ops import keeping, warnings
from app.outbox import telling
from app.outbox.webhook import Teller

AT_ONCE = 4  # webhooks that are told something at the same time, each by a thread of its own
REST, REST_WITHOUT = 1.0, 5.0  # seconds; the second where there is no webhook
LOOK = 30.0  # seconds between looks for what is amiss, and before the first: what waited while the desk was away goes out then
TIDY = 3600.0  # seconds
SETTLED = 300.0  # seconds after the start, which has enough to do

log = logging.getLogger(__name__)


class Webhooks:
    """Follows what happens, and has each webhook told by a thread of its own: one that is slow keeps no other waiting."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._url = database, settings.atum_url
        self._teller = Teller(database, settings)
        self._busy: dict[int, threading.Thread] = {}
        self._tidied = float("-inf")

    def turn(self) -> float:
        """Have those told that there is something for; the seconds to wait before the next time."""
        with self._database.transaction() as s:
            on = telling.follow(s, self._url, now=database_now(s))
            if time.monotonic() - self._tidied > TIDY:
                telling.tidy(s, now=database_now(s))
                self._tidied = time.monotonic()
        if not on:
            return REST_WITHOUT
        self._busy = {id: thread for id, thread in self._busy.items() if thread.is_alive()}
        waiting = [id for id in self._teller.due() if id not in self._busy]
        for id in waiting[: AT_ONCE - len(self._busy)]:
            self._busy[id] = threading.Thread(target=self._tell, args=(id,), name=f"webhook-{id}", daemon=True)
            self._busy[id].start()
        return REST

    def _tell(self, id: int) -> None:
        try:
            while self._teller.tell(id):
                pass
        except DatabaseGone:
            pass  # what was taken to be told is told again in a minute
        except Exception:  # the same; and one webhook must not stop the others
            log.exception("telling a webhook failed", extra={"webhook": id})


def beside(database: Database, settings: Settings) -> list[Turning]:
    """The threads, not started yet."""

    def look() -> float:
        with database.transaction() as s:
            warnings.look(s, settings)
        return LOOK

    def keep() -> float:
        return keeping.sweep(database)

    webhooks = Webhooks(database, settings)
    return [
        Turning("warnings", look, "looking for what is amiss failed", threading.Event(), after=LOOK),
        Turning("webhooks", webhooks.turn, "telling webhooks failed", threading.Event()),
        Turning("keeping", keep, "letting go of what is old failed", threading.Event(), after=SETTLED),
    ]

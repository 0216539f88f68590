"""Once a day the end of the audit is signed. Any worker may do it, any number of them may try, and done it costs nothing."""

import logging
from datetime import date

from app import config
from app.audit import checkpoints
from app.audit.seal import Seal
from app.config import Settings
from app.core import clock
from app.db.session import Database
from app.db.session import now as database_now

log = logging.getLogger(__name__)


def seal(settings: Settings) -> Seal:
    """What this desk signs with. Raises FileNotFoundError before the first boot has made the desk's key."""
    return Seal(config.secret_key(settings))


def public(settings: Settings) -> bytes | None:
    """What anybody may check the signatures with; nothing where the desk has no key yet."""
    try:
        return seal(settings).public
    except FileNotFoundError:
        return None


class Notary:
    """Makes the day's checkpoint as soon as there is a new day (of UTC)."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db, self._settings = db, settings
        self._done: date | None = None

    def step(self) -> None:
        """Sign, where nobody has signed today."""
        today = clock.now().date()
        if self._done == today:
            return
        try:
            key = seal(self._settings)
        except FileNotFoundError:  # nothing to sign with is no reason to miss a deadline; `boot` complains of it
            return
        with self._db.transaction() as s:
            if checkpoints.make(s, key, now=database_now(s)):
                log.info("signed the audit's checkpoint of %s", today)
        self._done = today

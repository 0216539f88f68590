"""The first process of the desk: wait for what it stands on, migrate, furnish, and open the door.

While it works, nginx shows the step it is at. Its exit code is the container's: 65, 69 or 75, told in verdict.json.
"""

import html
import json
import logging
import sys
import time
from collections.abc import Callable

import psycopg

from app import __version__, config
from app.config import Settings
from app.core import clock, ids
from app.core import log as logs
from app.db.redis import Counters
from app.db.session import Database, DatabaseGone
from app.db.session import now as database_now
from app.ops import changes, collation, demo, migrate, roles, seed, upgrades
from app.ops.backup import swapping

log = logging.getLogger("boot")
PATIENCE = 60.0  # seconds for what is outside; the embedded ones have as long as they need to recover
EMBEDDED_PATIENCE = 600.0
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>ATUM Desk</title>
<meta http-equiv="refresh" content="5"><link rel="stylesheet" href="/static/desk.css"></head>
<body><main><h1>{title}</h1><p>{words}</p></main></body></html>
"""


class GaveUp(Exception):
    """The desk can't start; `code` is the container's exit code and the text says why and what to do."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def main() -> int:
    """Boot, and answer the exit code."""
    settings = config.load()
    logs.start("boot", settings.log_level)
    try:
        boot(settings)
    except GaveUp as why:
        _write(settings, "verdict.json", json.dumps({"code": why.code, "program": "boot", "message": str(why)}))
        log.error(str(why))
        return why.code
    return 0


def boot(settings: Settings) -> None:
    """Every step, each told to whoever looks at the page meanwhile."""
    tell(settings, "starting", "The desk is starting", "waiting for the database")
    wait_for(lambda: _database_answers(settings), embedded=settings.embedded_database, what="PostgreSQL", setting="DATABASE_URL")
    tell(settings, "starting", "The desk is starting", "waiting for Redis")
    wait_for(Counters(settings.redis_dsn).alive, embedded=settings.embedded_redis, what="Redis", setting="REDIS_URL")
    tell(settings, "starting", "The desk is starting", "migrating the database")
    if settings.embedded_database:
        sort_anew(settings)
    bring_up_to_date(settings)
    tell(settings, "starting", "The desk is starting", "opening the door")
    open_the_door(settings)


def wait_for(answers: Callable[[], object], *, embedded: bool, what: str, setting: str) -> None:
    """Until it answers. Raises GaveUp with 69 where something outside stays away for a minute."""
    patience = EMBEDDED_PATIENCE if embedded else PATIENCE
    until = time.monotonic() + patience
    told = False
    while not answers():
        if time.monotonic() > until:
            hint = "Look at its log above." if embedded else f"Check {setting} and that the server runs and lets the desk in."
            raise GaveUp(69, f"{what} did not answer for {patience:.0f} s. {hint}")
        if not told and not embedded:
            log.info("waiting for %s", what)
        told = True
        time.sleep(0.1)


def sort_anew(settings: Settings) -> None:
    """Every index, where the order of words has changed. What can't be sorted the doctor tells; the desk starts all the same."""
    try:
        if done := collation.settle(settings.database_dsn):
            log.warning(done)
    except psycopg.IntegrityError as wrong:
        log.error("an index can't be sorted anew: %s; see: atum doctor", wrong)


def bring_up_to_date(settings: Settings) -> None:
    """Migrate. Raises GaveUp with 65 for newer data and 75 where there was no migrating, with the way back."""

    def step(words: str) -> None:
        tell(settings, "starting", "The desk is starting", words)

    upgrade = upgrades.Upgrade(settings, step)
    try:
        steps = upgrade.run()
    except migrate.NewerData as newer:
        raise GaveUp(65, upgrades.refusal(settings, newer)) from None
    except upgrades.Stopped as stopped:
        raise GaveUp(75, stopped.message) from None
    except Exception as wrong:
        log.exception("a migration failed")
        raise GaveUp(75, upgrade.failed(wrong)) from None
    if steps:
        log.info("migrated the database", extra={"revisions": steps})


def open_the_door(settings: Settings) -> None:
    """Furnish the desk, say how to get in, and leave the ready mark."""
    db = Database(settings.database_dsn, pool=1, name="boot")
    with db.transaction() as s:
        changes.note(s, settings, now=database_now(s))
        administrator = seed.furnish(s, settings, now=database_now(s))
        unprotected = roles.standing(s.connection()).problem
    if settings.atum_demo:
        demo.fill(db, settings)
    with db.transaction() as s:
        link = seed.setup_link(s, settings, now=database_now(s))
    db.close()
    if settings.embedded_database:  # where it is missing one day, none is made in its place (image/postgres)
        (settings.data_dir / "secrets" / ".database_made").touch(mode=0o600)
    _write(settings, "ready", migrate.head())
    # Only now: nginx tells this as long as there is no mark, and a desk that starts is not unhealthy.
    tell(settings, "unhealthy", "The desk does not answer right now", "it is being restarted; try again in a few seconds")
    log.info("ATUM Desk %s is ready at %s", __version__, settings.atum_url)
    if unprotected:
        log.warning(unprotected)
    if administrator:
        log.info("made the administrator %s", administrator)
    if link:
        log.info("make the first administrator within 15 minutes at %s", link)


def tell(settings: Settings, status: str, title: str, words: str) -> None:
    """What nginx answers while the application doesn't."""
    status_json = {"status": status, "timestamp": clock.now().isoformat(), "version": __version__, "step": words}
    _write(settings, "maintenance/status.json", json.dumps(status_json))
    _write(settings, "maintenance/index.html", PAGE.format(title=html.escape(title), words=html.escape(f"Now {words}.")))


def _database_answers(settings: Settings) -> bool:
    try:
        if swapping.finish(settings):
            log.info("the desk is now the restored one; the one before is kept until: atum restore --forget")
        upgrades.finish(settings)
        psycopg.connect(settings.database_dsn, connect_timeout=3).close()
    except (psycopg.OperationalError, DatabaseGone):
        return False
    return True


def _write(settings: Settings, name: str, content: str) -> None:
    path = settings.app_run / name
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{ids.token()[:8]}")
    part.write_text(content)
    part.replace(path)


if __name__ == "__main__":
    sys.exit(main())

"""Upgrading: a backup first, all migrations or none, no second blind try, and the way back.

What has to be remembered from one start to the next is one file, DATA_DIR/backups/upgrade.json.
"""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from sqlalchemy.exc import OperationalError

from app.config import Settings
from app.core import clock
from app.core.errors import Conflict, DeskError, Unavailable
from app.files.disk import sync_folder
from app.ops import migrate
from app.ops.backup import before, databases, rehearsal

OUTSIDE = "docker compose run --rm --entrypoint atum desk migrate"  # where the desk doesn't run


class Stopped(Conflict):
    """The upgrade is not gone on with; the words say why and what to do."""


class State(StrEnum):
    """Failed: these migrations did not work. Asked, decided, back: of going back to the database before."""

    FAILED = "failed"
    ASKED = "asked"
    DECIDED = "decided"
    BACK = "back"


@dataclass(frozen=True)
class Memory:
    """What the last start left for the next one: about which migrations (their digest), and what it said."""

    state: State
    scripts: str
    words: str
    archive: str | None = None


class Upgrade:
    """One start's."""

    def __init__(self, settings: Settings, tell: Callable[[str], None]) -> None:
        self._settings, self._tell = settings, tell
        self._steps: list[str] = []
        self._done = 0
        self._archive: Path | None = None

    def run(self) -> list[str]:
        """Go back where that was asked for; else migrate, and answer what was done. Raises NewerData, Stopped."""
        memory = recall(self._settings)
        if memory and memory.state is State.ASKED:
            self._tell("putting back the database of before the upgrade")
            go_back(self._settings, memory)
        return self.migrate()

    def migrate(self) -> list[str]:
        """All that is to come; answers what was done. Raises NewerData, Stopped."""
        done = migrate.up(self._settings.database_dsn, before=self._before, done=self._one_done)
        forget(self._settings)
        return done

    def failed(self, wrong: Exception) -> str:
        """What is to be said of an error, and whether to try these migrations again. All of them were rolled back."""
        if not self._steps:
            return f"Migrating failed: {wrong}. The database is as it was before this start."
        step, cause = self._steps[min(self._done, len(self._steps) - 1)], wrong.__cause__ or wrong
        said = f"Migration {step} failed: {(str(cause).splitlines() or [''])[0]}. It was rolled back: the database is as it was. "
        if self._archive:
            said += f"There is a backup of it as well, {self._archive}. "
        if isinstance(wrong, OperationalError | Unavailable):  # of what is around it: a lock, a full disk, a server that ends
            return f"{said}Start the desk again to try once more, or go back by starting the version before."
        said += "To go back start the version before. "
        again = f"This is not tried again by itself; once you know better: {OUTSIDE} retry"
        remember(self._settings, Memory(State.FAILED, migrate.digest(self._steps), said + again))
        return said + again

    def _before(self, at: str, steps: list[str]) -> None:
        memory = recall(self._settings)
        if memory and memory.scripts == migrate.digest(steps):
            raise Stopped(memory.words)
        self._steps = steps
        if self._settings.upgrade_backup:
            self._tell("backing up the database before it is migrated")
            self._archive = _backup(self._settings, at)
        self._tell(f"migrating the database, step 1 of {len(steps)}")

    def _one_done(self, _: str) -> None:
        self._done += 1
        if self._done < len(self._steps):
            self._tell(f"migrating the database, step {self._done + 1} of {len(self._steps)}")


def refusal(settings: Settings, newer: migrate.NewerData) -> str:
    """What is to be said to an older version on newer data."""
    said = f"{newer} Nothing was changed. Start the newer version again."
    for path in before.there(settings):
        if before.revision_of(path) in migrate.known():
            return f"{said} To come back to this one, have that one put back its database: {OUTSIDE} back {path.name}"
    return said


def go_back(settings: Settings, memory: Memory) -> None:
    """Put the database before in place of the one that is there, which is kept. Raises Stopped in any case."""
    path = settings.data_dir / "backups" / str(memory.archive)
    try:
        before.check(settings, path)
        found = before.lay_ready(settings, path)
    except (DeskError, OSError) as wrong:
        databases.drop(settings.database_dsn, databases.NEXT)
        said = wrong.message if isinstance(wrong, DeskError) else str(wrong)
        raise Stopped(f"Going back failed: {said} The database is as it was. To leave it so: {OUTSIDE} retry") from wrong
    revision, version = found.manifest["revision"], found.manifest["version"]
    words = (
        f"The database is as it was on {found.when}, at revision {revision}. Start the version that made it ({version}) again; "
        f"this one won't migrate it, unless you say: {OUTSIDE} retry. What came since then is kept until: atum restore --forget"
    )
    scripts = migrate.digest(migrate.after(str(revision)))
    remember(settings, Memory(State.DECIDED, scripts, words))
    finish(settings)
    raise Stopped(words)


def finish(settings: Settings) -> None:
    """Have the database before take its place, where that is decided and not done yet. Raises DatabaseGone."""
    memory = recall(settings)
    if memory and memory.state is State.DECIDED:
        databases.swap(settings.database_dsn)
        remember(settings, Memory(State.BACK, memory.scripts, memory.words))


def recall(settings: Settings) -> Memory | None:
    """What the last start left, if anything."""
    try:
        found = json.loads(_place(settings).read_text())
    except FileNotFoundError:
        return None
    return Memory(State(found.pop("state")), **found)


def remember(settings: Settings, memory: Memory) -> None:
    place = _place(settings)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = place.with_name(f"{place.name}.part")
    with part.open("w") as file:
        json.dump(asdict(memory), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    part.replace(place)
    sync_folder(place.parent)


def forget(settings: Settings) -> None:
    _place(settings).unlink(missing_ok=True)


def _backup(settings: Settings, at: str) -> Path:
    try:
        return before.make(settings, at, now=clock.now())
    except (DeskError, OSError, rehearsal.NoRoom) as wrong:
        said = wrong.message if isinstance(wrong, DeskError) else str(wrong)
        raise Stopped(
            f"No migration was begun, because the backup before it could not be made: {said} The database is as it was. "
            "Mend that and start again; or, having a backup of your own, set UPGRADE_BACKUP=off for one start."
        ) from wrong


def _place(settings: Settings) -> Path:
    return settings.data_dir / "backups" / "upgrade.json"

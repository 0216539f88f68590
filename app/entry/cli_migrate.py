"""`atum migrate …`: where the database is, and the way back from an upgrade."""

import argparse
from collections.abc import Callable
from typing import Any

from app.config import Settings
from app.core.errors import Conflict, NotFound
from app.entry import asking
from app.entry.cli_mail import Answer, database
from app.ops import migrate, upgrades
from app.ops.backup import before
from app.ops.upgrades import Memory, State


class NotMeant(Conflict):
    """That is not this desk's name. Nothing was changed."""


class UnderWay(Conflict):
    """The way back is being gone at this moment, and can't be left half-way: start the desk, and it is finished."""


def add_to(under: Any, verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the verbs to the command line."""
    verb("status", status, "Say which migrations are still to come.", under)
    verb("up", up, "Migrate to this version.", under)
    back = verb("back", go_back, "Have the next start put back the database of before the last upgrade.", under)
    back.add_argument("file", nargs="?", help="the name of another one than the last")
    back.add_argument("--yes", action="store_true", help="don't ask for the desk's name")
    verb("retry", retry, "Have the next start try again what failed, or what was gone back from.", under)


def status(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db:
        steps = migrate.pending(db.engine)
    memory, kept = upgrades.recall(settings), [str(path) for path in before.there(settings)]
    if given.json:
        return int(bool(steps)), {"pending": steps, "last": memory and memory.words, "backups": kept}
    said = [f"Still to come: {', '.join(steps)}" if steps else "The database is at this version."]
    said += [memory.words] if memory else []
    said += [f"Of before the last upgrade: {kept[0]} (atum migrate back)"] if kept else []
    return int(bool(steps)), "\n".join(said)


def up(settings: Settings, given: argparse.Namespace) -> Answer:
    steps = upgrades.Upgrade(settings, lambda words: asking.tell(f"Now {words}.")).migrate()
    return 0, {"done": steps} if given.json else f"Done: {', '.join(steps) or 'nothing was to be done'}."


def go_back(settings: Settings, given: argparse.Namespace) -> Answer:
    """The work is the next start's, when nobody else uses the database: so it is one way, whether the desk runs or can't."""
    kept = before.there(settings)
    path = next((path for path in kept if given.file in (None, path.name, str(path))), None)
    if path is None:
        names = ", ".join(path.name for path in kept) or "none"
        raise NotFound(f"There is no such backup of before an upgrade in {settings.data_dir / 'backups'}. There are: {names}.")
    found = before.check(settings, path)
    asking.tell(f"{path.name} is whole: the database as it was on {found.when}, at revision {before.revision_of(path)}.")
    asking.tell("Nothing that came in since then is in it; the database that is there now is kept until: atum restore --forget")
    if not given.yes and asking.line(f"Type this desk's name ({settings.host}) to go back") != settings.host:
        raise NotMeant
    words = f"The next start of this version goes back to {path.name}."
    upgrades.remember(settings, Memory(State.ASKED, "", words, archive=path.name))
    said = f"{words} Restart it now: docker compose restart desk. It puts the database back, says so, and ends with 75."
    return 0, {"archive": str(path)} if given.json else said


def retry(settings: Settings, given: argparse.Namespace) -> Answer:
    memory = upgrades.recall(settings)
    if memory and memory.state is State.DECIDED:
        raise UnderWay
    upgrades.forget(settings)
    said = "The next start migrates the database." if memory else "Nothing was held back."
    return 0, {"forgotten": memory and memory.state} if given.json else said

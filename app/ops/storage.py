"""The folders of the volume and of the run directory: made, emptied where they begin empty, and given to whom they are for.

Runs as root, but in a container without DAC_OVERRIDE root is bound by file modes like everybody. So a folder that has to change
is taken by root first (CHOWN is enough for that) and given to its owner last; what was interrupted is simply done again.

A container that was given a user of its own (docker run --user) has nobody else: all is that one's.
"""

import errno
import fcntl
import grp
import os
import pwd
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.config import Settings, load

BAD_VOLUME = 66
POWERS = {"CHOWN": 0, "KILL": 5, "SETGID": 6, "SETUID": 7, "NET_BIND_SERVICE": 10}  # capabilities(7), and their numbers
Owner = tuple[int, int]  # user id, group id


class Unusable(Exception):
    """The volume can't be used; the message says which path, whose it is, and the command that mends it."""


@dataclass(frozen=True)
class Place:
    """A folder, who owns it (user, or user:group), and its mode.

    A kept one lies on the volume; the others begin empty at every start. A whole one is its owner's with all that is in it.
    """

    path: Path
    user: str
    mode: int
    kept: bool = False
    whole: bool = False


def volume(data: Path) -> list[Place]:
    """What lies under DATA_DIR, the root first."""
    owners = {
        "postgres": "postgres", "redis": "redis", "tls": "root",
        "files": "app", "mail": "app", "secrets": "app", "backups": "app",
    }  # fmt: skip
    inside = [Place(data / name, user, 0o700, kept=True, whole=True) for name, user in owners.items()]
    # The top of a volume may be anybody's, as long as we may write to it; root makes it its own.
    top = [] if os.geteuid() and os.access(data, os.W_OK | os.X_OK) else [Place(data, "root", 0o755, kept=True)]
    return [*top, *inside]


def spools(settings: Settings) -> list[Place]:
    """Where uploads wait until they are whole, nginx' copy and the desk's, and where backups are restored for practice.

    They need what room the volume has, and no backup.
    """
    together = settings.uploads.parent
    return [
        Place(together, "root", 0o755),
        Place(together / "nginx", "nginx", 0o700),
        Place(settings.uploads, "app", 0o700),
        Place(settings.rehearsals, "app", 0o700),
    ]


def run_time(settings: Settings) -> list[Place]:
    """What is made anew at every start. The servers' sockets lie where every client looks for them."""
    run, app_run = settings.run_dir, settings.app_run
    return [
        *(Place(path, "root", 0o755) for path in (run, run / "conf", run / "acme")),
        Place(run / "tls", "root:nginx", 0o750),
        Place(run / "tls-smtp", "root:app", 0o750),
        *(Place(path, "app", 0o755) for path in (app_run, app_run / "heartbeat", app_run / "maintenance", app_run / "metrics")),
        Place(Path("/run/nginx"), "nginx", 0o755),
        Place(Path("/run/postgresql"), "postgres", 0o755 if os.geteuid() == 0 else 0o700),
        Place(Path("/run/redis"), "redis", 0o750),
    ]


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Nobody else uses the volume meanwhile, as the launcher makes sure of from then on. Raises Unusable."""
    descriptor = os.open(data, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unusable(f"Another container is using the volume at {data}; stop that one first.") from None
        yield
    finally:
        os.close(descriptor)


def prepare(places: list[Place], owner_of: Callable[[str], Owner]) -> None:
    """Make every place what it should be. Raises Unusable.

    All are made before any is given away: root may not write into what is somebody else's.
    """
    for place in places:
        _try(place, owner_of, _make)
    for place in reversed(places):
        _try(place, owner_of, _give)


def remove(path: Path) -> None:
    """Take away a folder with all that is in it, whoever's it is; nothing where there is none."""
    if path.is_symlink() or path.exists():
        _empty(path)
        if path.is_dir():
            path.rmdir()


def probe(data: Path) -> None:
    """Raises Unusable where nothing can be written, be it read-only or full."""
    try:
        with tempfile.TemporaryFile(dir=data) as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
    except OSError as wrong:
        raise Unusable(_advice(data, "root", wrong)) from wrong


def system_owner(user: str) -> Owner:
    """The ids of a user and its main group, or of `user:group`, on this system; who isn't root knows nobody else."""
    if os.geteuid():
        return _me()
    name, _, group = user.partition(":")
    found = pwd.getpwnam(name)
    return found.pw_uid, grp.getgrnam(group).gr_gid if group else found.pw_gid


def _try(place: Place, owner_of: Callable[[str], Owner], work: Callable[[Place, Owner], None]) -> None:
    try:
        work(place, owner_of(place.user))
    except OSError as wrong:
        raise Unusable(_advice(place.path, place.user, wrong)) from wrong


def _make(place: Place, owner: Owner) -> None:
    if not place.kept:
        _empty(place.path)
    place.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not place.whole and _owner(place.path) != owner:
        os.chown(place.path, *_me())  # root is going to make folders in it


def _empty(path: Path) -> None:
    """Take away what is in a folder, which itself may be a disk mounted there. No link is followed, not even one in its place."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    _hand_over(path, _me())
    for each in path.iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink()


def _give(place: Place, owner: Owner) -> None:
    """Ownership is looked at on top only: a right top means that what is below was done, however much that is."""
    if _owner(place.path) == owner and stat.S_IMODE(place.path.stat().st_mode) == place.mode:
        return
    os.chown(place.path, *_me())
    if place.whole and any(place.path.iterdir()):
        print(f"giving {place.path} and all that is in it to {place.user}", file=sys.stderr)
        _hand_over(place.path, owner)
        os.chown(place.path, *_me())
    place.path.chmod(place.mode)
    os.chown(place.path, *owner)


def _hand_over(path: Path, owner: Owner) -> None:
    """Give away a folder and everything in it, itself last."""
    os.chown(path, *_me())
    path.chmod(stat.S_IMODE(path.stat().st_mode) | 0o700)  # whose it was may have closed it
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _hand_over(Path(entry.path), owner)
            else:
                os.chown(entry.path, *owner, follow_symlinks=False)
    os.chown(path, *owner)


def _owner(path: Path) -> Owner:
    found = path.stat()
    return found.st_uid, found.st_gid


def _me() -> Owner:
    return os.geteuid(), os.getegid()


def _advice(path: Path, user: str, wrong: OSError) -> str:
    """What is wrong with a path, and what to type on the machine that the volume lies on."""
    if wrong.errno == errno.ENOSPC:
        return f"{path}: the disk is full. Make room on it, then start again."
    if wrong.errno == errno.EROFS:
        return f"{path}: the volume is read-only. Mount it at {load().data_dir} without :ro, so that it can be written to."
    uid, gid = system_owner(user)
    user = user if os.geteuid() == 0 else "the user that the container was given"
    whose = f"it belongs to uid {_owner(path)[0]}" if path.exists() else "it does not exist and can't be made"
    return (
        f"{path}: {wrong.strerror}; {whose}, and has to belong to uid {uid} ({user}). "
        f"Run on the machine where it lies, with its path there: chown -R {uid}:{gid} {path}"
    )


def powers(status: str) -> None:
    """Raises Unusable where root (by its /proc/self/status) lacks what it needs to run each program as its own user."""
    has = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff:"))
    if lacking := [name for name, number in POWERS.items() if not has >> number & 1]:
        raise Unusable(
            f"The container's root lacks the capabilities {', '.join(lacking)}. Give it these, as compose.yaml does (cap_add), "
            'or start the container as a user that needs none: user: "12345:12345", as compose.rootless.yaml does.'
        )


def main() -> int:
    """Prepare everything for a start. Answers the exit code."""
    settings = load()
    try:
        if os.geteuid() == 0:
            powers(Path("/proc/self/status").read_text())
        prepare(volume(settings.data_dir), system_owner)
        with alone(settings.data_dir):
            prepare(spools(settings), system_owner)
        probe(settings.data_dir)
        prepare(run_time(settings), system_owner)
    except Unusable as bad:
        print(f"CRITICAL: {bad}", file=sys.stderr)
        return BAD_VOLUME
    return 0


if __name__ == "__main__":
    sys.exit(main())

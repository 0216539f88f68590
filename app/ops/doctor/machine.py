"""What the container may use and what it has used: memory, and entries of the disk (health has its bytes)."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from app.ops.doctor.findings import Finding, Level, Room

INODES_LEAST = 0.05
MEMORY_LEAST = 0.1
MEMORY_WANTED = 700  # MB
_CGROUP = Path("/sys/fs/cgroup")


def look(room: Room) -> Iterable[Finding]:
    yield from entries(room.settings.data_dir)
    yield from memory(_CGROUP)


def entries(folder: Path) -> Iterator[Finding]:
    """Whether more files can be made. Some file systems have no such limit and say 0."""
    try:
        found = os.statvfs(folder)
    except OSError as wrong:
        yield Finding("inodes", Level.BAD, f"{folder} can't be looked at: {wrong.strerror}", None, f"ls -ld {folder}")
        return
    free = found.f_favail / found.f_files if found.f_files else 1.0
    if free < INODES_LEAST:
        why = "With none left nothing can be written, however much room there is."
        paste = f"du --inodes -x {folder} | sort -n | tail"
        yield Finding("inodes", Level.WARNING, f"{found.f_favail} of {found.f_files} entries of the disk are free", why, paste)
    else:
        yield Finding("inodes", Level.OK, f"{free:.0%} of the disk's entries are free")


def memory(cgroup: Path) -> Iterator[Finding]:
    """Whether there is enough, and whether somebody was ended because there was not."""
    limit, used = _number(cgroup / "memory.max"), _number(cgroup / "memory.current")
    taken = _fields(cgroup / "memory.stat").get("inactive_file", 0)
    killed = _fields(cgroup / "memory.events").get("oom_kill", 0)
    paste = "services: {desk: {mem_limit: 1g}}"
    if killed:
        why = "Each time a program was started anew, and what it was doing was done again."
        yield Finding("memory", Level.BAD, f"Linux ended {killed} processes because the memory was used up", why, paste)
    if limit is None or used is None:
        yield Finding("memory", Level.OK, "the container has no limit of its own")
        return
    room = limit - used + taken
    what = f"{(used - taken) >> 20} of {limit >> 20} MB are used"
    if limit < MEMORY_WANTED << 20:
        yield Finding("memory", Level.HINT, what, "The desk is made for 768 MB or more.", paste)
    elif room < MEMORY_LEAST * limit:
        yield Finding("memory", Level.WARNING, what, "With none left Linux ends a program.", paste)
    else:
        yield Finding("memory", Level.OK, what)


def _number(path: Path) -> int | None:
    with suppress(OSError, ValueError):  # not this version of control groups, or "max"
        return int(path.read_text())
    return None


def _fields(path: Path) -> dict[str, int]:
    with suppress(OSError, ValueError):
        return {name: int(value) for name, value in (line.split() for line in path.read_text().splitlines())}
    return {}

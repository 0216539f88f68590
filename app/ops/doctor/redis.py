"""Redis, which counts and may forget: whether it does so well. That it does not answer is health's to say."""

from collections.abc import Iterable

from app.db.redis import Counters
from app.ops.doctor.findings import Finding, Level, Room

SUBJECT = "redis-server"
LEAST_VERSION = 7
FULL = 0.9


def look(room: Room) -> Iterable[Finding]:
    told = Counters(room.settings.redis_dsn).told()
    if told is None:
        return
    version, used, most = str(told.get("redis_version", "?")), int(told["used_memory"]), int(told.get("maxmemory", 0))
    yield Finding(SUBJECT, Level.OK, f"{version}, {used >> 10} KB used{f' of {most >> 20} MB' if most else ''}")
    if version.split(".")[0].isdigit() and int(version.split(".")[0]) < LEAST_VERSION and "valkey_version" not in told:
        yield Finding(SUBJECT, Level.WARNING, f"It is version {version}; {LEAST_VERSION} is the oldest for the desk")
    if most and used > FULL * most and told.get("maxmemory_policy") == "noeviction":
        why = "It takes nothing more then, and each process counts for itself."
        paste = "redis-cli CONFIG SET maxmemory-policy volatile-ttl"
        yield Finding(SUBJECT, Level.WARNING, f"{used >> 20} of {most >> 20} MB are used", why, paste)

"""Who hands on requests for others, by what the last of them came with, and whether that is believed."""

from collections import Counter
from collections.abc import Iterable

from app.ops.doctor import kept
from app.ops.doctor.findings import Finding, Level, Room

SUBJECT = "proxy"
MOST = 3  # that are named


def look(room: Room) -> Iterable[Finding]:
    """A proxy that is believed is not its own client: nginx took the client's address from what the proxy said."""
    asked, believed, others = 0, Counter[str](), Counter[str]()
    for record in kept.requests(room.settings):
        asked += 1
        if via := record.get("via"):
            (others if via == record["client"] else believed)[via] += 1
    if not asked:
        yield Finding(SUBJECT, Level.OK, "nobody has asked for anything lately")
        return
    for address, count in believed.most_common(MOST):
        yield Finding(SUBJECT, Level.OK, f"{count} of the last {asked} requests came through {address}, which is believed")
    for address, count in others.most_common(MOST):
        yield _not_believed(room, address, count, asked)
    if room.settings.atum_tls == "off" and not believed and not others:
        why = "Then whoever asks speaks plain HTTP to the desk, or the proxy does not say for whom it asks."
        paste = "proxy_set_header X-Forwarded-For $remote_addr;\nproxy_set_header X-Forwarded-Proto $scheme;"
        what = f"None of the last {asked} requests came through a proxy, and ATUM_TLS is off"
        yield Finding(SUBJECT, Level.WARNING, what, why, paste)
    elif not believed and not others:
        yield Finding(SUBJECT, Level.OK, f"the last {asked} requests came straight to the desk")


def _not_believed(room: Room, address: str, count: int, asked: int) -> Finding:
    """Anybody may send such headers; only many of one address are a proxy's."""
    trusted = ", ".join([*map(str, room.settings.trusted_proxies), address])
    what = f"{count} of the last {asked} requests came through {address}, which says for whom it asks and is not believed"
    why = "All its visitors count as one, so they are held up together. If it is your proxy, name it; if not, leave it so."
    level = Level.WARNING if count * 2 > asked else Level.HINT
    return Finding(SUBJECT, level, what, why, f"TRUSTED_PROXIES={trusted}")

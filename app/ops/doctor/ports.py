"""Whether the desk answers where it should: inside of the container, on the port that only redirects, and at its public URL."""

import hashlib
import http.client
import json
import re
import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from urllib.parse import urlsplit

from app.config import Settings
from app.ops.doctor.findings import Finding, Level, Room

SUBJECT = "ports"
PATIENCE = 4.0  # seconds
MOST = 65536  # bytes
_LISTEN = re.compile(r"^\s*listen (\d+)( ssl)?", re.MULTILINE)


@dataclass(frozen=True)
class Heard:
    """What somebody answered; `shown` is the fingerprint of the certificate, where there was one."""

    status: int
    location: str | None
    body: bytes
    shown: str | None

    @property
    def is_a_desk(self) -> bool:
        try:
            told = json.loads(self.body)
        except ValueError:
            return False
        return isinstance(told, dict) and {"status", "version", "timestamp"} <= set(told)


def look(room: Room) -> Iterable[Finding]:
    settings, inside = room.settings, listening(room.settings.run_dir / "conf" / "nginx")
    if not inside:
        yield Finding(SUBJECT, Level.HINT, "nginx has no configuration here, so the desk has not been started")
        return
    shown = None
    for port, tls in sorted(inside.items()):
        try:
            heard = ask(settings, "127.0.0.1", port, tls=tls)
        except (OSError, http.client.HTTPException) as wrong:
            yield Finding(SUBJECT, Level.BAD, f"Nothing answers on port {port}: {wrong}", None, "docker compose logs desk")
            continue
        shown = shown or heard.shown
        yield from _redirect(settings, port, heard) if settings.atum_tls != "off" and not tls else _desk(port, heard)
    yield from public(settings, shown)


def listening(conf: Path) -> dict[int, bool]:
    """The ports that nginx was told to listen on, and whether TLS is spoken there."""
    try:
        text = (conf / "servers.conf").read_text()
    except OSError:
        return {}
    return {int(port): bool(tls) for port, tls in _LISTEN.findall(text)}


def ask(settings: Settings, address: str, port: int, *, tls: bool, trust: bool = False) -> Heard:
    """Health, asked for by the public name. Raises OSError and HTTPException."""
    connection = http.client.HTTPConnection(settings.host, port, timeout=PATIENCE)
    with closing(connection):
        connection.sock = socket.create_connection((_resolved(address), port), PATIENCE)
        if tls:
            context = ssl.create_default_context()
            if not trust:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection.sock = context.wrap_socket(connection.sock, server_hostname=settings.host)
        shown = connection.sock.getpeercert(binary_form=True) if isinstance(connection.sock, ssl.SSLSocket) else None
        connection.request("GET", "/api/v1/health", headers={"User-Agent": "atum-doctor"})
        answer = connection.getresponse()
        found = answer.read(MOST)
    return Heard(answer.status, answer.getheader("Location"), found, hashlib.sha256(shown).hexdigest() if shown else None)


def _resolved(host: str) -> str:
    """Its first address. The operating system may look for one for half a minute, and can't be told to be quicker."""
    found: SimpleQueue[str | OSError] = SimpleQueue()
    Thread(target=_resolve, args=(host, found), daemon=True).start()
    try:
        told = found.get(timeout=PATIENCE)
    except Empty:
        raise TimeoutError(f"nobody said within {PATIENCE:.0f} s where {host} is") from None
    if isinstance(told, OSError):
        raise told
    return told


def _resolve(host: str, found: SimpleQueue[str | OSError]) -> None:
    try:
        found.put(str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0]))
    except OSError as wrong:
        found.put(wrong)


def public(settings: Settings, ours: str | None) -> Iterator[Finding]:
    """Who answers at ATUM_URL, as far as that can be seen from inside."""
    url = urlsplit(settings.atum_url)
    port, tls = url.port or (443 if url.scheme == "https" else 80), url.scheme == "https"
    if settings.host in {"localhost", "127.0.0.1"}:
        return
    try:
        heard = ask(settings, settings.host, port, tls=tls)
    except (OSError, http.client.HTTPException) as wrong:
        why = "Many routers lead nobody back in who comes from inside, so this may be right all the same. Try it from elsewhere."
        what = f"{settings.atum_url} does not answer from inside: {wrong}"
        yield Finding(SUBJECT, Level.HINT, what, why, f"curl -v {settings.atum_url}/healthz")
        return
    if not heard.is_a_desk:
        why = "Whatever is there does not hand requests on to this desk."
        what = f"{settings.atum_url} answers {heard.status}, and not as a desk does"
        yield Finding(SUBJECT, Level.BAD, what, why, f"curl -v {settings.atum_url}/api/v1/health")
    elif ours is not None and heard.shown is not None and heard.shown != ours:
        why = "A proxy in front ends TLS. Then the desk needs to know it, or everybody is one and the same visitor."
        paste = "TRUSTED_PROXIES=(the proxy's address)"
        level = Level.OK if settings.trusted_proxies else Level.WARNING
        yield Finding(SUBJECT, level, f"{settings.atum_url} shows another certificate than the desk's own", why, paste)
    else:
        yield Finding(SUBJECT, Level.OK, f"{settings.atum_url} answers")


def _redirect(settings: Settings, port: int, heard: Heard) -> Iterator[Finding]:
    if heard.status == 308 and (heard.location or "").startswith(settings.atum_url):
        yield Finding(SUBJECT, Level.OK, f"port {port} leads to {settings.atum_url}")
    else:
        what = f"Port {port} answers {heard.status} and does not lead to {settings.atum_url}"
        yield Finding(SUBJECT, Level.WARNING, what, None, "docker compose restart desk")


def _desk(port: int, heard: Heard) -> Iterator[Finding]:
    if heard.is_a_desk:
        yield Finding(SUBJECT, Level.OK, f"port {port} answers inside of the container")
    else:
        paste = "docker compose logs --tail 100 desk"
        yield Finding(SUBJECT, Level.BAD, f"Port {port} answers {heard.status} for the desk's health", None, paste)

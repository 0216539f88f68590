"""Whether the desk's public name leads anywhere, and where."""

import socket
from collections.abc import Iterable
from ipaddress import ip_address

from dns.exception import DNSException
from dns.resolver import NXDOMAIN, NoAnswer, Resolver

from app.core.http import is_public
from app.ops.doctor.findings import Finding, Level, Room

SUBJECT = "dns"
PATIENCE = 4.0  # seconds for one question
_NOBODY_S = ("localhost", "local", "internal", "test", "example", "invalid")  # RFC 2606, 6761, 6762: not in DNS


def look(room: Room) -> Iterable[Finding]:
    host = room.settings.host
    if _literal(host) or host.rpartition(".")[2] in _NOBODY_S:
        return [Finding(SUBJECT, Level.OK, f"{host} (ATUM_URL) is no name of the DNS, so it was not asked")]
    try:
        found = addresses(host)
    except (DNSException, OSError) as wrong:
        return [_silent(host, wrong)]
    if not found:
        return [_unknown(host)]
    told = ", ".join(found)
    if not any(is_public(ip_address(address)) for address in found):
        why = "That is right for a desk that only the own network uses; customers elsewhere can't follow a link."
        return [Finding(SUBJECT, Level.HINT, f"{host} leads to {told}, which only a network of one's own knows", why)]
    return [Finding(SUBJECT, Level.OK, f"{host} leads to {told}")]


def addresses(host: str, resolver: Resolver | None = None) -> list[str]:
    """All addresses of a name, by DNS. Raises DNSException where that does not answer."""
    asked, found = resolver or Resolver(), []
    for kind in ("A", "AAAA"):
        try:
            found += [record.to_text() for record in asked.resolve(f"{host}.", kind, lifetime=PATIENCE, search=False)]
        except (NXDOMAIN, NoAnswer):
            continue
    return found


def _unknown(host: str) -> Finding:
    try:
        here = sorted({str(each[4][0]) for each in socket.getaddrinfo(host, None)})
    except OSError:
        here = []
    line = f"{host}. IN A (the address that people reach this machine by)"
    if here:
        why = "Nobody else knows the name; a link in a mail leads nowhere."
        return Finding(SUBJECT, Level.HINT, f"{host} is known to this machine alone, as {', '.join(here)}", why, line)
    why = "No browser finds the desk, and no link in a mail leads to it."
    return Finding(SUBJECT, Level.BAD, f"There is no {host} in the DNS (ATUM_URL)", why, line)


def _silent(host: str, wrong: Exception) -> Finding:
    words = str(wrong).strip().splitlines()[0] if str(wrong).strip() else type(wrong).__name__
    why = "Without it no mail server is found, and no mail is checked for who sent it."
    paste = "docker compose exec desk cat /etc/resolv.conf"
    return Finding(SUBJECT, Level.BAD, f"The DNS does not answer for {host}: {words}", why, paste)


def _literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True

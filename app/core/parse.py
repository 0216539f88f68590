"""One word in, a typed value out. A ValueError says what is wrong with the word."""

import difflib
import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any
from urllib.parse import urlsplit

from app.core import zones
from app.core.text import mail_domain

Network = IPv4Network | IPv6Network
Parse = Callable[[str], Any]


def text(raw: str) -> str:
    return raw


def whole(least: int, most: int) -> Parse:
    def parse(raw: str) -> int:
        if not raw.isdecimal() or not least <= int(raw) <= most:
            raise ValueError(f"{raw!r} is not a whole number from {least} to {most}")
        return int(raw)

    return parse


def one_of(*words: str) -> Parse:
    def parse(raw: str) -> str:
        if raw.lower() not in words:
            raise ValueError(f"{raw!r} is none of {', '.join(words)}")
        return raw.lower()

    return parse


def switch(raw: str) -> bool:
    if raw.lower() in {"on", "true", "yes", "1"}:
        return True
    if raw.lower() in {"off", "false", "no", "0"}:
        return False
    raise ValueError(f"{raw!r} is neither on nor off")


def matching(pattern: str, what: str) -> Parse:
    def parse(raw: str) -> str:
        if not re.fullmatch(pattern, raw):
            raise ValueError(f"{raw!r} is not {what}")
        return raw

    return parse


def public_url(raw: str) -> str:
    parts = urlsplit(raw)
    if parts.scheme not in {"http", "https"} or not re.fullmatch(r"[A-Za-z0-9.\-]{1,253}", parts.hostname or ""):
        raise ValueError(f"{raw!r} is not an http(s) URL with a host name")
    if parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username:
        raise ValueError(f"{raw!r} has more than scheme, host and port; the desk lives at the root of its host")
    _ = parts.port  # raises ValueError itself
    return raw.rstrip("/")


def url(*schemes: str) -> Parse:
    def parse(raw: str) -> str:
        if urlsplit(raw).scheme not in schemes:
            raise ValueError(f"it does not begin with {' or '.join(s + '://' for s in schemes)}")
        return raw

    return parse


def postgresql(raw: str) -> str:
    return "postgresql://" + str(url("postgresql", "postgres")(raw)).partition("://")[2]


def networks(raw: str) -> tuple[Network, ...]:
    found = []
    for part in re.split(r"[\s,]+", raw.strip()):
        try:
            found.append(ip_network(part))
        except ValueError as wrong:
            raise ValueError(f"{part!r} is not an address or a network ({wrong})") from None
    return tuple(found)


def domains(raw: str) -> tuple[str, ...]:
    """Mail domains, in the form that addresses are compared by; one in other letters than ASCII's may be given as it is read."""
    found = []
    for part in re.split(r"[\s,]+", raw.strip()):
        if not re.fullmatch(r"(?!-)[\w-]{1,63}(\.(?!-)[\w-]{1,63})*", part) or len(part) > 253:
            raise ValueError(f"{part!r} is not a domain's name")
        found.append(mail_domain(part))
    return tuple(dict.fromkeys(found))


def zone(raw: str) -> str:
    if raw not in zones.known():
        near = difflib.get_close_matches(raw, zones.known(), 1)
        raise ValueError(f"{raw!r} is no time zone" + (f"; did you mean {near[0]}?" if near else ""))
    return raw

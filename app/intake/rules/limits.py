"""How much one address may ask of the SMTP door, and how seldom the log is told of those that ask more."""

import ipaddress
from collections import Counter
from dataclasses import dataclass, field

ALL, EACH = 500, 20  # connections at once, in all and of one address
MINUTE = 60.0
MAILS, ERRORS = 300, 100  # of one address in a minute
TELL_EVERY = 600.0  # seconds

FULL = "421 4.3.2 Too many connections; try again in a minute."
TOO_MANY_CONNECTIONS = "421 4.7.0 Too many connections from your address; try again in a minute."
TOO_MANY_ERRORS = "421 4.7.0 Too many errors from your address; try again in a minute."
TOO_MANY_MAILS = "451 4.7.1 Too many mails from your address; try again in a minute."


def place(client: str) -> str:
    """What counts as one address: with IPv6 the whole network that one customer of a provider has (/64)."""
    address = ipaddress.ip_address(client)
    return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))


@dataclass
class _Visitor:
    minute: float
    connections: int = 0
    mails: int = 0
    errors: int = 0


@dataclass
class Crowd:
    """Who is connected, and what each place did in its present minute. Times are seconds of a clock that only goes on."""

    _places: dict[str, _Visitor] = field(default_factory=dict)
    _connections: int = 0

    def enter(self, place: str, now: float) -> str:
        """Let one more connection in; otherwise the answer, code first."""
        visitor = self._visitor(place, now)
        if visitor.errors >= ERRORS:
            return TOO_MANY_ERRORS
        if visitor.connections >= EACH:
            return TOO_MANY_CONNECTIONS
        if self._connections >= ALL:
            return FULL
        visitor.connections += 1
        self._connections += 1
        return ""

    def leave(self, place: str, now: float) -> None:
        """One that was let in has gone."""
        self._visitor(place, now).connections -= 1
        self._connections -= 1

    def mail(self, place: str, now: float) -> str:
        """One more mail is begun; the answer, code first, if that is too many."""
        visitor = self._visitor(place, now)
        visitor.mails += 1
        return TOO_MANY_MAILS if visitor.mails > MAILS else ""

    def error(self, place: str, now: float) -> bool:
        """Note a mistake of theirs; whether it was one too many."""
        visitor = self._visitor(place, now)
        visitor.errors += 1
        return visitor.errors >= ERRORS

    def forget(self, now: float) -> None:
        """Let go of places that nobody is connected from and whose minute is over."""
        over = [place for place, v in self._places.items() if not v.connections and now - v.minute > MINUTE]
        for place in over:
            del self._places[place]

    def _visitor(self, place: str, now: float) -> _Visitor:
        visitor = self._places.setdefault(place, _Visitor(now))
        if now - visitor.minute > MINUTE:
            visitor.minute, visitor.mails, visitor.errors = now, 0, 0
        return visitor


@dataclass
class Seldom:
    """Which of many lines of one kind the log gets: the first, and then one in ten minutes with the number of those between."""

    _told: dict[str, float] = field(default_factory=dict)
    _kept: Counter[str] = field(default_factory=Counter)

    def due(self, kind: str, now: float) -> int | None:
        """How many were kept back since the last one; None for one to keep back too."""
        last = self._told.get(kind)
        if last is not None and now - last < TELL_EVERY:
            self._kept[kind] += 1
            return None
        self._told[kind] = now
        return self._kept.pop(kind, 0)

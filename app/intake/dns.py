"""DNS, asked for the records that say who may send mail. Its silence costs a few seconds a minute, all mails together."""

import time
from collections.abc import Callable

from dns.exception import DNSException, Timeout
from dns.resolver import NXDOMAIN, NoAnswer, NoNameservers, NoResolverConfiguration, Resolver

PATIENCE = 3.0  # seconds: for the questions of one mail, and for what is lost in a minute
QUICK = 0.5  # seconds; whoever takes longer costs patience
AGAIN = 60.0  # seconds
REMEMBERED = 300.0  # seconds
MOST = 5_000  # names
MOST_OF_ONE = 4_096  # bytes of a record that are of any use

_NOBODY_S = frozenset({"example", "invalid", "test", "localhost", "local", "internal"})  # RFC 2606, 6761, 6762: not in DNS

Lookup = Callable[[str], tuple[bytes, ...]]


class Unanswered(Exception):
    """DNS did not say in time."""


def silent(name: str) -> tuple[bytes, ...]:
    """A DNS that is not asked."""
    raise Unanswered(name)


class Names:
    """TXT records, for one thread at a time. What was found, and that there was nothing, is remembered for some minutes."""

    def __init__(self, resolver: Resolver | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._resolver, self._clock = resolver, clock
        self._known: dict[str, tuple[float, tuple[bytes, ...] | None]] = {}
        self._lost, self._since = 0.0, clock()

    def for_a_mail(self) -> Lookup:
        """Look-ups for one mail, that take PATIENCE together. They raise Unanswered."""
        until = self._clock() + PATIENCE
        return lambda name: self._txt(name, until)

    def _txt(self, name: str, until: float) -> tuple[bytes, ...]:
        name = name.lower().rstrip(".")
        if name.rpartition(".")[2] in _NOBODY_S:
            return ()
        now = self._clock()
        good_until, found = self._known.get(name, (0.0, None))
        if now >= good_until:
            found = self._asked(name, now, until)
        if found is None:
            raise Unanswered(name)
        return found

    def _asked(self, name: str, now: float, until: float) -> tuple[bytes, ...] | None:
        if now - self._since >= AGAIN:
            self._lost, self._since = 0.0, now
        patience = min(PATIENCE - self._lost, until - now)
        if patience <= 0:
            return None
        found = self._answer(name, patience)
        took = self._clock() - now
        if found is None or took > QUICK:
            self._lost += took
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[name] = (now + (AGAIN if found is None else REMEMBERED), found)
        return found

    def _answer(self, name: str, patience: float) -> tuple[bytes, ...] | None:
        try:
            self._resolver = self._resolver or Resolver()
            answer = self._resolver.resolve(f"{name}.", "TXT", lifetime=patience, search=False)
            return tuple(b"".join(record.strings)[:MOST_OF_ONE] for record in list(answer)[:50])
        except (Timeout, NoNameservers, NoResolverConfiguration, OSError):
            return None
        except (NXDOMAIN, NoAnswer, DNSException):  # the last ones: what is no name has no record
            return ()

"""How often somebody may try to sign in, so that no password is found by trying and no owner is kept out.

Three budgets for a quarter of an hour: tries with one address from one place, tries from one place, and tries with one address
from anywhere. The last would let strangers keep an owner out, so it does not bind whoever comes from a place that the account
was signed in from in the last month, and passkeys never. A place is an IPv4 address or an IPv6 /64, which is one customer's.
"""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.accounts.models import Person, SignIn
from app.audit import actions as audit
from app.audit.models import Event
from app.core import ids, text
from app.core.errors import TooMany
from app.db.redis import Counters
from app.db.session import Session

WINDOW = 900  # seconds
PAIR, SOURCE, ACCOUNT = 10, 100, 50
TOLD = 200  # rows of refused sign-ins that the audit takes in a window, from everybody together
KNOWN = timedelta(days=30)


class TooManyTries(TooMany):
    """Too many tries with this address. Wait a quarter of an hour."""

    kept = True

    def __init__(self) -> None:
        super().__init__(retry_after=WINDOW)


@dataclass(frozen=True)
class Attempt:
    """One try to sign in with an address, from somewhere; `tries` is how many there were with both."""

    counters: Counters
    email: str
    source: str
    tries: int

    def refused(self, s: Session, why: str, *, now: datetime) -> None:
        """Remember the first refusal of a window in the audit; how many followed stands in the row that ends it."""
        if self.tries == 1:
            tell(s, self.counters, why, now=now, person=_shown(self.email), source=self.source, tries=1)

    def succeeded(self) -> None:
        """Whoever knows the password is no guesser: start again, and this try does not count for their place."""
        succeeded(self.counters, email=self.email, source=self.source)


def begin(s: Session, counters: Counters, *, email: str, source: str, now: datetime) -> Attempt:
    """Count a try with a password. Raises TooManyTries.

    The place comes first: who has spent its budget makes no new counters, and one place can't spend an account's budget alone.
    """
    email = text.address(email)
    known = place(source) in _known_places(s, email, now)
    budgets = [("place", _place_key(source), SOURCE), ("address and place", _pair_key(email, source), PAIR)]
    if not known:
        budgets.append(("address", _account_key(email), ACCOUNT))
    counts = [_spend(s, counters, name, key, most, email, source, now) for name, key, most in budgets]
    return Attempt(counters, email, source, counts[1])


def by_passkey(s: Session, counters: Counters, *, source: str, now: datetime) -> None:
    """Count a try with a passkey, which nobody guesses: only its place is bound. Raises TooManyTries."""
    _spend(s, counters, "place", _place_key(source), SOURCE, "", source, now)


def succeeded(counters: Counters, *, email: str | None, source: str) -> None:
    """Forget the tries with this address, and take this one back from its place."""
    counters.take_back(_place_key(source))
    if email is not None:
        counters.forget(_pair_key(text.address(email), source))
        counters.forget(_account_key(text.address(email)))


def tell(s: Session, counters: Counters, why: str, *, now: datetime, **data: Any) -> None:
    """A refused sign-in in the audit, unless it has had its fill of them: then one row says that there are more."""
    told = counters.add("sign-in:told", lasting=WINDOW)
    if told <= TOLD:
        audit.record(s, Event.SIGN_IN_REFUSED, now=now, why=why, **data)
    elif told == TOLD + 1:
        audit.record(s, Event.SIGN_IN_REFUSED, now=now, why="more than are told here", minutes=WINDOW // 60)


def place(source: str) -> str:
    """Where somebody comes from, as it is counted."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.ip_network((address.packed, 64), strict=False))
        return str(address.ipv4_mapped)
    return str(address)


def _spend(s: Session, counters: Counters, name: str, key: str, most: int, email: str, source: str, now: datetime) -> int:
    count = counters.add(key, lasting=WINDOW)
    if count > most:
        if count == most + 1:
            person = _shown(email) if name != "place" else None
            tell(s, counters, f"too many tries ({name})", now=now, person=person, source=source, tries=most)
        raise TooManyTries
    return count


def _known_places(s: Session, email: str, now: datetime) -> set[str]:
    """Asked for every address alike, known or not, so that nobody learns from the time it takes."""
    came = select(SignIn.source).join(Person, Person.id == SignIn.person_id).where(Person.email == email)
    return {place(source) for source in s.scalars(came.where(SignIn.created_at > now - KNOWN).distinct())}


def _shown(email: str) -> str:
    """What was typed, if it is an address: some people type their password into the wrong field."""
    return text.one_line(email, most=320) if text.is_address(email) else "(no address)"


def _place_key(source: str) -> str:
    return f"sign-in:from:{place(source)}"


def _account_key(email: str) -> str:
    return f"sign-in:of:{ids.fingerprint(email).hex()}"


def _pair_key(email: str, source: str) -> str:
    return f"sign-in:of:{ids.fingerprint(email).hex()}:{place(source)}"

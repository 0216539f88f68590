"""What one attempt to send can come to, and when the next one is due."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

import idna

MOST_DOUBTS = 3
MOST_FAILING_DAYS = 5
FORGOTTEN = timedelta(days=14)
_NOBODY_THERE = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})  # RFC 3463
_CODE = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_GIVE_UP = timedelta(days=2)
_AGAIN = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=60))
TOLD_FOR = timedelta(days=5)  # how long a webhook is tried with one thing
OFF_AFTER = TOLD_FOR - timedelta(hours=1)  # of failures: so the first thing that it did not take is the last one too
BROKEN_AFTER = 5  # failures in a row, after which it is asked only now and then
OLD_SECRET_FOR = timedelta(days=1)  # that a secret is still signed by after there is another
SECRET_PREFIX = "whsec_"  # noqa: S105 (as https://www.standardwebhooks.com has it)
_TOLD_AGAIN = (
    timedelta(seconds=5),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=6),
)
_BROKEN = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=30), timedelta(hours=1))
_RE = re.compile(r"^(\s*re:\s*)+", re.IGNORECASE)
_FILETIME = datetime(1601, 1, 1, tzinfo=UTC)
_BEGAN = 0x01D5C10000  # the high 40 bits of a FILETIME (100 ns since 1601): 2 January 2020
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.+[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\.?")
_DOMAIN = re.compile(
    r"(?=.{1,253}$)([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)


class Verdict(StrEnum):
    """What became of one attempt.

    `doubtful`: the connection broke after the text and before the answer. The last two are about the server that carries
    our mail and not about the letter: `refused` is for a person to mend, `unreachable` mends itself.
    """

    SENT = "sent"
    RETRY = "retry"
    FAILED = "failed"
    DOUBTFUL = "doubtful"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


_PAUSES = {
    Verdict.DOUBTFUL: _AGAIN,
    Verdict.REFUSED: (*_AGAIN, timedelta(hours=6)),
    Verdict.UNREACHABLE: (timedelta(seconds=5), timedelta(seconds=15), timedelta(minutes=1), timedelta(minutes=5)),
}


@dataclass(frozen=True)
class Outcome:
    """A verdict, and the server's or our own words for it."""

    verdict: Verdict
    words: str = ""


def again_after(attempts: int) -> timedelta | None:
    """The pause after the n-th attempt that was put off: 1, 5, 15, 60, 60 … minutes; None when two days were spent."""
    spent = sum((_step(_AGAIN, n) for n in range(1, attempts)), timedelta())
    return _step(_AGAIN, attempts) if spent < _GIVE_UP else None


def pause(verdict: Verdict, failures: int) -> timedelta:
    """How long to wait after the n-th time in a row: with one letter when in doubt, with all after trouble with the server."""
    return _step(_PAUSES[verdict], failures)


def nobody_there(words: str) -> bool:
    """Whether a server's words say by their code that there is nobody at the address, now or ever. A full mailbox or a refusal
    of us and what we write says nothing of the kind. Codes such as 5.0.0 leave it to the next.
    """
    said = next((code for code in _CODE.findall(words) if not code.endswith(".0.0")), "")
    return said in _NOBODY_THERE


def failing_days(before: int, last: datetime | None, now: datetime) -> int:
    """On how many days (UTC) mail to an address has failed, with this failure; what lies two weeks back is forgotten."""
    if last is None or now - last > FORGOTTEN:
        return 1
    return before + (now.date() > last.date())


def wire_address(address: str) -> str:
    """An address as SMTP takes it (RFC 5321), its domain in ASCII. Raises ValueError with the words for a person.

    Quoted and non-ASCII local parts are refused: hardly anybody has one, and everybody who forges mail likes them.
    """
    local, _, domain = address.rpartition("@")
    if domain.rstrip(".").lower().endswith(".invalid"):
        raise ValueError("addresses that end in .invalid never get mail (RFC 2606)")
    if len(local) > 64 or not _LOCAL.fullmatch(local):
        raise ValueError("the part before the @ is not one that mail can be sent to")
    try:  # Python's own codec (IDNA 2003) would send the mail for straße.example to strasse.example
        ascii_domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
    except UnicodeError:
        ascii_domain = ""
    if not _DOMAIN.fullmatch(ascii_domain):
        raise ValueError("the part after the @ is not the name of a mail domain")
    return f"{local}@{ascii_domain}"


def wire_domain(address: str) -> str:
    """The domain of an address in ASCII and lower case. Raises ValueError like wire_address."""
    return wire_address(address).rpartition("@")[2].lower()


def topic(subject: str, ticket: int) -> str:
    """A letter's subject without Re: and the ticket's number: what it was called before it was a ticket."""
    return _RE.sub("", subject).replace(f"[#{ticket}]", "").strip()


def conversation_index(conversation: bytes, said: datetime, chance: int) -> bytes:
    """Where a letter stands in its conversation (MS-OXOMSG 2.2.1.3): the header, which all letters of one conversation share, and
    one response level.

    The header's time is the same for all tickets: what matters is that it doesn't change. `chance` tells letters of one
    instant apart, by its lowest byte.
    """
    since = max(0, (said - _FILETIME) // timedelta(microseconds=1) * 10 - (_BEGAN << 24))
    delta = since >> 18 if since < 1 << 49 else 1 << 31 | (since >> 23) & 0x7FFFFFFF
    return b"\1" + _BEGAN.to_bytes(5, "big") + conversation + delta.to_bytes(4, "big") + bytes([chance & 0xFF])


def told_again_after(attempts: int) -> timedelta:
    """The pause with one thing that a webhook is told, after its n-th refusal: 5 s, then 1, 5, 15, 60, 360 minutes."""
    return _step(_TOLD_AGAIN, attempts)


def left_in_peace(failures: int) -> timedelta | None:
    """How long a webhook is not asked at all, after the n-th failure in a row: 1, 5, 15, 30, 60 … minutes from the fifth on."""
    return _step(_BROKEN, failures - BROKEN_AFTER + 1) if failures >= BROKEN_AFTER else None


def signature(secret: str, event_id: str, timestamp: int, body: bytes) -> str:
    """What proves that we said this, at this time (Standard Webhooks): HMAC-SHA256 by the key that the secret holds in base64."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    said = f"{event_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.new(key, said, hashlib.sha256).digest()).decode()}"


def webhook_port(url: str, *, own_network: bool) -> int:
    """The port of an address that can be told things. Raises ValueError with the words for a person.

    HTTPS, but on one's own network; and no port below 1024 but those of the web: what answers there is no program like that.
    """
    nonsense = ValueError("that is no plain address; write it like https://hooks.example.com/desk")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise nonsense from None
    if not parts.hostname or "@" in parts.netloc or not url.isprintable() or " " in url:
        raise nonsense
    if parts.scheme != "https" and not (own_network and parts.scheme == "http"):
        raise ValueError("only https:// is taken; http:// is for one's own network, and added from the shell (atum webhook add)")
    port = port if port is not None else (443 if parts.scheme == "https" else 80)
    if port not in {80, 443} and port < 1024:
        raise ValueError(f"port {port} is not for this; take 80, 443 or one from 1024 on")
    return port


def host_of(url: str) -> str:
    """The part of a webhook's address that may be told anywhere: the rest may be as good as a password."""
    return urlsplit(url).hostname or ""


def _step(steps: tuple[timedelta, ...], n: int) -> timedelta:
    return steps[min(max(n, 1), len(steps)) - 1]

"""What is written above a mail that was brought to us (RFC 5321 section 4.4, RFC 8601), and what may not stand below it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

import idna

from app.intake.rules.headers import split

UNTRUSTED = b"X-Untrusted-"

_FIELD = re.compile(rb"(?:\A|(?<=[\r\n]))authentication-results[ \t]*:", re.IGNORECASE)
_VALUE = re.compile(rb"[^\r\n]*(?:(?:\r\n|\n|\r)[ \t][^\r\n]*)*")
_PARENTHESIS = re.compile(rb"([()])")
_MARKS = re.compile(rb"[\s\\\"]")
_PLAIN_HOST = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,255}")
_PLAIN_PATH = re.compile(r"(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@)?[A-Za-z0-9_.-]{1,255}")


@dataclass(frozen=True)
class Envelope:
    """How a mail was brought: by whom (`client` is an IP address, `helo` what it calls itself), from whom, over what.

    `protocol` is a word of RFC 3848, `verdict` what SPF says of the sender (RFC 8601 section 2.7.2).
    """

    client: str
    helo: str
    sender: str
    protocol: str
    verdict: str
    id: str
    at: datetime


def headers(envelope: Envelope, recipients: Sequence[str], host: str) -> bytes:
    """Return-Path, a Delivered-To for each recipient, our own Authentication-Results, and Received.

    Whatever the other side said stays on its line: what isn't plain is left out or reduced to "unknown".
    """
    helo = _plain(_PLAIN_HOST, envelope.helo)
    lines = [
        f"Return-Path: <{_inside(envelope.sender)}>",
        *(f"Delivered-To: {_inside(recipient)}" for recipient in recipients),
        f"Authentication-Results: {host}; spf={envelope.verdict}{_identity(envelope.sender, helo)}",
        f"Received: from {helo} ({_literal(envelope.client)})",
        f"\tby {host} (ATUM Desk) with {envelope.protocol} id {envelope.id}",
        *([f"\tfor <{_inside(recipients[0])}>"] if len(recipients) == 1 else []),
    ]
    lines[-1] += f"; {format_datetime(envelope.at)}"
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "surrogateescape")


def distrusted(head: bytes, host: str) -> bytes:
    """The beginning of a mail, with every Authentication-Results that claims to be of `host` renamed, in the header alone.

    RFC 8601 section 5. Other servers' stay: whoever reads the mail may have reason to trust one.
    """
    _, body = split(head)
    return _FIELD.sub(lambda found: UNTRUSTED * _claims(head, found.end(), host) + found[0], head[:body]) + head[body:]


def _claims(head: bytes, start: int, host: str) -> bool:
    """Whether the field's server is called as we are, however comments, quotes and folds hide it."""
    value = _VALUE.match(head, start)
    assert value
    names = (each.partition(b";")[0] for each in (value[0], _without_comments(value[0])))
    return any(host.lower().encode() in _MARKS.sub(b"", name).lower() for name in names)


def _without_comments(value: bytes) -> bytes:
    """Comments nest; depth is a number here, so that a thousand of them cost no more than one."""
    out, depth = [], 0
    for piece in _PARENTHESIS.split(value):
        if piece in b"()" and piece:
            depth = depth + 1 if piece == b"(" else max(depth - 1, 0)
        elif depth == 0:
            out.append(piece)
    return b"".join(out)


def _identity(sender: str, helo: str) -> str:
    """Whom the verdict is about: the sender, or only its domain where the rest isn't plain; without one the name that was given.

    Nothing where not even the domain can be said plainly.
    """
    if not sender:
        return f" smtp.helo={helo}"
    for claimed in (sender, _ascii(sender.rpartition("@")[2])):
        if _PLAIN_PATH.fullmatch(claimed):
            return f" smtp.mailfrom={claimed}"
    return ""


def _ascii(domain: str) -> str:
    try:
        return domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except UnicodeError:
        return ""


def _plain(form: re.Pattern[str], said: str) -> str:
    return said if form.fullmatch(said) else "unknown"


def _inside(address: str) -> str:
    return re.sub(r"[\x00-\x20<>\x7f]", "", address)


def _literal(client: str) -> str:
    return f"[IPv6:{client}]" if ":" in client else f"[{client}]"

"""What people have to be told of a pair that can be served all the same, and when it has to be looked at again."""

import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from app.ops.pairs import Pair, covers, names_of

# X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, …_LOCALLY, …_TO_VERIFY_LEAF_SIGNATURE
_LEADS_NOWHERE = {2, 20, 21}


@dataclass(frozen=True)
class Verdict:
    """A problem is a matter for somebody now, a hint for some day. Trusted is what this system's authorities vouch for."""

    problem: str | None = None
    hint: str | None = None
    trusted: bool = False


def judge(pair: Pair, host: str, now: datetime, *, authorities: Path | None = None) -> Verdict:
    """`authorities` are some of one's own, known beside the system's."""
    failed = _as_a_client_sees_it(pair, host)
    known = _as_a_client_sees_it(pair, host, authorities) if failed and authorities else failed
    problem = _dates(pair, now) or _names(pair, host) or _order(pair) or _completeness(pair, known) or _soon(pair, now)
    return Verdict(problem, None if problem else _some_day(pair, now), trusted=failed is None)


def look_again(begin: datetime, end: datetime, now: datetime) -> datetime | None:
    """When there will be something else to say of a certificate that is valid from `begin` to `end`, if ever."""
    return min((each for each in (begin, *_warnings(begin, end), end) if each > now), default=None)


def _dates(pair: Pair, now: datetime) -> str | None:
    for each in pair.certificates:
        which = "" if each is pair.leaf else f"'s intermediate certificate {_called(each)}"
        if each.not_valid_after_utc <= now:
            return f"{pair.cert_path}{which} expired on {each.not_valid_after_utc:%Y-%m-%d}; browsers refuse it. Renew it."
        if each.not_valid_before_utc > now:
            return (
                f"{pair.cert_path}{which} is valid only from {each.not_valid_before_utc:%Y-%m-%d %H:%M} UTC. Is the clock right?"
            )
    return None


def _names(pair: Pair, host: str) -> str | None:
    names = names_of(pair.leaf)
    if covers(names, host):
        return None
    return f"{pair.cert_path} is for {', '.join(names) or 'no name at all'}, not for {host} (ATUM_URL)."


def _order(pair: Pair) -> str | None:
    for signed, signer in pairwise(pair.certificates):
        try:
            signed.verify_directly_issued_by(signer)
        except (ValueError, TypeError, InvalidSignature):
            return (
                f"{pair.cert_path} is out of order: after {_called(signed)} comes {_called(signer)}, which did not sign it. Put "
                "the desk's own certificate first, and after each the one that signed it."
            )
    return None


def _completeness(pair: Pair, failed: int | None) -> str | None:
    last = pair.certificates[-1]
    if failed not in _LEADS_NOWHERE or last.issuer == last.subject:
        return None
    signer = last.issuer.rfc4514_string()
    return (
        f"{pair.cert_path} is not complete: who signed {_called(last)} is neither in it nor known to this system ({signer}). "
        "Put that certificate at its end; that of an authority of your own too."
    )


def _soon(pair: Pair, now: datetime) -> str | None:
    _, soon, last = _warnings(*_life(pair))
    return _expires(pair, last if now >= last else soon) if now >= soon else None


def _some_day(pair: Pair, now: datetime) -> str | None:
    first, *_ = _warnings(*_life(pair))
    return _expires(pair, first) if now >= first else None


def _expires(pair: Pair, warned: datetime) -> str:
    left = pair.leaf.not_valid_after_utc - warned
    length = f"{left.days} days" if left.days > 1 else f"{left.total_seconds() / 3600:.0f} hours"
    return f"{pair.cert_path} expires on {pair.leaf.not_valid_after_utc:%Y-%m-%d}, in less than {length}. Renew it."


def _life(pair: Pair) -> tuple[datetime, datetime]:
    return pair.leaf.not_valid_before_utc, pair.leaf.not_valid_after_utc


def _warnings(begin: datetime, end: datetime) -> tuple[datetime, datetime, datetime]:
    """When it is said that the end comes near: 30, 14 and 3 days before, or later where a certificate lives shortly."""
    life = end - begin
    return (
        end - min(timedelta(days=30), life / 3),
        end - min(timedelta(days=14), life / 4),
        end - min(timedelta(days=3), life / 10),
    )


def _called(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or f"number {certificate.serial_number:x}"


def _as_a_client_sees_it(pair: Pair, host: str, authorities: Path | None = None) -> int | None:
    """Shake hands with it, in memory: OpenSSL's number for why a client would not go on (X509_V_ERR_…), or None if it would."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pair.cert_path, pair.key_path)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_default_certs()
    if authorities:
        client.load_verify_locations(authorities)
    here, there = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(here, there, server_hostname=host)
    answering = server.wrap_bio(there, here, server_side=True)
    for _ in range(2):
        for side in (asking, answering):
            try:
                with suppress(ssl.SSLWantReadError):
                    side.do_handshake()
            except ssl.SSLCertVerificationError as wrong:
                return wrong.verify_code
    return None

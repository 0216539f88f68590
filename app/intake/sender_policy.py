"""What a domain says about who may send its mail (SPF, RFC 7208): asked of the DNS while a mail is on its way to us."""

import ipaddress
from collections.abc import Callable
from typing import Any

import spf
from dns import resolver
from dns.exception import DNSException

PATIENCE = 3  # seconds for all questions about one mail
VERDICTS = frozenset({"none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"})
OF_STRANGERS = frozenset({"neutral", "softfail", "fail"})

_VALUES: dict[str, Callable[[Any], Any]] = {
    "A": lambda found: found.address,
    "AAAA": lambda found: found.address,
    "MX": lambda found: (found.preference, found.exchange.to_text(omit_final_dot=True)),
    "PTR": lambda found: found.target.to_text(omit_final_dot=True),
    "TXT": lambda found: found.strings,
}


def verdict(client: str, sender: str, helo: str) -> str:
    """One of VERDICTS. Without a sender it is about the name that the other side gave itself (RFC 7208 section 2.4).

    An address that isn't a public one is some relay's or a network's between us and the sender: no domain has said anything of
    it, unless it says that it is its own. May raise whatever the library does when it trips over a stranger's record.
    """
    found, _ = spf.check2(client, sender, helo, timeout=PATIENCE, querytime=PATIENCE)
    if found in OF_STRANGERS and not ipaddress.ip_address(client).is_global:
        return "none"
    return found if found in VERDICTS else "temperror"


def _look_up(name: str, kind: str, _strict: Any, timeout: float) -> list[tuple[tuple[str, str], Any]]:
    """One question, as the library wants its answer. Its own way asks what dnspython no longer wants to be asked."""
    try:
        answers = resolver.resolve(name, kind, lifetime=timeout, raise_on_no_answer=False, search=False)
    except resolver.NXDOMAIN:
        return []
    except (DNSException, OSError) as wrong:
        raise spf.TempError(f"DNS {wrong}") from wrong
    return [((name, kind), _VALUES[kind](found)) for found in answers]


spf.DNSLookup = _look_up

"""Is this mail from the address it names? Asked of the servers we trust, of its signatures (DKIM), and of its domain (DMARC).

What is asked here is hostile: how much of it is looked at is bounded, and it never fails a mail, nor holds one up for long.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path

import dkim
from dkim.util import parse_tag_value

from app.core import text
from app.intake import arc
from app.intake.arc import WRONG
from app.intake.dns import Lookup, Unanswered
from app.intake.rules import authentication
from app.intake.rules.authentication import Checked, Policy, Record, Result, Verdict
from app.intake.rules.mail import Mail
from app.outbox.rules import wire_domain

MOST_HEADER = 100_000  # bytes
MOST_MAIL = 20_000_000  # bytes
MOST_SIGNATURE = 4_096  # bytes
MOST_SIGNATURES = 3
SMALLEST_KEY = 1024  # bits
LONGEST_KEY = 2_048  # bytes of its record: a longer one would only cost us time

NOT_CHECKED = Checked(Verdict.NONE, "nobody looked")
_HEADER_ENDS = re.compile(rb"\r?\n\r?\n")
_LONE_CR = re.compile(rb"\r(?!\n)")


@dataclass(frozen=True)
class Believed:
    """Who is believed: the `servers` whose Authentication-Results are, by their names, and the domains of the `forwarders` whose
    seals (ARC) are.
    """

    servers: Collection[str] = ()
    forwarders: Collection[str] = ()


def check(mail: Mail, raw: bytes | Path, *, believed: Believed, txt: Lookup, whole: bool = True) -> Checked:
    """Whether a mail is from whom its From names. Of one that was not fetched `whole` no signature can be checked, which is no
    fault of its sender's.
    """
    if mail.wrote is None or not mail.from_field:
        return Checked(Verdict.NONE, "it does not name one sender in one From")
    try:
        domain = text.mail_domain(wire_domain(mail.wrote.address))
    except ValueError:
        return Checked(Verdict.NONE, "its sender has no address that mail can come from")
    who, found = authentication.trusted(mail.results, believed.servers)
    raw = raw if whole else b""
    try:
        verdict = _by_servers(domain, who, found, txt) or _reckoned(mail, domain, raw, who, found, txt)
        return verdict if verdict.verdict is Verdict.PASS else _forwarded(verdict, mail, domain, raw, believed.forwarders, txt)
    except Unanswered as silent:
        return Checked(Verdict.TEMPERROR, f"DNS did not answer for {silent}")


def _forwarded(verdict: Checked, mail: Mail, domain: str, raw: bytes | Path, forwarders: Collection[str], txt: Lookup) -> Checked:
    """The verdict, unless a forwarder that is believed found before that the mail was the domain's own (ARC, RFC 8617).

    Then it is no reason to hold the mail, and no more than that. Raises Unanswered where it would be about such a forwarder.
    """
    cut = _cut(mail, raw)
    sealer = arc.newest(cut[0]) if cut else ""
    if cut is None or not sealer:
        return verdict
    try:
        sets = arc.chain(*cut, key=partial(_key, txt), smallest_key=SMALLEST_KEY)
    except Unanswered:
        if sealer in forwarders:
            raise
        return verdict
    for one in takewhile(lambda one: one.domain in forwarders, sets):
        if how := _passed(domain, one.found, partial(_policy, txt)):
            milder = Verdict.NONE if verdict.verdict is Verdict.FAIL else verdict.verdict
            return Checked(milder, f"{verdict.words}; but {one.domain}, which forwarded it, found {how} (ARC)")
    if sets and sets[0].domain not in forwarders:
        who = sets[0].domain
        return Checked(verdict.verdict, f"{verdict.words}; forwarded by {who}, whose seal (ARC) nobody here believes")
    return verdict


def _passed(domain: str, found: Collection[Result], record: Record) -> str:
    """By what a forwarder found a mail to be the domain's own; empty where by nothing."""
    if any(r.method == "dmarc" and r.value == "pass" and r.domain("header.from") == domain for r in found):
        return f"DMARC for {domain}"
    _, policy = authentication.asked_of(domain, record)
    strict = policy.strict_dkim if policy else False
    said = _vouched(domain, [r for r in found if r.method == "dkim"], record, strict_spf=True, strict_dkim=strict)
    return next((how for value, how in said if value == "pass"), "")


def _by_servers(domain: str, who: str, found: Collection[Result], txt: Lookup) -> Checked | None:
    """What a trusted server says of the whole; None where it says nothing, and we reckon ourselves."""
    dmarc = next((r for r in found if r.method == "dmarc" and r.domain("header.from") in {"", domain}), None)
    if dmarc is None or dmarc.value not in {"pass", "fail"}:
        return None
    if dmarc.value == "pass":
        return Checked(Verdict.PASS, f"DMARC for {domain}, says {who}")
    try:
        asked, policy = authentication.asked_of(domain, partial(_policy, txt))
    except Unanswered:
        asked, policy = "", None
    if asked == "none" and policy is not None:
        return Checked(Verdict.NONE, f"it fails DMARC, says {who}; {domain} asks for nothing to be done about that")
    return Checked(Verdict.FAIL, f"it fails DMARC, says {who}")


def _reckoned(mail: Mail, domain: str, raw: bytes | Path, who: str, found: Collection[Result], txt: Lookup) -> Checked:
    record = partial(_policy, txt)
    asked, policy = authentication.asked_of(domain, record)
    strict_spf, strict_dkim = (policy.strict_spf, policy.strict_dkim) if policy else (False, False)
    said = [*_vouched(domain, found, record, strict_spf=strict_spf, strict_dkim=strict_dkim)]
    for value, how in said:
        if value == "pass":
            return Checked(Verdict.PASS, f"{how}, says {who}")
    signer = next(
        (d for d in _signers(mail, domain, raw, txt) if authentication.aligned(domain, d, record, strict=strict_dkim)), None
    )
    if signer:
        return Checked(Verdict.PASS, f"DKIM for {signer}")
    for value, how in said:
        if value == "temperror":
            return Checked(Verdict.TEMPERROR, f"{who} got no answer about {how}")
    if not raw:
        return Checked(Verdict.NONE, "it was not fetched whole, so that no signature could be checked")
    if asked not in {"quarantine", "reject"}:
        return Checked(Verdict.NONE, f"no valid signature of {domain}, which asks for none")
    if not found:  # SPF may vouch for it, and a gateway of ours may have broken the signature
        return Checked(
            Verdict.NONE, f"no valid signature of {domain}, and no server is trusted to say more (mailbox set --trusts)"
        )
    return Checked(Verdict.FAIL, f"no valid signature of {domain}, which asks to {asked} such mail (DMARC)")


def _vouched(
    domain: str, found: Collection[Result], record: Record, *, strict_spf: bool, strict_dkim: bool
) -> Iterator[tuple[str, str]]:
    """What a trusted server found of whoever may vouch for `domain`: the result, and of what."""
    for result in found:
        vouches, strict, how = {
            "spf": (result.domain("smtp.mailfrom"), strict_spf, "SPF"),
            "dkim": (result.domain("header.d", "header.i"), strict_dkim, "DKIM"),
        }.get(result.method, ("", True, ""))
        if result.value in {"pass", "temperror"} and vouches and authentication.aligned(domain, vouches, record, strict=strict):
            yield result.value, f"{how} for {vouches}"


def _policy(txt: Lookup, domain: str) -> Policy | None:
    return authentication.policy(txt(f"_dmarc.{_ascii(domain)}"))


def _ascii(domain: str) -> str:
    return domain if domain.isascii() else wire_domain(f"x@{domain}")


def _cut(mail: Mail, raw: bytes | Path) -> tuple[bytes, bytes] | None:
    """Header (with the empty line) and body; None where too large, or where the sender could be read in two ways."""
    size = raw.stat().st_size if isinstance(raw, Path) else len(raw)
    if size > MOST_MAIL:
        return None
    content = raw.read_bytes() if isinstance(raw, Path) else raw
    end = _HEADER_ENDS.search(content, 0, MOST_HEADER)
    if end is None or _LONE_CR.search(content, 0, end.start()):
        return None
    head = content[: end.start()] + b"\r\n\r\n"
    try:
        same = _same_from(dkim.rfc822_parse(head)[0], mail.from_field)
    except WRONG:
        return None
    return (head, content[end.end() :]) if same else None


def _signers(mail: Mail, domain: str, raw: bytes | Path, txt: Lookup) -> Iterator[str]:
    """The domains that have signed this mail, of those that could vouch for `domain`."""
    cut = _cut(mail, raw)
    if cut is None:
        return
    head, body = cut
    for place, signer, relaxed in _candidates(dkim.rfc822_parse(head)[0], domain):
        whole = head + (arc.squeezed(body) if relaxed else body)
        try:
            if dkim.DKIM(whole, arc.unheard, minkey=SMALLEST_KEY).verify(place, dnsfunc=partial(_key, txt)):
                yield signer
        except WRONG:
            continue


def _same_from(fields: Collection[list[bytes]], said: str) -> bool:
    """Whether what is signed has one From, the very one that the sender was read from: two readers can differ."""
    return [" ".join(value.decode("utf-8", "replace").split()) for name, value in fields if name.lower() == b"from"] == [said]


def _candidates(fields: Collection[list[bytes]], domain: str) -> Iterator[tuple[int, str, bool]]:
    """Which signatures to check: place among all, whose, whether its body is relaxed. None that leaves a text's end open."""
    left = MOST_SIGNATURES
    values = [value for name, value in fields if name.lower() == b"dkim-signature"]
    for place, value in enumerate(values):
        try:
            tags = parse_tag_value(value) if len(value) <= MOST_SIGNATURE else {}
            signer = text.mail_domain(tags.get(b"d", b"").decode("ascii"))
        except WRONG:
            continue
        if b"l" in tags or not signer or not authentication.may_align(domain, signer):
            continue
        yield place, signer, tags.get(b"c", b"").partition(b"/")[2] == b"relaxed"
        left -= 1
        if left == 0:
            return


def _key(txt: Lookup, name: bytes, timeout: float = 0) -> bytes | None:  # noqa: ARG001 (what it is called with)
    """The record of a key (RFC 6376 3.6.2.2); of several, nobody knows which counts."""
    found = txt(name.decode("ascii"))
    return found[0] if len(found) == 1 and len(found[0]) <= LONGEST_KEY else None

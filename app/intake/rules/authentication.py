"""Whether a mail is from the address it names: what trusted servers say (RFC 8601), and what its domain asks for (DMARC).

DMARC is RFC 7489, with the walk up the tree of names that its successor has instead of a list of public suffixes. Whatever can't
be understood says nothing.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.core import text

MOST_OF_ONE = 8_192  # characters of one Authentication-Results

_BIT = re.compile(r'\(|\)|;|"(?:[^"\\]|\\.)*"|\\.|[^()";\\]+|["\\]', re.DOTALL)
_RESULT = re.compile(r"([a-z0-9-]{1,40})(?:/[0-9]{1,9})?=([a-z]{1,40})", re.IGNORECASE)
_PROPERTY = re.compile(r"([a-z0-9]{1,40}\.[a-z0-9_-]{1,40})=(\S{1,400})", re.IGNORECASE)


class Verdict(StrEnum):
    """Whether the sender is who the mail says: known, known not to be, not known, or not known because DNS did not answer."""

    PASS = "pass"  # noqa: S105 (a word of DMARC)
    FAIL = "fail"
    NONE = "none"
    TEMPERROR = "temperror"


@dataclass(frozen=True)
class Checked:
    """A verdict and what it rests on, in words that go on from "verified by" or "not verified:"."""

    verdict: Verdict
    words: str


@dataclass(frozen=True)
class Result:
    """What one method found: "dkim", "pass", and its properties, like "header.d"."""

    method: str
    value: str
    properties: dict[str, str]

    def domain(self, *names: str) -> str:
        """The domain that the first of these properties speaks of; empty where none does."""
        said = next((self.properties[name] for name in names if name in self.properties), "")
        return text.mail_domain(said.rpartition("@")[2])


@dataclass(frozen=True)
class Policy:
    """What a domain's DMARC record says: what to do with mail that fails, for itself and for names below it."""

    own: str
    below: str
    strict_dkim: bool
    strict_spf: bool
    suffix: str  # "y" for a public suffix, "n" for the top of an organization, "u" where it says neither


Record = Callable[[str], Policy | None]


def results(raw: str) -> tuple[str, tuple[Result, ...]]:
    """Who speaks (in lower case) and what they found, out of one Authentication-Results (RFC 8601 section 2.2)."""
    who, *found = _pieces(raw[:MOST_OF_ONE])
    said = (_result(piece) for piece in found)
    return next(iter(who.lower().split()), ""), tuple(one for one in said if one)


def trusted(fields: Sequence[str], trusts: Collection[str]) -> tuple[str, tuple[Result, ...]]:
    """The topmost of these fields by a server that is trusted: anybody below or elsewhere may have made theirs up."""
    names = {name.lower() for name in trusts}
    return next((found for found in map(results, fields) if found[0] in names), ("", ()))


def policy(records: Sequence[bytes]) -> Policy | None:
    """The policy that these TXT records hold; None where none or several do."""
    found = [tags for tags in (_tags(record.decode("utf-8", "replace")) for record in records) if tags.get("v") == "DMARC1"]
    if len(found) != 1:
        return None
    tags = found[0]
    own = tags.get("p", "none").lower()
    own = own if own in {"none", "quarantine", "reject"} else "none"
    below = tags.get("sp", own).lower()
    if tags.get("t", "n").lower() == "y":  # being tried out: nothing is to be done yet
        own = below = "none"
    suffix = tags.get("psd", "u").lower()
    return Policy(own, below, tags.get("adkim", "r").lower() == "s", tags.get("aspf", "r").lower() == "s", suffix)


def asked_of(domain: str, record: Record) -> tuple[str, Policy | None]:
    """What is to be done with mail from this domain that fails, and the policy that says so."""
    if own := record(domain):
        return own.own, own
    _, above = _top(domain, record)
    return (above.below, above) if above else ("none", None)


def aligned(domain: str, other: str, record: Record, *, strict: bool) -> bool:
    """Whether what `other` vouches for is vouched for `domain`: they are the same, or of one organization."""
    if domain == other:
        return True
    if strict or not may_align(domain, other):
        return False
    return _top(domain, record)[0] == _top(other, record)[0]


def may_align(domain: str, other: str) -> bool:
    """Whether it is worth asking: two names of one organization have their last two labels in common."""
    return domain.split(".")[-2:] == other.split(".")[-2:] and "." in domain


def _top(domain: str, record: Record) -> tuple[str, Policy | None]:
    """The name of the organization that a domain is of, and the policy that stands there or at the suffix above it."""
    found: list[tuple[str, Policy]] = []
    for name in _upwards(domain):
        here = record(name)
        if here is None:
            continue
        if here.suffix == "n":
            return name, here
        if here.suffix == "y":
            below = ".".join(domain.split(".")[-(name.count(".") + 2) :])
            return below, next((p for n, p in found if n == below), here)
        found.append((name, here))
    return found[-1] if found else (domain, None)


def _upwards(domain: str) -> Iterator[str]:
    """The domain and the names above it; of very long ones only the last seven labels, so that nobody makes us ask for ever."""
    labels = domain.split(".")
    yield domain
    for left in range(min(len(labels) - 1, 7), 0, -1):
        yield ".".join(labels[-left:])


def _tags(record: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in record[:2_000].split(";"))
    tags: dict[str, str] = {}
    for name, _, value in pairs:
        tags.setdefault(name.strip().lower(), value.strip())
    return tags if next(iter(tags), "") == "v" else {}


def _pieces(raw: str) -> list[str]:
    """What stands between semicolons, without comments, which nest."""
    out, depth = [""], 0
    for bit in _BIT.findall(raw):
        if bit in "()":
            depth = max(depth + {"(": 1, ")": -1}[bit], 0)
        elif bit == ";" and depth == 0:
            out.append("")
        elif depth == 0:
            out[-1] += bit
    return out


def _result(piece: str) -> Result | None:
    found = _RESULT.match(piece.strip())
    if found is None:
        return None
    properties: dict[str, str] = {}
    for name, value in _PROPERTY.findall(piece.strip()[found.end() :]):
        properties.setdefault(name.lower(), value.strip('"'))
    return Result(found[1].lower(), found[2].lower(), properties)

"""ARC (RFC 8617): what a forwarder found when it took a mail, sealed before it broke the signatures that it found.

A chain is anybody's to write: it counts as far as its seals fit, and its newest signature the mail as it is. Who sealed it is a
name, and whether that name is worth anything is for others to say.
"""

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import dkim
from dkim.canonicalization import Relaxed
from dkim.util import InvalidTagValueList, parse_tag_value

from app.core import text
from app.intake.rules.authentication import Result, results

MOST_SETS = 50  # section 5.1.1.1: and no more
MOST_KEYS = 10  # that are looked up
MOST_FIELD = 8_192  # bytes

_RESULTS, _MESSAGE, _SEAL = b"arc-authentication-results", b"arc-message-signature", b"arc-seal"
_SPACE = re.compile(rb"[\t ]+")
# What dkimpy raises at strangers' mails, by and by.
WRONG = (dkim.DKIMException, InvalidTagValueList, LookupError, ValueError, TypeError, ArithmeticError, AssertionError)

Tags = dict[bytes, bytes]
Field = Sequence[bytes]  # name, value
Key = Callable[..., bytes | None]

unheard = logging.getLogger("dkim")  # what it says would be strangers' words in our log
unheard.disabled = True


def squeezed(body: bytes) -> bytes:
    """Space in a row is one space to a relaxed signature; its reader would take time by the square of it."""
    return _SPACE.sub(b" ", body)


@dataclass(frozen=True)
class Set:
    """What one forwarder added: the domain that sealed it, its server's name, and what that found."""

    domain: str
    server: str
    found: tuple[Result, ...]


@dataclass(frozen=True)
class _Raw:
    """One set as it stands: the results, the signature of the mail, and the seal over all that is older."""

    results: bytes
    message: Field
    tags: Tags
    seal: bytes
    sealed: Tags


def newest(head: bytes) -> str:
    """Who the newest seal says it is by; empty where there is none. Nothing is asked and nothing is reckoned for it."""
    try:
        sets = _sets(dkim.rfc822_parse(head)[0])
        return _domain(sets[0]) if sets else ""
    except WRONG:
        return ""


def chain(head: bytes, body: bytes, *, key: Key, smallest_key: int) -> tuple[Set, ...]:
    """The sets of a chain that holds, the newest first; none where there is none, or it is broken. Raises what `key` does.

    `head` ends with an empty line; `key` gives the record at a name, as dkimpy asks for it.
    """
    try:
        sets = _sets(dkim.rfc822_parse(head)[0])
        if not sets or not _may_hold(sets):
            return ()
        whole = head + (squeezed(body) if _is_relaxed(sets[0].tags) else body)
        verifier = dkim.ARC(whole, unheard, minkey=smallest_key)
        if not _fits_the_mail(verifier, sets[0], key):
            return ()
        if not all(_is_sealed(verifier, one, len(sets) - place, key) for place, one in enumerate(sets)):
            return ()
        return tuple(_told(one) for one in sets)
    except WRONG:
        return ()


def _sets(fields: Sequence[Field]) -> list[_Raw]:
    """All sets, the newest first, as they stand: each on top of what was there before, or nothing of it counts."""
    every = [[field for field in fields if field[0].lower() == name] for name in (_RESULTS, _MESSAGE, _SEAL)]
    number = len(every[0])
    if any(len(each) != number for each in every) or number > MOST_SETS:
        return []
    if any(len(value) > MOST_FIELD for each in every for _, value in each):
        return []
    return [_set(*one) for one in zip(*every, strict=True)]


def _set(found: Field, message: Field, seal: Field) -> _Raw:
    relaxed = [value.strip() for _, value in Relaxed.canonicalize_headers([found, message, seal])]
    return _Raw(relaxed[0], message, parse_tag_value(relaxed[1]), relaxed[2], parse_tag_value(relaxed[2]))


def _may_hold(sets: Sequence[_Raw]) -> bool:
    """Whether the sets are numbered and say of each other what a chain has to (section 5.2), before anything is reckoned."""
    for number, one in zip(range(len(sets), 0, -1), sets, strict=True):
        named = one.results.partition(b";")[0].replace(b" ", b"")
        if {named, b"i=" + one.tags.get(b"i", b""), b"i=" + one.sealed.get(b"i", b"")} != {b"i=%d" % number}:
            return False
        if one.sealed.get(b"cv") != (b"none" if number == 1 else b"pass") or b"h" in one.sealed:
            return False
    signed = _signed(sets[0])
    keys = {(tags.get(b"s"), tags.get(b"d")) for one in sets for tags in (one.sealed, sets[0].tags)}
    return b"from" in signed and _SEAL not in signed and b"l" not in sets[0].tags and len(keys) <= MOST_KEYS


def _signed(one: _Raw) -> list[bytes]:
    return [name.strip().lower() for name in one.tags.get(b"h", b"").split(b":")]


def _is_relaxed(tags: Tags) -> bool:
    return b"c" not in tags or tags[b"c"].partition(b"/")[2] == b"relaxed"


def _fits_the_mail(verifier: dkim.ARC, newest: _Raw, key: Key) -> bool:
    """Whether the newest signature fits the mail as it is."""
    dkim.validate_signature_fields(newest.tags, [b"i", b"a", b"b", b"bh", b"d", b"h", b"s"], True)
    tags = {b"c": b"relaxed/relaxed"} | newest.tags
    return bool(verifier.verify_sig(tags, _signed(newest), tuple(newest.message), key))


def _is_sealed(verifier: dkim.ARC, one: _Raw, number: int, key: Key) -> bool:
    """Whether the seal fits all sets up to its own (section 5.1.1)."""
    dkim.validate_signature_fields(one.sealed, [b"i", b"a", b"b", b"cv", b"d", b"s"], True)
    tags = {name: value for name, value in one.sealed.items() if name != b"bh"} | {b"c": b"relaxed/relaxed"}
    covered = [*(_RESULTS, _MESSAGE, _SEAL) * (number - 1), _RESULTS, _MESSAGE]
    return bool(verifier.verify_sig(tags, covered, (b"ARC-Seal", b" " + one.seal), key))


def _told(one: _Raw) -> Set:
    server, found = results(one.results.partition(b";")[2].decode("utf-8", "replace"))
    return Set(_domain(one), server, found)


def _domain(one: _Raw) -> str:
    return text.mail_domain(one.sealed[b"d"].decode("ascii"))

"""What OpenPGP's signatures and keys are worth, by Sequoia.

All of it is a stranger's: this is for the limited child alone, and no other process may load the library. Sequoia goes by its own
clock, and refuses a signature without a reason: that is looked for afterwards, to be told, and changes nothing.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from pysequoia import Cert, Sig, verify
from pysequoia.packet import HashAlgorithm, Packet, PacketPile, SignatureType, Tag

from app.core import text
from app.intake.rules import openpgp, parts, places
from app.intake.rules.keys import MOST_KEYS, Confirmed, Key
from app.intake.rules.parts import Part
from app.intake.rules.places import Bytes, Place
from app.intake.rules.seal import Seal, SealState

MOST_PEOPLE = 20
MOST_PARTS = 100  # of a key

_WEAK = ((HashAlgorithm.MD5, "MD5"), (HashAlgorithm.SHA1, "SHA-1"), (HashAlgorithm.RipeMD, "RIPEMD-160"))
_OF_TEXTS = (SignatureType.Binary, SignatureType.Text)
_ENDS_PART = (Tag.PublicKey, Tag.PublicSubkey, Tag.UserID, Tag.UserAttribute)
_ORDER = list(SealState)
_TAKEN_BACK = "its key was taken back by its owner"

# What the library says of structures that are none, of times out of bounds, and of what it doesn't believe.
_WRONG = (RuntimeError, ValueError, TypeError, OverflowError)


def brought(raw: bytes) -> tuple[Key, ...]:
    """The keys that come along with a mail, each once. Several copies of a key are put together."""
    with warnings.catch_warnings(action="ignore"):  # what is said there of strangers' keys is for programmers
        return tuple(_described(cert) for cert in _put_together(_brought(parts.tree(raw)[0])).values())


def checked(raw: bytes, confirmed: Sequence[Confirmed], *, now: datetime) -> Seal | None:
    """What the signature of a mail shows, by the keys that somebody confirmed. What their owners made of these keys since counts
    where the mail brings it: that they last longer, or were taken back.
    """
    mail = parts.tree(raw)[0]
    place = openpgp.place(mail)
    if place is None:
        return None
    signature = place.envelope.content
    seal = Seal(openpgp=True, keys=openpgp.keys(signature[: openpgp.MOST]), whole=place.whole)
    if len(signature) > openpgp.MOST:
        return replace(seal, trouble="it is too large")
    with warnings.catch_warnings(action="ignore"):
        return _judged(seal, place, signature, _known(mail, confirmed), confirmed, now)


def _judged(
    seal: Seal, place: Place, signature: bytes, certs: dict[str, Cert], confirmed: Sequence[Confirmed], now: datetime
) -> Seal:
    """The best of what its signatures show."""
    assert place.signs
    signatures = list(_signatures(signature))
    if not signatures:
        return replace(seal, trouble="it is damaged, or of a kind that is not known here")
    contents = places.contents(place.signs) if certs else []
    named: dict[str, list[Cert]] = {}
    for cert in certs.values():
        for name in _names(cert):
            named.setdefault(name, []).append(cert)
    seals = [_by(one, seal, named, confirmed, contents, now) for one in signatures]
    return min(seals, key=lambda one: _ORDER.index(one.told(next(iter(one.addresses), ""))[0]))


def _by(
    one: Sig,
    seal: Seal,
    named: dict[str, list[Cert]],
    confirmed: Sequence[Confirmed],
    contents: Sequence[Bytes],
    now: datetime,
) -> Seal:
    """What one signature shows. Keys can have the same names: anybody can put a part of another's into their own."""
    issuers = [name for name in (one.issuer_fingerprint, one.issuer_key_id) if name]
    theirs = [cert for name in issuers for cert in named.get(name, ())]
    if not theirs:
        return seal
    cert = next((cert for cert in theirs if any(_fits(one, cert, content) for content in contents)), None)
    if cert is None:
        return replace(seal, known=True, trouble=_why_not(one, theirs[0], issuers, now))
    end = _end(cert, issuers)
    return replace(
        seal,
        intact=True,
        known=True,
        addresses=tuple(each.address for each in confirmed if each.fingerprint == cert.fingerprint.upper()),
        revoked=cert.is_revoked,
        ran_out=f"{end:%Y-%m-%d}" if end and end <= now else "",
    )


def _fits(one: Sig, cert: Cert, content: Bytes) -> bool:
    try:
        return one.signature_type in _OF_TEXTS and bool(verify(bytes(content), lambda _: [cert], signature=one).valid_sigs)
    except _WRONG:
        return False


def _why_not(one: Sig, cert: Cert, issuers: Sequence[str], now: datetime) -> str:
    """Why a signature is refused that may fit all the same; empty where there is no reason but that it doesn't."""
    end, taken_back = _end(cert, issuers), any(p.signature_type == SignatureType.SubkeyRevocation for p in _bound(cert, issuers))
    weak = next((name for way, name in _WEAK if one.hash_algorithm == way), "")
    reasons = (
        (_TAKEN_BACK, cert.is_revoked or taken_back),
        (f"it is made in a way that can be forged ({weak})", weak),
        ("its key is of a kind that can be forged, or was made in a way that can be", _described(cert).weak),
        ("it is no signature of a text", one.signature_type not in _OF_TEXTS),
        ("it doesn't say when it was made", one.created is None),
        ("it says that it was made at a time that is yet to come", one.created and one.created > now),
        (f"it was good until {one.expiration:%Y-%m-%d}" if one.expiration else "", one.expiration and one.expiration <= now),
        (f"its key had run out on {end:%Y-%m-%d}" if end else "", end and one.created and end <= one.created),
    )
    return next((words for words, holds in reasons if holds), "")


def _signatures(signature: bytes) -> Iterator[Sig]:
    for packet in openpgp.packets(signature):
        try:
            yield Sig.from_bytes(b"\xc2\xff" + len(packet).to_bytes(4, "big") + packet)
        except _WRONG:
            continue


def _known(mail: Part, confirmed: Sequence[Confirmed]) -> dict[str, Cert]:
    """The confirmed keys by their fingerprints, with what the mail brings of them."""
    known = _put_together(
        cert for one in confirmed for cert in _certs(one.content) if cert.fingerprint.upper() == one.fingerprint
    )
    news = (cert for cert in _brought(mail) if cert.fingerprint in known) if known else ()
    return _put_together((*known.values(), *news))


def _put_together(certs: Iterable[Cert]) -> dict[str, Cert]:
    every: dict[str, Cert] = {}
    for cert in certs:
        every[cert.fingerprint] = every[cert.fingerprint].merge(cert) if cert.fingerprint in every else cert
    return every


def _brought(mail: Part) -> Iterator[Cert]:
    return islice((cert for raw in openpgp.brought(mail) for cert in _certs(raw)), MOST_KEYS)


def _certs(raw: bytes) -> list[Cert]:
    try:
        return Cert.split_bytes(raw)
    except _WRONG:
        return []


def _described(cert: Cert) -> Key:
    content = bytes(cert)  # without what is secret of it
    try:
        end, people, weak = cert.expiration, [str(each) for each in cert.user_ids[:MOST_PEOPLE]], False
    except _WRONG:
        end, people, weak = None, [], True
    return Key(
        fingerprint=cert.fingerprint.upper(),
        names=tuple(sorted(name.upper() for name in _names(cert))),
        people=tuple(text.one_line(each, most=200) for each in people),
        expires_at=end.isoformat() if end else None,
        revoked=cert.is_revoked,
        weak=weak,
        content=content,
    )


def _packets(cert: Cert) -> list[tuple[Tag | None, Packet]]:
    """Those of a key, each with what kind it is; None for a kind that the library keeps without knowing it."""
    return [(_tag(packet), packet) for packet in PacketPile.from_bytes(bytes(cert))]


def _tag(packet: Packet) -> Tag | None:
    try:
        return packet.tag
    except _WRONG:
        return None


def _names(cert: Cert) -> set[str]:
    """The fingerprints and IDs of its parts."""
    keys = (packet for tag, packet in _packets(cert) if tag in (Tag.PublicKey, Tag.PublicSubkey))
    return {name for packet in islice(keys, MOST_PARTS) for name in (packet.fingerprint, packet.key_id) if name}


def _bound(cert: Cert, issuers: Sequence[str]) -> Iterator[Packet]:
    """The part of the key that is one of the issuers, and the signatures that bind it."""
    inside = False
    for tag, packet in _packets(cert):
        if tag in _ENDS_PART:
            inside = packet.fingerprint in issuers or packet.key_id in issuers
        if inside and tag:
            yield packet


def _end(cert: Cert, issuers: Sequence[str]) -> datetime | None:
    """When a key, or the part of it that signed, runs out."""
    ends = []
    try:
        ends.append(cert.expiration)
        part, *signatures = _bound(cert, issuers)
        dated = [(each.signature_created, each) for each in signatures if each.signature_type == SignatureType.SubkeyBinding]
        newest = max(dated, key=lambda each: each[0].timestamp() if each[0] else 0.0)[1] if dated else None
        if newest and newest.key_validity_period and part.key_created:
            ends.append(part.key_created + newest.key_validity_period)
    except _WRONG:
        pass
    return min((end for end in ends if end), default=None)

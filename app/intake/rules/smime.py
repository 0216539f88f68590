"""Whether an S/MIME signature (RFC 8551, CMS: RFC 5652) fits the bytes it came with, whose it is, and who vouches for them.

All of it is a stranger's: keys, certificates and structures are bounded before anything is reckoned with them. Nobody is asked,
so that a certificate was taken back is not known.
"""

import hashlib
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy, PolicyBuilder, Store, VerificationError

from app.core import text
from app.intake.rules import ber, body, cms, parts, places
from app.intake.rules.cms import Signed, Signer
from app.intake.rules.parts import Part
from app.intake.rules.places import MOST_MAIL, Bytes, Place
from app.intake.rules.seal import ENCRYPTED, UNCHECKED, Seal, SealState

MOST_SIGNATURE = 1_000_000  # bytes of one that stands beside what it signs
MOST_CERTIFICATE = 64_000  # bytes
KEY_BITS = range(1024, 8193)  # of RSA: shorter keys are no keys, longer ones cost time
STRONG_BITS = 2048
MOST_ADDRESSES = 20
DEEPEST = 5  # certificates between the signer's and the authority's

_SHA1 = bytes.fromhex("2b0e03021a")
_HASHES: dict[bytes, hashes.HashAlgorithm] = {
    bytes.fromhex("2a864886f70d0205"): hashes.MD5(),  # noqa: S303 (named weak)
    _SHA1: hashes.SHA1(),  # noqa: S303
    bytes.fromhex("608648016503040204"): hashes.SHA224(),
    bytes.fromhex("608648016503040201"): hashes.SHA256(),
    bytes.fromhex("608648016503040202"): hashes.SHA384(),
    bytes.fromhex("608648016503040203"): hashes.SHA512(),
}
# Ways to sign, and the hash they name; where they name none it is that of the digest.
_PKCS1 = {
    bytes.fromhex("2a864886f70d010101"): None,
    bytes.fromhex("2a864886f70d010104"): hashes.MD5(),  # noqa: S303
    bytes.fromhex("2a864886f70d010105"): hashes.SHA1(),  # noqa: S303
    bytes.fromhex("2a864886f70d01010b"): hashes.SHA256(),
    bytes.fromhex("2a864886f70d01010c"): hashes.SHA384(),
    bytes.fromhex("2a864886f70d01010d"): hashes.SHA512(),
    bytes.fromhex("2a864886f70d01010e"): hashes.SHA224(),
}
_ECDSA = {
    bytes.fromhex("2a8648ce3d0201"): None,
    bytes.fromhex("2a8648ce3d0401"): hashes.SHA1(),  # noqa: S303
    bytes.fromhex("2a8648ce3d040301"): hashes.SHA224(),
    bytes.fromhex("2a8648ce3d040302"): hashes.SHA256(),
    bytes.fromhex("2a8648ce3d040303"): hashes.SHA384(),
    bytes.fromhex("2a8648ce3d040304"): hashes.SHA512(),
}
_PSS = bytes.fromhex("2a864886f70d01010a")
_EDDSA = {bytes.fromhex("2b6570"), bytes.fromhex("2b6571")}
_CONTENT_TYPE, _DIGEST = bytes.fromhex("2a864886f70d010903"), bytes.fromhex("2a864886f70d010904")
_WEAK = {"md5": "MD5", "sha1": "SHA-1"}
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_FOR_MAIL = {ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
_ORDER = list(SealState)

# What cryptography and its parsers say of structures that are none, of keys of another kind and of numbers out of bounds.
_WRONG = (ber.Broken, ValueError, TypeError, OverflowError, UnsupportedAlgorithm, x509.ExtensionNotFound, x509.DuplicateExtension)


UNKNOWN_WAY = "it is made in a way that is not known here"


class _Unclear(Exception):
    """It can't be told whether it fits; the words say why."""


@dataclass(frozen=True)
class Way:
    """How something is signed: the digest of the content, the hash that is signed (None: all of it), and the padding of RSA."""

    digest: hashes.HashAlgorithm
    hash: hashes.HashAlgorithm | None
    padding: padding.AsymmetricPadding | None


def found(mail: Part) -> Seal | None:
    """What there is of S/MIME, before anybody has looked at it."""
    place = _place(mail)
    if mail.media_type == "multipart/encrypted":
        return ENCRYPTED
    if place is None:
        return None
    return ENCRYPTED if place.signs is None and cms.is_encrypted(place.envelope.content) else UNCHECKED


def checked(raw: bytes, *, now: datetime, roots: bytes) -> Seal | None:
    """What the signature of a mail shows. `roots` are certificates of the authorities that are known (PEM)."""
    place = _place(parts.tree(raw)[0])
    if place is None:
        return None
    with warnings.catch_warnings():  # what is said there of strangers' certificates is for programmers
        warnings.simplefilter("ignore")
        try:
            return _judged(place, now, roots)
        except _Unclear as why:
            return Seal(trouble=str(why))
        except _WRONG:
            return Seal(trouble="it is damaged, or of a kind that is not known here")


def _place(mail: Part) -> Place | None:
    """The signature of the whole mail, or else the first one of a part."""
    for part in mail.walk():
        if not part.children and body.kind(part) in cms.MEDIA_TYPES:
            return Place(part, None, part is mail)
        if found := places.beside(part, mail, cms.SIGNATURES):
            return found
    return None


def _judged(place: Place, now: datetime, roots: bytes) -> Seal | None:
    most = MOST_MAIL if place.signs is None else MOST_SIGNATURE
    if place.envelope.end - place.envelope.start > 2 * most or len(envelope := place.envelope.content) > most:
        raise _Unclear("it is too large")
    signed = cms.opened(envelope)
    if not signed.signers:
        if place.signs is None:  # only certificates
            return None
        raise _Unclear("there is no signature in it")
    if place.signs is None and signed.content is None:
        raise _Unclear("what it signs is missing")
    contents = places.contents(place.signs) if place.signs else [signed.content or b""]
    seals = [_by(signer, signed, contents, now, roots) for signer in signed.signers]
    return replace(min(seals, key=lambda seal: _ORDER.index(seal.told(next(iter(seal.addresses), ""))[0])), whole=place.whole)


def _by(signer: Signer, signed: Signed, contents: Sequence[Bytes], now: datetime, roots: bytes) -> Seal:
    """What one signature shows."""
    try:
        certificate, others = _certificates(signer, signed)
        key, way = _key(certificate), _way(signer)
        if not any(_fits(signer, signed, content, key, way) for content in contents):
            return Seal()
    except _Unclear as why:
        return Seal(trouble=str(why))
    weak = next((_WEAK[one.name] for one in (way.digest, way.hash) if one and one.name in _WEAK), "")
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < STRONG_BITS:
        weak = f"a key of {key.key_size} bits"
    ran_out = certificate.not_valid_after_utc
    return Seal(
        intact=True,
        addresses=tuple(_addresses(certificate))[:MOST_ADDRESSES],
        name=_name(certificate),
        known=not weak and _vouched(certificate, others, min(now, ran_out), roots),
        ran_out=f"{ran_out:%Y-%m-%d}" if now > ran_out else "",
        weak=weak,
    )


def _certificates(signer: Signer, signed: Signed) -> tuple[x509.Certificate, list[x509.Certificate]]:
    """The signer's, and the others that came along."""
    own, others = None, []
    for raw in signed.certificates:
        if len(raw) > MOST_CERTIFICATE:
            continue
        try:
            one = x509.load_der_x509_certificate(raw)
            is_theirs = _is_of(one, raw, signer)
        except _WRONG:
            continue
        if is_theirs and own is None:
            own = one
        else:
            others.append(one)
    if own is None:
        raise _Unclear("the signer's certificate is not in the mail")
    return own, others


def _is_of(one: x509.Certificate, raw: bytes, signer: Signer) -> bool:
    if not signer.key_identifier:
        return cms.identity(raw) == (signer.issuer, signer.serial)
    return one.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest == signer.key_identifier


def _hash(oid: bytes) -> hashes.HashAlgorithm:
    if oid not in _HASHES:
        raise _Unclear(UNKNOWN_WAY)
    return _HASHES[oid]


def _key(certificate: x509.Certificate) -> CertificatePublicKeyTypes:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size not in KEY_BITS:
        raise _Unclear(f"its key has {key.key_size} bits")
    return key


def _way(signer: Signer) -> Way:
    """How it is signed. Raises _Unclear."""
    how, digest = signer.algorithm, _hash(signer.digest.oid)
    if how.oid in _PKCS1:
        return Way(digest, _PKCS1[how.oid] or digest, padding.PKCS1v15())
    if how.oid in _ECDSA:
        return Way(digest, _ECDSA[how.oid] or digest, None)
    if how.oid in _EDDSA:
        return Way(digest, None, None)
    if how.oid == _PSS:
        named, mask = _of_pss(how.parameters)
        return Way(digest, named, padding.PSS(padding.MGF1(mask), padding.PSS.AUTO))
    raise _Unclear(UNKNOWN_WAY)


def _of_pss(parameters: bytes) -> tuple[hashes.HashAlgorithm, hashes.HashAlgorithm]:
    """The hash and the mask's hash (RFC 4055 section 3.1)."""
    given = {each.tag: each.first(ber.SEQUENCE) for each in ber.only(parameters, ber.SEQUENCE).inside() if each.tag != ber.THIRD}
    named = _hash(cms.algorithm(given[ber.FIRST]).oid if ber.FIRST in given else _SHA1)
    mask = cms.algorithm(given[ber.SECOND]).parameters if ber.SECOND in given else b""
    return named, _hash(cms.algorithm(ber.only(mask, ber.SEQUENCE)).oid) if mask else _HASHES[_SHA1]


def _fits(signer: Signer, signed: Signed, content: Bytes, key: CertificatePublicKeyTypes, way: Way) -> bool:
    """Whether the content's digest is the signed one, and the signature is by the key (RFC 5652 section 5.4)."""
    if not signer.covered:
        # A content that could be read as attributes may be attributes that somebody signed for another content.
        return bytes(content[:1]) != bytes([ber.SET]) and _is_by(key, signer.signature, content, way)
    digest = hashlib.new(way.digest.name, content, usedforsecurity=False).digest()
    said, kind = signer.attributes.get(_DIGEST, b""), signer.attributes.get(_CONTENT_TYPE, b"")
    if said != bytes([ber.OCTETS, len(digest)]) + digest or kind[2:] != signed.content_type:
        return False
    return _is_by(key, signer.signature, signer.covered, way)


def _is_by(key: CertificatePublicKeyTypes, signature: bytes, covered: Bytes, way: Way) -> bool:
    """Whether the signature over these bytes is by this key. Raises _Unclear where the key can't have signed in that way."""
    try:
        if way.hash is None:
            if not isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
                raise _Unclear(UNKNOWN_WAY)
            key.verify(signature, bytes(covered))
            return True
        reckoned = hashlib.new(way.hash.name, covered, usedforsecurity=False).digest()
        if way.padding is not None and isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, reckoned, way.padding, utils.Prehashed(way.hash))
        elif way.padding is None and isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, reckoned, ec.ECDSA(utils.Prehashed(way.hash)))
        else:
            raise _Unclear(UNKNOWN_WAY)
    except (InvalidSignature, ValueError):
        return False
    return True


def _name(certificate: x509.Certificate) -> str:
    common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return text.one_line(str(common[0].value) if common else certificate.subject.rfc4514_string(), most=100)


def _addresses(certificate: x509.Certificate) -> Iterator[str]:
    """The mail addresses a certificate names; those of its subject count where there are no others (RFC 8550 section 3)."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = names.get_values_for_type(x509.RFC822Name)
    except _WRONG:
        found = []
    subject = certificate.subject.get_attributes_for_oid(x509.NameOID.EMAIL_ADDRESS)
    for one in found or [str(attribute.value) for attribute in subject]:
        if len(one) < 300 and text.is_address(address := text.address(text.one_line(one))):
            yield address


def _vouched(certificate: x509.Certificate, others: list[x509.Certificate], at: datetime, roots: bytes) -> bool:
    """Whether an authority that we know says that the key is theirs, for mail."""
    authorities = ExtensionPolicy.webpki_defaults_ca().may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _for_mail)
    signers = ExtensionPolicy.permit_all().may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _for_mail)
    signers = signers.may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _for_signing)
    known = [*_loaded(roots)]
    if not known:
        return False
    how = PolicyBuilder().store(Store(known)).time(at).max_chain_depth(DEEPEST)
    try:
        how.extension_policies(ca_policy=authorities, ee_policy=signers).build_client_verifier().verify(certificate, others)
    except (VerificationError, *_WRONG):
        return False
    return True


def _loaded(roots: bytes) -> Iterator[x509.Certificate]:
    for pem in _PEM.findall(roots):
        try:
            yield x509.load_pem_x509_certificate(pem)
        except _WRONG:
            continue


def _for_mail(_policy: Policy, _of: x509.Certificate, usage: x509.ExtendedKeyUsage | None) -> None:
    if usage is not None and not _FOR_MAIL & set(usage):
        raise ValueError("it is not for mail")


def _for_signing(_policy: Policy, _of: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not (usage.digital_signature or usage.content_commitment):
        raise ValueError("it is not for signing")

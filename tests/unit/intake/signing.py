"""Certificates and S/MIME signatures for the tests: by cryptography where it makes them, by hand where nobody honest would."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.unit.intake.letters import multipart, part

MOMENT = datetime(2026, 11, 1, tzinfo=UTC)
NOW = MOMENT + timedelta(days=10)
YEAR = timedelta(days=365)
SIGNED_DATA, DATA = bytes.fromhex("2a864886f70d010702"), bytes.fromhex("2a864886f70d010701")
DIGESTS = {"sha256": "608648016503040201", "sha512": "608648016503040203", "sha1": "2b0e03021a", "md5": "2a864886f70d0205"}
RSA, PSS, ECDSA, ED25519 = "2a864886f70d010101", "2a864886f70d01010a", "2a8648ce3d040302", "2b6570"
CAROL = "carol@acme.example"

Key = Any


@cache
def key(of: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Somebody's RSA key, the same each time."""
    assert of
    return rsa.generate_private_key(65537, bits)


def name(common: str, **more: str) -> x509.Name:
    """A name, with a mail address where one is given."""
    mail = [x509.NameAttribute(NameOID.EMAIL_ADDRESS, value) for value in more.values()]
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common), *mail])


def certificate(
    subject: x509.Name,
    public: Key,
    issuer: x509.Name,
    by: Key,
    *,
    addresses: Sequence[str] = (),
    authority: bool = False,
    usage: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.EMAIL_PROTECTION,
    serial: int = 7,
    lasts: timedelta = YEAR,
) -> x509.Certificate:
    """One that a public authority could have made."""
    made = x509.CertificateBuilder(issuer, subject, public, serial, MOMENT, MOMENT + lasts)
    made = made.add_extension(x509.BasicConstraints(authority, None), critical=True)
    made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    made = made.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    if authority:
        signs = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        made = made.add_extension(signs, critical=True)
    elif usage:
        made = made.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if addresses:
        made = made.add_extension(x509.SubjectAlternativeName([x509.RFC822Name(one) for one in addresses]), critical=False)
    return made.sign(by, None if isinstance(by, ed25519.Ed25519PrivateKey) else hashes.SHA256())


ROOT = certificate(name("Root"), key("root").public_key(), name("Root"), key("root"), authority=True)
MIDDLE = certificate(name("Middle"), key("middle").public_key(), name("Root"), key("root"), authority=True)
ROOTS = ROOT.public_bytes(Encoding.PEM)


def carols(**how: Any) -> x509.Certificate:
    """Carol's, by the authority in the middle."""
    given = {"addresses": [CAROL], "public": key("carol").public_key(), **how}
    return certificate(name("Carol"), issuer=name("Middle"), by=key("middle"), **given)


def self_signed(signer: Key = None, **how: Any) -> x509.Certificate:
    """One that says Carol and that anybody can make."""
    by = signer or key("carol")
    return certificate(name("Carol"), by.public_key(), name("Carol"), by, **{"addresses": [CAROL], **how})


CAROLS = carols()
ENTITY = b"Content-Type: text/plain; charset=utf-8\r\n\r\nIt is broken.\r\nCarol"


def enveloped(
    content: bytes = ENTITY, *options: pkcs7.PKCS7Options, certificate: x509.Certificate = CAROLS, signer: Key = None
) -> bytes:
    """As mail programs sign, with the certificate in the middle."""
    made = pkcs7.PKCS7SignatureBuilder().set_data(content)
    made = made.add_signer(certificate, signer or key("carol"), hashes.SHA256()).add_certificate(MIDDLE)
    return made.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary, *options])


def detached(content: bytes = ENTITY, **how: Any) -> bytes:
    """A signature that stands beside what it signs."""
    return enveloped(content, pkcs7.PKCS7Options.DetachedSignature, **how)


def beside(signature: bytes, content: bytes = ENTITY, *more: bytes, named: str = "smime.p7s", **fields: str) -> bytes:
    """A mail with a signature beside what it signs."""
    kind = f"application/pkcs7-signature; name={named}"
    told = part(base64.encodebytes(signature), kind, Content_Transfer_Encoding="base64")
    return multipart(content, told, *more, kind="signed; protocol=application/pkcs7-signature", **fields)


def der(tag: int, *inside: bytes) -> bytes:
    """One element of DER."""
    content = b"".join(inside)
    size = len(content)
    long = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag]) + (bytes([size]) if size < 128 else bytes([128 + len(long)]) + long) + content


def oid(value: bytes | str) -> bytes:
    """An OID."""
    return der(6, bytes.fromhex(value) if isinstance(value, str) else value)


def algorithm(value: str, *parameters: bytes) -> bytes:
    """An AlgorithmIdentifier."""
    return der(0x30, oid(value), *parameters)


def _by_rsa(signer: Key, covered: bytes, digest: str) -> bytes:
    known = {"sha256": hashes.SHA256(), "sha512": hashes.SHA512(), "sha1": hashes.SHA1(), "md5": hashes.MD5()}
    signature: bytes = signer.sign(covered, padding.PKCS1v15(), known[digest])
    return signature


@dataclass
class ByHand:
    """A signature made by hand: every part of it can be another than it should be."""

    content: bytes = ENTITY
    certificates: Sequence[bytes] = (CAROLS.public_bytes(Encoding.DER), MIDDLE.public_bytes(Encoding.DER))
    signer: Key = None
    digest: str = "sha256"
    way: bytes = algorithm(RSA, b"\x05\0")
    attributes: bool = True
    key_identifier: bytes = b""
    said: bytes | None = None
    kind: bytes = DATA
    sign: Callable[[Key, bytes, str], bytes] = field(default=_by_rsa)
    opaque: bool = False
    issuer: str = "Middle"

    def made(self) -> bytes:
        """The bytes of it."""
        digest = hashlib.new(self.digest, self.content).digest() if self.said is None else self.said
        kind = der(0x30, oid("2a864886f70d010903"), der(0x31, oid(self.kind)))
        values = [kind, der(0x30, oid("2a864886f70d010904"), der(0x31, der(4, digest)))]
        covered = der(0x31, *values) if self.attributes else self.content
        issued = der(0x30, name(self.issuer).public_bytes(), b"\x02\x01\x07")
        info = der(
            0x30,
            b"\x02\x01\x01",
            der(0x80, self.key_identifier) if self.key_identifier else issued,
            algorithm(DIGESTS[self.digest]),
            der(0xA0, *values) if self.attributes else b"",
            self.way,
            der(4, self.sign(self.signer or key("carol"), covered, self.digest)),
        )
        inside = der(0x30, oid(DATA), der(0xA0, der(4, self.content)) if self.opaque else b"")
        certificates = der(0xA0, *self.certificates) if self.certificates else b""
        data = der(0x30, b"\x02\x01\x01", der(0x31, algorithm(DIGESTS[self.digest])), inside, certificates, der(0x31, info))
        return der(0x30, oid(SIGNED_DATA), der(0xA0, data))


def by_pss(signer: Key, covered: bytes, digest: str) -> bytes:
    """RSASSA-PSS with SHA-256 throughout."""
    assert digest == "sha256"
    signature: bytes = signer.sign(covered, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    return signature


def by_curve(signer: ec.EllipticCurvePrivateKey, covered: bytes, digest: str) -> bytes:
    """ECDSA with SHA-256."""
    assert digest == "sha256"
    return signer.sign(covered, ec.ECDSA(hashes.SHA256()))


def by_ed25519(signer: ed25519.Ed25519PrivateKey, covered: bytes, digest: str) -> bytes:
    """RFC 8419."""
    assert digest == "sha512"
    return signer.sign(covered)

"""A certificate chain and its private key: read, or made here.

A pair that can't be served is Refused, with the file and what mends it; judging.py tells of one that browsers won't like.
"""

import ipaddress
import pwd
import re
import ssl
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BAD_PAIR, UNREADABLE = 64, 66
LIFE = timedelta(days=365)
_KEY = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)


class Refused(Exception):
    """This pair can't be served. `code` is the exit code of a container that has no other."""

    def __init__(self, message: str, code: int = BAD_PAIR) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Pair:
    """A certificate with those that vouch for it, the private key as PEM, and where they came from."""

    cert_path: Path
    key_path: Path
    certificates: tuple[x509.Certificate, ...]
    key: bytes

    @property
    def leaf(self) -> x509.Certificate:
        return self.certificates[0]

    @property
    def chain(self) -> bytes:
        """As PEM, with nothing else that may have stood in the file."""
        return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in self.certificates)


def read(cert_path: Path, key_path: Path) -> Pair:
    """Raises Refused where a file can't be read, isn't what it should be, or the two don't belong together.

    Both may lie in one file.
    """
    certificates = _certificates(cert_path)
    pem, key = _key(key_path)
    if key.public_key() != certificates[0].public_key():
        if any(key.public_key() == each.public_key() for each in certificates):
            raise Refused(f"{cert_path} does not begin with the desk's own certificate. Put it first, then who signed it.")
        raise Refused(f"{key_path} is not the key of {cert_path}. Replace one, so that the two belong together.")
    pair = Pair(cert_path, key_path, certificates, pem)
    _as_openssl_sees_it(pair)
    return pair


def _certificates(path: Path) -> tuple[x509.Certificate, ...]:
    try:
        found = tuple(x509.load_pem_x509_certificates(_bytes(path)))
        for each in found:
            each.public_key()
    except ValueError:
        raise Refused(f"{path} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----). Replace it.") from None
    return found


def _key(path: Path) -> tuple[bytes, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey]:
    block = _KEY.search(_bytes(path))
    pem = block[0] + b"\n" if block else b""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError:
        raise Refused(f"{path} is protected by a passphrase. Take it off: openssl pkey -in OLD -out NEW") from None
    except ValueError:
        raise Refused(f"{path} holds no private key in PEM form (-----BEGIN PRIVATE KEY-----). Replace it.") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise Refused(f"{path} is neither an RSA nor an elliptic-curve key; browsers take no other. Replace the pair.")
    return pem, key


def covers(names: Iterable[str], host: str) -> bool:
    """Whether a certificate with these names is good for this host. A star stands for exactly one label (RFC 6125, 6.4.3)."""
    host = host.lower()
    star = "*." + host.partition(".")[2]
    return any(name.lower() in (host, star) for name in names)


def make_self_signed(names: list[str], now: datetime) -> tuple[bytes, bytes]:
    """A certificate and key (PEM) of our own, P-256, for these names; valid for a year."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    cert = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # for a browser whose clock is a little late
        .not_valid_after(now + LIFE)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return cert.public_bytes(pem), secret


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as wrong:
        raise Refused(_advice(path, wrong), UNREADABLE) from None


def _advice(path: Path, wrong: OSError) -> str:
    """Root without DAC_OVERRIDE is bound by file modes, so whose the file is decides."""
    if isinstance(wrong, FileNotFoundError):
        return f"{path} is not there. Put it there, or name it with TLS_CERT and TLS_KEY, or set ATUM_TLS=self-signed."
    try:
        found = path.stat()
    except OSError:
        return f"{path} can't be read: {wrong.strerror}. Run on the machine where it lies: chmod go+x {path.parent}"
    return (
        f"{path} can't be read: {wrong.strerror}; it belongs to {_user(found.st_uid)}:{found.st_gid}, mode "
        f"{stat.S_IMODE(found.st_mode):04o}. Run on the machine where it lies: chown 0:0 {path} && chmod 0600 {path}"
    )


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _as_openssl_sees_it(pair: Pair) -> None:
    """nginx's own library has the last word, on keys that are too short for instance."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(pair.cert_path, pair.key_path)
    except ssl.SSLError as wrong:
        raise Refused(f"{pair.cert_path}: OpenSSL refuses it ({wrong.reason or wrong}). Replace the pair.") from None


def names_of(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress)))


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)

"""The certificate that nginx shows: made here (`self-signed`) or brought (`files`), checked, and installed for nginx to read.

A pair that can't be served is never installed: what was there stays, and the reason is told with the file and what mends it.
nginx gets copies in RUN_DIR/tls because only root may read the originals.
"""

import grp
import ipaddress
import json
import os
import pwd
import socket
import ssl
import stat
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from app.config import Settings, load
from app.core import clock

BAD_PAIR, UNREADABLE = 64, 66
LIFE, RENEW_BEFORE, WARN_BEFORE = timedelta(days=365), timedelta(days=30), timedelta(days=14)


class Refused(Exception):
    """This pair can't be served. `code` is the exit code of a container that has no other."""

    def __init__(self, message: str, code: int = BAD_PAIR) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class State:
    """What RUN_DIR/tls.json says. `problem` is for people: what is wrong, and what to do."""

    mode: str
    not_after: str | None = None  # ISO 8601
    names: tuple[str, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class Pair:
    """A certificate chain and its private key as PEM, and where they came from."""

    cert_path: Path
    key_path: Path
    chain: bytes
    key: bytes

    @property
    def leaf(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.chain)


def install(settings: Settings, now: datetime) -> State:
    """Bring the pair in force to where nginx reads it, and write tls.json. Raises Refused, with nothing changed but tls.json."""
    try:
        state = _install(settings, now)
    except Refused as bad:
        _note(settings, _kept_state(settings, str(bad)))
        raise
    _note(settings, state)
    return state


def sources(settings: Settings) -> tuple[Path, Path]:
    """Where the pair in force lies: certificate, key."""
    folder = settings.data_dir / "tls"
    if settings.atum_tls == "files":
        return settings.tls_cert or folder / "tls.crt", settings.tls_key or folder / "tls.key"
    return folder / "self-signed.crt", folder / "self-signed.key"


def names_for(settings: Settings) -> list[str]:
    """What a certificate of our own is good for: the public name, and every name the container has for itself."""
    return list(dict.fromkeys([settings.host, "localhost", "127.0.0.1", "::1", socket.gethostname()]))


def read(cert_path: Path, key_path: Path) -> Pair:
    """Raises Refused where a file can't be read, isn't what it should be, or the two don't belong together."""
    pair = Pair(cert_path, key_path, _bytes(cert_path), _bytes(key_path))
    try:
        public = pair.leaf.public_key()
    except ValueError:
        raise Refused(f"{cert_path} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----). Replace it.") from None
    try:
        key = serialization.load_pem_private_key(pair.key, password=None)
    except TypeError:
        raise Refused(f"{key_path} is protected by a passphrase. Take it off: openssl pkey -in OLD -out NEW") from None
    except ValueError:
        raise Refused(f"{key_path} holds no private key in PEM form (-----BEGIN PRIVATE KEY-----). Replace it.") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise Refused(f"{key_path} is neither an RSA nor an elliptic-curve key; browsers take no other. Replace the pair.")
    if key.public_key() != public:
        raise Refused(f"{key_path} is not the key of {cert_path}. Replace one, so that the two belong together.")
    _as_openssl_sees_it(pair)
    return pair


def problem_of(pair: Pair, host: str, now: datetime) -> str | None:
    """What is wrong with a pair that can be served all the same; None for nothing."""
    leaf = pair.leaf
    if leaf.not_valid_after_utc <= now:
        return f"{pair.cert_path} expired on {leaf.not_valid_after_utc:%Y-%m-%d}; browsers refuse it. Renew it."
    if leaf.not_valid_before_utc > now:
        return f"{pair.cert_path} is valid only from {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC. Is the clock right?"
    if not covers(_names(leaf), host):
        return f"{pair.cert_path} is for {', '.join(_names(leaf)) or 'no name at all'}, not for {host} (ATUM_URL)."
    if leaf.not_valid_after_utc <= now + WARN_BEFORE:
        return f"{pair.cert_path} expires on {leaf.not_valid_after_utc:%Y-%m-%d}. Renew it."
    return None


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


def group_id(name: str) -> int:
    return grp.getgrnam(name).gr_gid


def _install(settings: Settings, now: datetime) -> State:
    if settings.atum_tls == "off":
        return State("off")
    cert_path, key_path = sources(settings)
    if settings.atum_tls == "self-signed":
        _renew_self_signed(settings, cert_path, key_path, now)
    pair = read(cert_path, key_path)
    folder = settings.run_dir / "tls"
    _put(folder / "tls.key", pair.key, 0o640, group="nginx")
    _put(folder / "tls.crt", pair.chain, 0o644, group="nginx")
    return _state(settings, pair.leaf, problem_of(pair, settings.host, now))


def _renew_self_signed(settings: Settings, cert_path: Path, key_path: Path, now: datetime) -> None:
    """Make one where there is none for this host that lives another month. The container's own changing name is no reason to."""
    try:
        leaf = read(cert_path, key_path).leaf
    except Refused:
        good = False
    else:
        good = leaf.not_valid_after_utc > now + RENEW_BEFORE and covers(_names(leaf), settings.host)
    if not good:
        chain, key = make_self_signed(names_for(settings), now)
        try:
            _put(key_path, key, 0o600)
            _put(cert_path, chain, 0o600)
        except OSError as wrong:
            raise Refused(f"{key_path} can't be written: {wrong.strerror}", UNREADABLE) from None


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


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
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


def _put(path: Path, content: bytes, mode: int, *, group: str | None = None) -> None:
    """Whole or not at all, and untouched where nothing changed: a new file is what tells that nginx has to reload."""
    if path.exists() and path.read_bytes() == content:
        return
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        os.fchmod(descriptor, mode)
        if group:
            os.fchown(descriptor, -1, group_id(group))
    new.replace(path)


def _state(settings: Settings, leaf: x509.Certificate, problem: str | None) -> State:
    return State(settings.atum_tls, leaf.not_valid_after_utc.isoformat(), _names(leaf), problem)


def _kept_state(settings: Settings, problem: str) -> State:
    """What is still shown while the new pair is refused."""
    installed = settings.run_dir / "tls" / "tls.crt"
    if not installed.exists():
        return State(settings.atum_tls, problem=problem)
    return _state(settings, x509.load_pem_x509_certificate(installed.read_bytes()), problem)


def _note(settings: Settings, state: State) -> None:
    _put(settings.run_dir / "tls.json", json.dumps(asdict(state)).encode(), 0o644)


def main() -> int:
    """Install, and say what is wrong. Answers the exit code: 64 to replace the pair, 66 to make it readable."""
    try:
        state = install(load(), clock.now())
    except Refused as bad:
        print(f"CRITICAL: {bad}", file=sys.stderr)
        return bad.code
    if state.problem:
        print(f"ERROR: {state.problem}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

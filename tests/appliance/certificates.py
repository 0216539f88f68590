"""Certificates that are right or wrong in one way, and authorities that sign them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM
_SIGNS = x509.KeyUsage(
    digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
    key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
)  # fmt: skip


@dataclass(frozen=True)
class Authority:
    """Signs certificates. Without a parent it signed its own."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    parent: "Authority | None" = None

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(PEM)

    def authority(self, name: str, *, days: int = 365) -> "Authority":
        """One below this."""
        key = ec.generate_private_key(ec.SECP256R1())
        return Authority(_signed(name, key, self, days, ca=True), key, self)

    def issue(
        self, folder: Path, name: str = "localhost", *, days: int = 90, chain: tuple["Authority", ...] | None = None
    ) -> Path:
        """A pair, tls.crt and tls.key, with everybody between it and the root, or with these; where its certificate is."""
        key = ec.generate_private_key(ec.SECP256R1())
        between = self._between() if chain is None else chain
        pem = _signed(name, key, self, days).public_bytes(PEM) + b"".join(each.pem for each in between)
        return _written(folder, pem, key)[0]

    def _between(self) -> tuple["Authority", ...]:
        return (self, *self.parent._between()) if self.parent else ()


def root(name: str = "A root of our own") -> Authority:
    """An authority that nobody knows."""
    key = ec.generate_private_key(ec.SECP256R1())
    return Authority(_signed(name, key, None, 3650, ca=True), key)


def make(folder: Path, *, days: int = 30, name: str = "localhost") -> tuple[Path, Path]:
    """A self-signed pair, tls.crt and tls.key, that expires in `days` (or did, where that is negative)."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _written(folder, _signed(name, key, None, days).public_bytes(PEM), key)


def _signed(name: str, key: ec.EllipticCurvePrivateKey, by: Authority | None, days: int, *, ca: bool = False) -> x509.Certificate:
    now, subject = datetime.now(UTC), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=100))
        .not_valid_after(now + timedelta(days=days))
    )
    signer = (by.key if by else key).public_key()
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(_SIGNS, critical=True)
    else:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return builder.sign(by.key if by else key, hashes.SHA256())


def _written(folder: Path, chain: bytes, key: ec.EllipticCurvePrivateKey) -> tuple[Path, Path]:
    folder.mkdir(exist_ok=True)
    paths = folder / "tls.crt", folder / "tls.key"
    paths[0].write_bytes(chain)
    paths[1].write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    paths[1].chmod(0o600)
    return paths

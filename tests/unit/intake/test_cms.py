"""S/MIME and OpenPGP: never a reason to fail, opened where that takes no key."""

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from hypothesis import given, settings
from hypothesis import strategies as st

from app.intake.rules import body, cms, read
from app.intake.rules.mail import Found, Mail
from tests.unit.intake.letters import mail, multipart, part

INNER = (
    b'Content-Type: multipart/mixed; boundary="i"\r\n\r\n--i\r\n\r\nSigned words.\r\n'
    b"--i\r\nContent-Type: application/pdf\r\n\r\npdf\r\n--i--\r\n"
)
KEY = rsa.generate_private_key(65537, 2048)
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Carol")])
MOMENT = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
CERTIFICATE = (
    x509.CertificateBuilder(NAME, NAME, KEY.public_key(), 1, MOMENT, MOMENT + datetime.timedelta(days=365))
    .sign(KEY, hashes.SHA256())
)  # fmt: skip


def signed(content: bytes, *options: pkcs7.PKCS7Options) -> bytes:
    signer = pkcs7.PKCS7SignatureBuilder().set_data(content).add_signer(CERTIFICATE, KEY, hashes.SHA256())
    return signer.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary, *options])


def element(tag: int, *inside: bytes) -> bytes:
    """With its length left open, as a program writes it that doesn't know it yet."""
    return bytes([tag, 0x80]) + b"".join(inside) + b"\0\0"


def sealed(content: bytes, **fields: str) -> tuple[Mail, list[Found]]:
    found, files = read.mail(mail(content, Content_Type="application/pkcs7-mime; name=smime.p7m", **fields))
    return found, list(files)


def test_an_opaque_signed_mail_is_read_and_kept() -> None:
    envelope = signed(INNER)
    found, files = sealed(envelope)
    assert found.text == "Signed words."
    assert [(f.name, f.content) for f in files] == [("application.pdf", b"pdf"), ("smime.p7m", envelope)]


def test_a_signed_stream_of_open_lengths_is_read() -> None:
    pieces = element(0x24, b"\x04\x05Conte", b"\x04\x05nt-Ty", b"\x04\x0cpe: text/pla", b"\x04\x0bin\r\n\r\nHello")
    data = element(0x30, bytes.fromhex("06092a864886f70d010701"), element(0xA0, pieces))
    content = element(0x30, b"\x02\x01\x01", b"\x31\x00", data)
    envelope = element(0x30, bytes.fromhex("06092a864886f70d010702"), element(0xA0, content))
    assert cms.signed(envelope) == b"Content-Type: text/plain\r\n\r\nHello"


def test_an_encrypted_mail_says_that_there_is_no_key_and_is_kept() -> None:
    builder = pkcs7.PKCS7EnvelopeBuilder().set_data(INNER).add_recipient(CERTIFICATE)
    envelope = builder.encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary])
    found, files = sealed(envelope)
    assert found.text == body.ENCRYPTED
    assert [f.content for f in files] == [envelope]


def test_an_encrypted_openpgp_mail_says_that_there_is_no_key_and_is_kept() -> None:
    message = "-----BEGIN PGP MESSAGE-----\r\n\r\nabc\r\n-----END PGP MESSAGE-----\r\n"
    version, secret = (
        part("Version: 1", "application/pgp-encrypted"),
        part(message, "application/octet-stream; name=encrypted.asc"),
    )
    found, files = read.mail(multipart(version, secret, kind="encrypted; protocol=application/pgp-encrypted"))
    assert found.text == body.ENCRYPTED
    assert ("encrypted.asc", message.encode()) in [(f.name, f.content) for f in files]


@pytest.mark.parametrize("kind", ["application/pgp-signature", "application/pkcs7-signature"])
def test_a_signed_mail_keeps_its_text_and_its_signature(kind: str) -> None:
    found, files = read.mail(multipart(part("Words."), part("signature", kind), kind="signed"))
    assert found.text == "Words."
    assert [f.content for f in files] == [b"signature"]


def test_a_signature_alone_is_a_file() -> None:
    found, files = sealed(signed(INNER, pkcs7.PKCS7Options.DetachedSignature))
    assert found.text == ""
    assert [f.name for f in files] == ["smime.p7m"]


def test_a_thousand_envelopes_in_one_another_are_opened_twice_and_kept() -> None:
    content = mail("innermost")
    for _ in range(1000):
        data = b"".join((bytes.fromhex("308006092a864886f70d010701a080"), octets(content), b"\0\0\0\0"))
        head = bytes.fromhex("308006092a864886f70d010702a08030800201013100")
        content = b"Content-Type: application/pkcs7-mime\r\n\r\n" + head + data + b"\0\0" * 3
    found, files = read.mail(content)
    assert found.text == ""
    assert len(files) == 1 + body.MOST_WRAPS


def octets(content: bytes) -> bytes:
    return b"\x04\x84" + len(content).to_bytes(4, "big") + content


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 200))
def test_damage_never_makes_it_raise(junk: bytes, at: int) -> None:
    for raw in (junk, ENVELOPE[:at] + junk, ENVELOPE[:at] + junk + ENVELOPE[at:], b"\x30\x80" * at):
        cms.signed(raw)
        cms.is_encrypted(raw)


ENVELOPE = signed(INNER)

"""Whether an S/MIME signature fits, whose it is and who vouches for them; and that nothing hostile in one does harm."""

import os
import shutil
import subprocess
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from app.intake.rules import body, read, smime
from app.intake.rules.seal import ENCRYPTED, UNCHECKED, Seal, SealState
from scripts.load.scores import CORPUS
from tests.unit.intake import signing
from tests.unit.intake.letters import mail, multipart, part
from tests.unit.intake.signing import CAROL, CAROLS, ENTITY, NOW, ROOTS, ByHand, beside, carols, der, detached, enveloped, key

GOOD = Seal(intact=True, addresses=(CAROL,), name="Carol", known=True)


def checked(raw: bytes, *, now: Any = NOW, roots: bytes = ROOTS) -> Seal:
    found, _ = read.mail(raw)
    assert found.seal == UNCHECKED
    seal = smime.checked(raw, now=now, roots=roots)
    assert seal is not None
    return seal


def opaque(envelope: bytes, **fields: str) -> bytes:
    return mail(envelope, Content_Type="application/pkcs7-mime; smime-type=signed-data; name=smime.p7m", **fields)


class TestOfAWholeMail:
    @pytest.mark.parametrize("raw", [beside(detached()), opaque(enveloped())], ids=["beside", "in one piece"])
    def test_one_by_the_sender_with_a_known_authority_is_good(self, raw: bytes) -> None:
        seal = checked(raw)
        assert seal == GOOD
        assert seal.told(CAROL) == (SealState.GOOD, "Signed by carol@acme.example, intact.")

    def test_the_exact_bytes_count(self) -> None:
        """Space at the ends of lines, tabs, a header of its own and 8-bit letters: nothing is put right."""
        odd = (
            b"X-Odd:\tone\r\n two\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdfe \t \r\n\r\n--limits\r\n\r\n"
        )
        assert checked(beside(detached(odd), odd)) == GOOD
        assert not checked(beside(detached(odd), odd.replace(b"\t ", b"\t"))).intact

    def test_one_whose_line_breaks_were_cut_on_the_way_still_fits(self) -> None:
        raw = beside(detached()).replace(b"\r\n", b"\n")
        assert checked(raw) == GOOD

    @pytest.mark.parametrize(
        "raw",
        [
            beside(detached(), ENTITY.replace(b"broken", b"brokem")),
            beside(detached(), ENTITY + b"\r\n"),
            beside(detached(), ENTITY.replace(b"utf-8", b"utf-7")),
            opaque(enveloped().replace(b"broken", b"brokem")),
            beside(ByHand(said=b"\0" * 32).made()),
            beside(ByHand(kind=signing.SIGNED_DATA).made()),
            beside(ByHand(sign=lambda *_: b"\0" * 256).made()),
            beside(ByHand(sign=lambda *_: b"").made()),
            beside(ByHand(signer=key("eve")).made()),
        ],
    )
    def test_what_was_changed_or_made_up_does_not_fit(self, raw: bytes) -> None:
        seal = checked(raw)
        assert seal.told(CAROL) == (SealState.BROKEN, "The signature doesn't fit: the mail was changed on its way.")

    def test_one_by_another_address_than_the_sender_s_says_so(self) -> None:
        seal = checked(beside(detached(), sender="Carol <eve@evil.example>"))
        assert seal == GOOD
        assert seal.told("eve@evil.example") == (
            SealState.DOUBTFUL,
            "Signed, but by another address than the sender's: carol@acme.example.",
        )

    def test_any_of_a_certificate_s_addresses_may_be_the_sender_s(self) -> None:
        seal = checked(beside(detached(certificate=carols(addresses=["old@acme.example", "Carol@ACME.example"]))))
        assert seal.addresses == ("old@acme.example", CAROL)
        assert seal.told(CAROL) == GOOD.told(CAROL)
        assert "the sender's: old@acme.example" in seal.told("eve@evil.example")[1]

    def test_a_certificate_without_an_address_is_named(self) -> None:
        seal = checked(beside(detached(certificate=carols(addresses=[]))))
        assert (
            seal.told(CAROL)[1] == "Signed, but by another address than the sender's: “Carol”, a certificate without an address."
        )

    def test_the_address_of_a_subject_counts_where_there_is_no_other(self) -> None:
        subject = signing.name("Carol", mail=CAROL)
        theirs = signing.certificate(subject, key("carol").public_key(), signing.name("Middle"), key("middle"))
        assert checked(beside(detached(certificate=theirs))) == GOOD
        other = signing.certificate(
            subject, key("carol").public_key(), signing.name("Middle"), key("middle"), addresses=["eve@evil.example"]
        )
        assert checked(beside(detached(certificate=other))).addresses == ("eve@evil.example",)


class TestWhoVouches:
    def test_a_certificate_that_anybody_can_make_is_told_apart(self) -> None:
        seal = checked(beside(detached(certificate=signing.self_signed())))
        assert (seal.intact, seal.known, seal.told(CAROL)[0]) == (True, False, SealState.DOUBTFUL)
        assert seal.told(CAROL)[1] == (
            "Signed by carol@acme.example, intact; but the certificate is not by an authority we know, and anybody can make one."
        )

    def test_where_no_authority_is_known_none_vouches(self) -> None:
        for roots in (b"", b"nonsense", ROOTS.replace(b"MII", b"XXX")):
            assert not checked(beside(detached()), roots=roots).known

    def test_one_nonsense_among_the_authorities_does_not_hide_the_others(self) -> None:
        nonsense = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        assert checked(beside(detached()), roots=nonsense + ROOTS) == GOOD

    @pytest.mark.parametrize("usage", [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CODE_SIGNING])
    def test_a_certificate_of_a_web_server_is_none_for_mail(self, usage: x509.ObjectIdentifier) -> None:
        assert not checked(beside(detached(certificate=carols(usage=usage)))).known

    def test_who_is_no_authority_vouches_for_nobody(self) -> None:
        """Carol's own key signs a certificate for somebody else."""
        forged = signing.certificate(
            signing.name("Bob"), key("bob").public_key(), signing.name("Carol"), key("carol"), addresses=[CAROL]
        )
        hand = pkcs7.PKCS7SignatureBuilder().set_data(ENTITY).add_signer(forged, key("bob"), hashes.SHA256())
        made = hand.add_certificate(CAROLS).add_certificate(signing.MIDDLE)
        raw = made.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.DetachedSignature])
        assert checked(beside(raw)).intact
        assert not checked(beside(raw)).known

    def test_one_that_ran_out_is_known_and_says_when(self) -> None:
        seal = checked(beside(detached(certificate=carols(lasts=timedelta(days=5)))))
        assert (seal.known, seal.ran_out, seal.told(CAROL)[0]) == (True, "2026-11-06", SealState.DOUBTFUL)
        assert seal.told(CAROL)[1] == "Signed by carol@acme.example, intact; but the certificate ran out on 2026-11-06."

    def test_one_that_is_not_valid_yet_is_not_known(self) -> None:
        assert not checked(beside(detached()), now=signing.MOMENT - timedelta(days=1)).known


class TestWays:
    def test_by_elliptic_curves(self) -> None:
        theirs = ec.generate_private_key(ec.SECP384R1())
        raw = beside(detached(certificate=carols(public=theirs.public_key()), signer=theirs))
        assert checked(raw) == GOOD

    def test_by_ed25519(self) -> None:
        theirs = ed25519.Ed25519PrivateKey.generate()
        own = carols(public=theirs.public_key()).public_bytes(Encoding.DER)
        middle = signing.MIDDLE.public_bytes(Encoding.DER)
        way = signing.algorithm(signing.ED25519)
        made = ByHand(certificates=[own, middle], signer=theirs, digest="sha512", way=way, sign=signing.by_ed25519).made()
        assert checked(beside(made)).intact

    def test_by_pss(self) -> None:
        digest = signing.algorithm(signing.DIGESTS["sha256"])
        mask = signing.algorithm("2a864886f70d010108", digest)
        way = signing.algorithm(signing.PSS, der(0x30, der(0xA0, digest), der(0xA1, mask), der(0xA2, b"\x02\x01\x20")))
        assert checked(beside(ByHand(way=way, sign=signing.by_pss).made())) == GOOD

    def test_the_content_itself_and_the_signer_by_the_key_s_identifier(self) -> None:
        identifier = CAROLS.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        assert checked(beside(ByHand(attributes=False, key_identifier=identifier).made())) == GOOD
        assert "not in the mail" in checked(beside(ByHand(key_identifier=b"other").made())).told(CAROL)[1]

    def test_what_was_signed_as_attributes_is_no_text(self) -> None:
        """Or the attributes of one signed mail would be the content of another (RFC 5652 section 5.4)."""
        attributes = der(0x31, der(0x30, signing.oid(signing.DATA), der(0x31, b"\x05\0")))
        assert not checked(opaque(ByHand(attributes, attributes=False, opaque=True).made())).intact

    @pytest.mark.parametrize(("digest", "named"), [("sha1", "SHA-1"), ("md5", "MD5")])
    def test_what_can_be_forged_is_named_and_vouched_for_by_nobody(self, digest: str, named: str) -> None:
        seal = checked(beside(ByHand(digest=digest).made()))
        assert (seal.intact, seal.known, seal.weak, seal.told(CAROL)[0]) == (True, False, named, SealState.DOUBTFUL)
        assert f"but it is made in a way that can be forged ({named})" in seal.told(CAROL)[1]

    def test_so_is_a_short_key(self) -> None:
        short = key("short", 1024)
        seal = checked(beside(detached(certificate=carols(public=short.public_key()), signer=short)))
        assert (seal.intact, seal.known, seal.weak) == (True, False, "a key of 1024 bits")

    def test_a_way_that_is_not_known_is_no_reason_to_call_it_changed(self) -> None:
        for way in (signing.algorithm("2a0304"), signing.algorithm(signing.ECDSA), signing.algorithm(signing.ED25519)):
            seal = checked(beside(ByHand(way=way).made()))
            assert (seal.told(CAROL)[0], seal.trouble) == (SealState.UNKNOWN, "it is made in a way that is not known here")

    def test_one_without_the_signer_s_certificate_can_t_be_checked(self) -> None:
        made = ByHand(certificates=[]).made()
        assert checked(beside(made)).told(CAROL)[1] == (
            "Signed, but that could not be checked: the signer's certificate is not in the mail."
        )


class TestWhatIsCovered:
    """Nothing that is shown beside what is signed may look signed."""

    @pytest.mark.parametrize(
        "raw",
        [
            multipart(part("Pay Eve."), opaque(enveloped()).partition(b"Message-ID: <1@acme.example>\r\n")[2]),
            beside(detached(), ENTITY, part("Pay Eve.")),
            multipart(
                part("Pay Eve."), beside(detached()).partition(b"Message-ID: <1@acme.example>\r\n")[2].replace(b"limit", b"inner")
            ),
        ],
        ids=["beside a piece", "a third part", "within another"],
    )
    def test_a_signed_part_does_not_speak_for_the_rest(self, raw: bytes) -> None:
        seal = checked(raw)
        assert "Pay Eve." in read.mail(raw)[0].text
        assert (seal.intact, seal.whole, seal.told(CAROL)[0]) == (True, False, SealState.DOUBTFUL)
        assert "but only a part of what is shown is signed" in seal.told(CAROL)[1]

    @pytest.mark.parametrize("named", ["smime.p7m", "winmail.dat"])
    def test_a_signature_that_is_read_as_something_else_is_none(self, named: str) -> None:
        """It could bring a text of its own."""
        raw = beside(enveloped(), named=named)
        found = read.mail(raw)[0].seal
        assert found is None or not checked(raw).whole

    def test_a_mail_within_the_mail_is_its_own_matter(self) -> None:
        raw = multipart(part("See this."), part(beside(detached()).replace(b"limit", b"inner"), "message/rfc822"))
        assert read.mail(raw)[0].seal is None

    def test_what_is_encrypted_is_said_to_be(self) -> None:
        envelope = pkcs7.PKCS7EnvelopeBuilder().set_data(ENTITY).add_recipient(CAROLS)
        raw = mail(envelope.encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary]), Content_Type="application/pkcs7-mime")
        openpgp = multipart(
            part("Version: 1", "application/pgp-encrypted"), part("x", "application/octet-stream"), kind="encrypted"
        )
        for each in (raw, openpgp):
            found, files = read.mail(each)
            assert (found.seal, found.text) == (ENCRYPTED, body.ENCRYPTED)
            assert files
        assert ENCRYPTED.told(CAROL) == (SealState.ENCRYPTED, "Encrypted, and the desk has no key.")

    def test_certificates_alone_are_no_signature(self) -> None:
        only = pkcs7.serialize_certificates([CAROLS], Encoding.DER)
        raw = opaque(only)
        assert smime.checked(raw, now=NOW, roots=ROOTS) is None
        assert "there is no signature in it" in checked(beside(only)).told(CAROL)[1]

    def test_an_ordinary_mail_has_none(self) -> None:
        for raw in (mail(), multipart(part("a"), part("b", "application/pgp-keys"), kind="signed")):
            assert read.mail(raw)[0].seal is None
            assert smime.checked(raw, now=NOW, roots=ROOTS) is None


def with_key(modulus: int, exponent: int) -> list[bytes]:
    """Carol's certificate with another RSA key in it; that its own signature does not fit any more is nobody's first question."""
    plain, own = CAROLS.public_bytes(Encoding.DER), key("carol").public_key()
    real = own.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    numbers = (der(2, n.to_bytes(n.bit_length() // 8 + 1)) for n in (modulus, exponent))
    other = der(0x30, signing.algorithm(signing.RSA, b"\x05\0"), der(3, b"\0", der(0x30, *numbers)))
    before, _, after = plain.partition(real)
    end = after.rindex(signing.algorithm("2a864886f70d01010b", b"\x05\0"))
    return [der(0x30, der(0x30, before[8:], other, after[:end]), after[end:])]


def ring() -> list[bytes]:
    """Authorities that could each have made all the others: very many ways, and none ends at one we know."""
    curve, called = ec.generate_private_key(ec.SECP521R1()), signing.name("Ring")
    same = (signing.certificate(called, curve.public_key(), called, curve, authority=True, serial=n) for n in range(8, 27))
    own = signing.certificate(signing.name("Carol"), key("carol").public_key(), called, curve, addresses=[CAROL])
    return [one.public_bytes(Encoding.DER) for one in (own, *same)]


def odd(bits: int) -> int:
    return (1 << bits) - 1


WAYS: dict[str, tuple[dict[str, Any], str]] = {
    "a key of one bit": ({"certificates": with_key(1, 1)}, "damaged"),
    "a key of nothing": ({"certificates": with_key(0, 0)}, "damaged"),
    "an even key": ({"certificates": with_key(1 << 2047, 65537)}, "doesn't fit"),
    "a key of 512 bits": ({"certificates": with_key(odd(512), 3)}, "its key has 512 bits"),
    "a key of 400,000 bits": ({"certificates": with_key(odd(400_000), 65537)}, "its key has 400000 bits"),
    "a key of a million bits": ({"certificates": with_key(odd(1_000_000), 65537)}, "certificate is not in the mail"),
    "a key of 8,192 bits with a long exponent": (
        {"certificates": with_key(odd(8192), odd(8191)), "sign": lambda *_: b"\x01" * 1024},
        "doesn't fit",
    ),
    "a certificate of half a megabyte": ({"certificates": [der(0x30, b"\x05\0" * 250_000)]}, "certificate is not in the mail"),
    "10,000 certificates": ({"certificates": [der(0x30)] * 10_000}, "certificate is not in the mail"),
    "certificates that vouch for each other": ({"certificates": ring(), "issuer": "Ring"}, "not by an authority we know"),
    "certificates of nonsense": ({"certificates": [der(0x30, b"\xff" * 1000)] * 20}, "certificate is not in the mail"),
}
DETACHED, ENVELOPE = detached(), enveloped()
DAMAGED: dict[str, bytes] = {
    "nothing": b"",
    "half of one": ENVELOPE[:700],
    "all but its end": ENVELOPE[:-1],
    "10,000 nested layers": b"\x30\x80" * 10_000,
    "10,000 nested layers with an end": b"\x30\x80" * 10_000 + b"\0\0" * 10_000,
    "very many elements": der(0x30, signing.oid(signing.SIGNED_DATA), der(0xA0, der(0x30, b"\x02\0" * 450_000))),
    "very many elements in open lengths": b"\x30\x80" * 18 + b"\x02\0" * 400_000 + b"\0\0" * 18,
}


class TestHostile:
    @pytest.mark.parametrize("which", WAYS)
    def test_no_key_and_no_certificate_makes_it_raise_or_take_long(self, which: str) -> None:
        made, wanted = WAYS[which]
        for raw in (beside(ByHand(**made).made()), opaque(ByHand(opaque=True, **made).made())):
            began = time.process_time()
            assert wanted in checked(raw).told(CAROL)[1]
            assert time.process_time() - began < 2

    @pytest.mark.parametrize("which", DAMAGED)
    def test_nor_does_damage(self, which: str) -> None:
        for raw in (beside(DAMAGED[which]), opaque(DAMAGED[which])):
            began = time.process_time()
            assert checked(raw).trouble == "it is damaged, or of a kind that is not known here"
            assert time.process_time() - began < 2

    def test_what_is_too_large_is_not_looked_at(self) -> None:
        assert checked(beside(b"x" * (smime.MOST_SIGNATURE + 1))).trouble == "it is too large"

    @settings(deadline=None, max_examples=300)
    @given(st.binary(max_size=40), st.integers(0, 3_000), st.integers(0, 40))
    def test_damage_never_makes_it_raise(self, junk: bytes, at: int, skip: int) -> None:
        whole = DETACHED
        for envelope in (whole[:at] + junk, whole[:at] + junk + whole[at + skip :]):
            smime.checked(beside(envelope), now=NOW, roots=ROOTS)
            smime.checked(opaque(envelope), now=NOW, roots=ROOTS)

    def test_a_thousand_signed_parts_are_looked_at_once(self) -> None:
        raw = multipart(*[opaque(ENVELOPE).partition(b"Message-ID: <1@acme.example>\r\n")[2]] * 400)
        began = time.process_time()
        assert smime.checked(raw, now=NOW, roots=ROOTS) is not None
        assert time.process_time() - began < 2


@pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl here")
@pytest.mark.parametrize(
    "options",
    [
        [],
        ["-md", "sha1"],
        ["-md", "sha512"],
        ["-keyid"],
        ["-noattr"],
        ["-keyopt", "rsa_padding_mode:pss"],
        ["-nodetach"],
        ["-nodetach", "-stream", "-indef"],
    ],
    ids=" ".join,
)
def test_what_openssl_signs_fits(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "key").write_bytes(key("carol").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "own").write_bytes(CAROLS.public_bytes(Encoding.PEM))
    (tmp_path / "middle").write_bytes(signing.MIDDLE.public_bytes(Encoding.PEM))
    (tmp_path / "text").write_bytes(ENTITY.replace(b"\r\n", b"\n"))
    command = ["openssl", "cms", "-sign", "-in", "text", "-signer", "own", "-inkey", "key", "-certfile", "middle", *options]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, env=dict(os.environ)).stdout
    raw = b"From: carol@acme.example\n" + made
    for each in (raw, raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")):
        seal = checked(each)
        assert (seal.intact, seal.addresses, seal.whole) == (True, (CAROL,), True)
        assert seal.told(CAROL)[0] is (SealState.DOUBTFUL if "sha1" in options else SealState.GOOD)


@pytest.mark.skipif(not CORPUS.exists(), reason=f"the mail corpus is not at {CORPUS}; set ATUM_MAIL_CORPUS")
@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("mimekit/UnitTests/TestData/smime/thunderbird-signed.txt",
         Seal(intact=True, addresses=("fejj@gnome.org",), name="fejj@gnome.org", ran_out="2014-11-01", weak="SHA-1")),
        ("flanker/tests/fixtures/messages/signed.eml",
         Seal(intact=True, addresses=("zedshaw@zedshaw.com",), name="Zed A. Shaw", ran_out="2010-06-20",
              weak="a key of 1024 bits")),
        ("webklex-php-imap/tests/messages/pec.eml", Seal(trouble="it is damaged, or of a kind that is not known here")),
        ("mikel-mail/spec/fixtures/emails/mime_emails/raw_email_with_nested_attachment.eml",
         Seal(trouble="it is damaged, or of a kind that is not known here")),
    ],
)  # fmt: skip
def test_signed_mails_of_other_suites(path: str, wanted: Seal) -> None:
    """The last two have no signature where one should be: openssl reads none there either."""
    assert checked((CORPUS / path).read_bytes()) == wanted

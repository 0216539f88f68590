"""Which key an OpenPGP signature names: read, and never a reason to fail."""

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.intake.rules import openpgp, read
from app.intake.rules.seal import UNCHECKED, Seal, SealState
from scripts.load.scores import CORPUS
from tests.unit.intake.letters import multipart, part

FINGERPRINT = bytes(range(20))
KEY_ID = b"\x11" * 8


def subpacket(kind: int, value: bytes) -> bytes:
    return bytes([len(value) + 1, kind]) + value


BY_FINGERPRINT = subpacket(33, b"\x04" + FINGERPRINT)
BY_ID = subpacket(16, KEY_ID)


def signature(signed: bytes = BY_FINGERPRINT, other: bytes = BY_ID, *, version: int = 4, old: bool = True) -> bytes:
    """A signature packet with these subpackets."""
    width = 2 if version == 4 else 4
    areas = b"".join(len(area).to_bytes(width, "big") + area for area in (signed, other))
    packet = bytes([version, 0, 22, 8]) + areas + b"\xab\xcd" + b"\0\x08\xff"
    return b"\x89" + len(packet).to_bytes(2, "big") + packet if old else b"\xc2" + bytes([len(packet)]) + packet


def armored(raw: bytes, *, checksum: str = "=AbCd\n", header: str = "Version: GnuPG v2\n") -> str:
    return f"-----BEGIN PGP SIGNATURE-----\n{header}\n{base64.encodebytes(raw).decode()}{checksum}-----END PGP SIGNATURE-----\n"


def sealed(told: str) -> Seal | None:
    return read.mail(multipart(part("Words."), part(told, "application/pgp-signature"), kind="signed"))[0].seal


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        (signature(), FINGERPRINT),
        (signature(old=False), FINGERPRINT),
        (signature(BY_ID, b""), KEY_ID),
        (signature(b"", BY_ID), KEY_ID),
        (signature(BY_FINGERPRINT, subpacket(33, b"\x04" + b"\xee" * 20)), FINGERPRINT),
        (signature(subpacket(33, b"\x06" + b"\x22" * 32), b"", version=6), b"\x22" * 32),
        (signature(b"", b""), b""),
        (signature(subpacket(33, b"\x04short"), b""), b""),
        (signature(version=3), b""),
    ],
)
def test_a_signature_names_its_key(raw: bytes, key: bytes) -> None:
    """By what is signed rather than by what anybody can add."""
    for told in (armored(raw), armored(raw, checksum="", header=""), armored(raw).replace("\n", "\r\n")):
        keys = (key.hex().upper(),) if key else ()
        assert sealed(told) == Seal(openpgp=True, keys=keys, trouble=UNCHECKED.trouble)


def test_it_is_told_that_nobody_has_confirmed_it() -> None:
    state, words = Seal(openpgp=True, keys=(FINGERPRINT.hex().upper(),)).told("carol@acme.example")
    assert state is SealState.UNKNOWN
    assert words.startswith("Signed with OpenPGP by the key 000102030405060708090A0B0C0D0E0F10111213, which nobody here")
    assert words.endswith("has confirmed; whether it fits was not checked.")
    nameless = Seal(openpgp=True).told("")[1]
    assert nameless == "Signed with OpenPGP by a key that it does not name; whether it fits was not checked."


def test_several_signatures_name_several_keys() -> None:
    other = signature(subpacket(33, b"\x04" + b"\xee" * 20), b"")
    assert openpgp.keys(signature() + other + signature()) == (FINGERPRINT.hex().upper(), "EE" * 20)


@pytest.mark.skipif(not CORPUS.exists(), reason=f"the mail corpus is not at {CORPUS}; set ATUM_MAIL_CORPUS")
def test_a_real_one_names_its_key() -> None:
    raw = (CORPUS / "mimekit/UnitTests/TestData/openpgp/[Announce] GnuPG 2.1.20 released.eml").read_bytes()
    seal = read.mail(raw)[0].seal
    assert seal is not None
    assert {len(key) for key in seal.keys} <= {16, 40}
    assert seal.keys


@given(st.binary(max_size=300), st.integers(0, 80))
def test_damage_never_makes_it_raise(junk: bytes, at: int) -> None:
    whole = signature()
    for raw in (junk, whole[:at] + junk, whole[:at] + junk + whole[at:], b"\x89\xff\xff" + junk):
        openpgp.keys(raw)
        openpgp.keys(armored(raw).encode())
    openpgp.keys(b"-----BEGIN PGP SIGNATURE-----\n" + junk + b"\n-----END PGP SIGNATURE-----")


@pytest.mark.parametrize(
    "piece", [b"-----BEGIN PGP SIGNATURE-----\n", b"\n", b"=\n", b"\x01\x01", b"\x00", b"A" * 76 + b"\n", b"\xff\xff\xff\xff\xff"]
)
def test_the_worst_takes_no_time(piece: bytes) -> None:
    began = time.process_time()
    openpgp.keys((b"-----BEGIN PGP SIGNATURE-----\n" + piece * 100_000)[: openpgp.MOST])
    openpgp.keys(signature()[:7] + (piece * 100_000)[: openpgp.MOST])
    assert time.process_time() - began < 2

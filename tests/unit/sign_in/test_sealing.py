"""What is sealed opens with the same key, for the same purpose, unchanged, and otherwise not at all."""

import pytest

from app.core import ids
from app.core.sealing import Broken, Sealer
from app.core.signing import Signer

SIGNER = Signer(b"a key that only this test has, 32")
SEALER = Sealer(SIGNER)


def test_a_sealed_secret_comes_back_and_is_not_to_be_seen() -> None:
    sealed = SEALER.seal("totp:1", "JBSWY3DPEHPK3PXP")
    assert SEALER.open("totp:1", sealed) == "JBSWY3DPEHPK3PXP"
    assert b"JBSWY3DPEHPK3PXP" not in sealed
    assert SEALER.seal("totp:1", "JBSWY3DPEHPK3PXP") != sealed


@pytest.mark.parametrize("at", [0, 12, -1])
def test_a_changed_seal_does_not_open(at: int) -> None:
    sealed = bytearray(SEALER.seal("totp:1", "secret"))
    sealed[at] ^= 1
    with pytest.raises(Broken):
        SEALER.open("totp:1", bytes(sealed))


def test_what_was_sealed_for_carol_does_not_open_for_mallory() -> None:
    with pytest.raises(Broken):
        SEALER.open("totp:2", SEALER.seal("totp:1", "secret"))


def test_another_desks_key_opens_nothing() -> None:
    with pytest.raises(Broken):
        Sealer(Signer(b"the key of some other desk, 32 bytes")).open("totp:1", SEALER.seal("totp:1", "secret"))
    with pytest.raises(Broken):
        SEALER.open("totp:1", b"")


def test_a_derived_key_is_none_that_signs() -> None:
    assert SIGNER.derived("sealing") != SIGNER.derived("other")
    assert len(SIGNER.derived("sealing")) == 32


def test_readable_secrets_have_the_bits_they_promise() -> None:
    assert len(ids.readable(80)) == 16
    assert len(ids.readable(160)) == 32
    assert len({ids.readable(80) for _ in range(1000)}) == 1000

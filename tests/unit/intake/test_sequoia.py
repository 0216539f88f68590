"""Whether an OpenPGP signature fits, by keys that somebody confirmed, and which keys a mail brings. Hostile ones do no harm."""

import base64
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pysequoia import Cert

from app.intake.rules import openpgp, read, sequoia
from app.intake.rules.keys import MOST_KEY, MOST_KEYS, Confirmed
from app.intake.rules.seal import Seal, SealState
from tests.unit.intake import pgp
from tests.unit.intake.letters import mail, multipart, part
from tests.unit.intake.pgp import armored, attached, beside, confirmed, kept, key, public, revoked, signature
from tests.unit.intake.signing import CAROL, ENTITY

LATER = datetime(2025, 1, 8, tzinfo=UTC)  # when all that GnuPG made was fresh
DAMAGED = "Signed, but that could not be checked: it is damaged, or of a kind that is not known here."
CHANGED = (SealState.BROKEN, "The signature doesn't fit: the mail was changed on its way.")
TAKEN_BACK = "Signed, but that could not be checked: its key was taken back by its owner."


def seen(raw: bytes, *known: Confirmed, now: datetime | None = None) -> Seal:
    found, _ = read.mail(raw)
    assert found.seal
    assert found.seal.openpgp
    assert found.unchecked
    seal = sequoia.checked(raw, known, now=now or datetime.now(UTC))
    assert seal
    return seal


def told(raw: bytes, *known: Confirmed, sender: str = CAROL, now: datetime | None = None) -> tuple[SealState, str]:
    return seen(raw, *known, now=now).told(sender)


class TestBesideItsText:
    @pytest.mark.parametrize("six", [False, True])
    def test_one_by_a_key_confirmed_for_the_sender_is_good(self, six: bool) -> None:
        own = key(six=six)
        raw = beside(signature(by=own))
        assert told(raw, confirmed(public(own))) == (SealState.GOOD, "Signed by carol@acme.example, intact.")

    def test_the_exact_bytes_count(self) -> None:
        odd = (
            b"X-Odd:\tone\r\n two\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdfe \t \r\n\r\n--limits\r\n\r\n"
        )
        assert seen(beside(signature(odd), odd), confirmed(public())).intact
        assert not seen(beside(signature(odd), odd.replace(b"\t ", b"\t")), confirmed(public())).intact

    def test_one_whose_line_breaks_were_cut_on_the_way_still_fits(self) -> None:
        assert seen(beside(signature()).replace(b"\r\n", b"\n"), confirmed(public())).intact

    @pytest.mark.parametrize(
        "content", [ENTITY.replace(b"broken", b"brokem"), ENTITY + b"\r\n", ENTITY.replace(b"utf-8", b"utf-7")]
    )
    def test_what_was_changed_does_not_fit(self, content: bytes) -> None:
        assert told(beside(signature(), content), confirmed(public())) == CHANGED

    def test_by_a_key_that_nobody_confirmed_it_is_told_which(self) -> None:
        state, words = told(beside(signature()), confirmed(public(key("Eve"))))
        assert state is SealState.UNKNOWN
        assert words.startswith("Signed with OpenPGP by the key ")
        assert words.endswith(", which nobody here has confirmed; whether it fits was not checked.")

    def test_by_another_address_than_the_sender_s_it_says_so(self) -> None:
        words = "Signed, but by another address than the sender's: carol@acme.example."
        assert told(beside(signature()), confirmed(public()), sender="eve@evil.example") == (SealState.DOUBTFUL, words)

    def test_the_addresses_are_those_that_were_confirmed_and_not_those_that_the_key_names(self) -> None:
        both = [confirmed(public(key("Eve <carol@acme.example>")), each) for each in ("eve@evil.example", "e@evil.example")]
        state, words = told(beside(signature(by=key("Eve <carol@acme.example>"))), *both)
        assert (state, "eve@evil.example" in words) == (SealState.DOUBTFUL, True)

    def test_of_several_signatures_the_best_one_is_told(self) -> None:
        mine, theirs = (base64.b64decode("".join(one.split("\n\n")[1].split("\n=")[0].split())) for one in
                        (signature(), signature(by=key("Eve"))))  # fmt: skip
        for raw in (mine + theirs, theirs + mine):
            assert seen(beside(raw), confirmed(public())).told(CAROL)[0] is SealState.GOOD

    def test_a_part_that_nobody_signed_is_told(self) -> None:
        state, words = told(beside(signature(), ENTITY, part("Buy this.")), confirmed(public()))
        assert (state, words) == (
            SealState.DOUBTFUL,
            "Signed by carol@acme.example, intact; but only a part of what is shown is signed.",
        )

    def test_a_key_that_was_taken_back_says_so(self) -> None:
        assert told(beside(signature()), confirmed(revoked())) == (SealState.UNKNOWN, TAKEN_BACK)

    def test_that_it_was_taken_back_counts_where_the_mail_brings_it(self) -> None:
        raw = beside(signature(), Autocrypt=f"addr={CAROL}; keydata={base64.b64encode(revoked()).decode()}")
        assert told(raw, confirmed(public()))[1] == TAKEN_BACK

    def test_what_another_key_claims_keeps_nobody_from_being_known(self) -> None:
        """Anybody can put a part of another's key into their own."""
        packets = [bytes(each) for each in pgp.packets(public())]
        borrowed = bytes(public(key("Eve"))) + b"".join(packets[-4:])
        known = confirmed(borrowed, "eve@evil.example")
        assert told(beside(signature()), known, confirmed(public()))[0] is SealState.GOOD
        assert seen(beside(signature()), known).told("eve@evil.example")[0] is not SealState.GOOD

    def test_one_that_is_too_large_is_not_looked_at(self) -> None:
        raw = beside(signature() + "x" * openpgp.MOST)
        assert told(raw, confirmed(public()))[1] == "Signed, but that could not be checked: it is too large."

    @pytest.mark.parametrize("junk", ["nonsense", "", "-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n"])
    def test_a_damaged_one_is_told_so(self, junk: str) -> None:
        assert told(beside(junk), confirmed(public())) == (SealState.UNKNOWN, DAMAGED)


class TestByGnuPG:
    """Keys and signatures of January 2025, over the same text."""

    @pytest.mark.parametrize(
        ("own", "name"), [("lasting", "lasting"), ("lasting", "text"), ("ran_out", "in_time"), ("parts", "part")]
    )
    def test_a_good_one_is_good(self, own: str, name: str) -> None:
        seal = seen(beside(kept(f"{name}.sig")), confirmed(kept(f"{own}.key")), now=LATER)
        assert seal.told(CAROL) == (SealState.GOOD, "Signed by carol@acme.example, intact.")

    @pytest.mark.parametrize(("own", "name"), [("ran_out", "in_time"), ("parts", "part")])
    def test_a_key_or_a_part_of_one_that_ran_out_since_says_so(self, own: str, name: str) -> None:
        state, words = told(beside(kept(f"{name}.sig")), confirmed(kept(f"{own}.key")))
        assert (state, words) == (
            SealState.DOUBTFUL,
            "Signed by carol@acme.example, intact; but the key ran out on 2025-01-11.",
        )

    @pytest.mark.parametrize(
        ("own", "name", "why"),
        [
            ("lasting", "sha1", "it is made in a way that can be forged (SHA-1)"),
            ("dsa", "dsa", "it is made in a way that can be forged (SHA-1)"),
            ("short", "short", "its key is of a kind that can be forged, or was made in a way that can be"),
            ("made", "made", "its key is of a kind that can be forged, or was made in a way that can be"),
            ("lasting", "lapsed", "it was good until 2025-01-06"),
            ("shortened", "too_late", "its key had run out on 2025-03-01"),
        ],
    )
    def test_what_is_worth_nothing_says_why(self, own: str, name: str, why: str) -> None:
        words = f"Signed, but that could not be checked: {why}."
        assert told(beside(kept(f"{name}.sig")), confirmed(kept(f"{own}.key"))) == (SealState.UNKNOWN, words)

    def test_one_of_a_time_to_come_says_so(self) -> None:
        raw = beside(signature(), ENTITY + b"!")
        seal = seen(raw, confirmed(public()), now=datetime.now(UTC) - timedelta(days=1))
        assert "made at a time that is yet to come" in seal.told(CAROL)[1]


class TestKeysThatComeAlong:
    def brought(self, raw: bytes) -> list[str]:
        assert read.mail(raw)[0].brings_keys
        return [one.fingerprint for one in sequoia.brought(raw)]

    @pytest.mark.parametrize("content", [armored(public()), bytes(public())], ids=["armored", "raw"])
    def test_one_that_is_attached_says_whose_it_is(self, content: str | bytes) -> None:
        [one] = sequoia.brought(multipart(part("My key."), attached(content)))
        assert one.fingerprint == public().fingerprint.upper()
        assert one.fingerprint in one.names
        assert one.fingerprint[-16:] in one.names
        assert one.people == ("Carol <carol@acme.example>",)
        assert (one.expires_at, one.revoked, one.weak) == (None, False, False)
        assert one.content == bytes(public())

    def test_one_of_the_header_too(self) -> None:
        data = base64.encodebytes(bytes(public())).decode().strip().replace("\n", "\r\n ")
        raw = mail("Words.", Autocrypt=f"addr=carol@acme.example; prefer-encrypt=mutual; keydata=\r\n {data}")
        assert self.brought(raw) == [public().fingerprint.upper()]

    def test_what_is_secret_of_it_is_left_out(self) -> None:
        [one] = sequoia.brought(multipart(part("All of it."), attached(bytes(key()))))
        assert one.content == bytes(public())

    def test_copies_are_put_together(self) -> None:
        [one] = sequoia.brought(multipart(attached(armored(public())), attached(armored(revoked()))))
        assert one.revoked

    @pytest.mark.parametrize(("name", "weak"), [("short", True), ("made", True), ("lasting", False)])
    def test_a_weak_one_says_so(self, name: str, weak: bool) -> None:
        [one] = sequoia.brought(multipart(attached(kept(f"{name}.key"))))
        assert one.weak is weak

    def test_one_that_ends_says_when(self) -> None:
        [one] = sequoia.brought(multipart(attached(kept("ran_out.key"))))
        assert one.expires_at == "2025-01-11T00:00:00+00:00"
        assert one.ran_out(datetime.now(UTC))
        assert not one.ran_out(LATER)

    def test_no_more_are_read_than_anybody_sends(self) -> None:
        many = b"".join(bytes(public(key(f"{n}"))) for n in range(MOST_KEYS + 2))
        assert len(self.brought(multipart(attached(many)))) == MOST_KEYS
        assert not read.mail(multipart(attached("x" * (MOST_KEY + 1))))[0].brings_keys

    def test_a_mail_without_any_is_not_looked_at_again(self) -> None:
        assert not read.mail(mail())[0].unchecked


class TestWithinAText:
    def test_it_is_named_and_not_checked(self) -> None:
        raw = mail(f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nIt is broken.\n{signature()}")
        found, _ = read.mail(raw)
        assert found.seal
        assert not found.unchecked
        state, words = found.seal.told(CAROL)
        assert state is SealState.UNKNOWN
        assert words == (
            f"Signed with OpenPGP within its text, by the key {found.seal.keys[0]}. Such a signature is not checked."
        )

    def test_an_announcement_without_a_signature_is_text(self) -> None:
        assert read.mail(mail("-----BEGIN PGP SIGNED MESSAGE-----\n\nWell."))[0].seal is None


WHOLE, BARE = signature(), bytes(public())


class TestHostileOnes:
    @settings(max_examples=150, deadline=None)
    @given(junk=st.binary(max_size=200), at=st.integers(0, 600), cut=st.integers(0, 20))
    def test_damage_never_makes_it_raise(self, junk: bytes, at: int, cut: int) -> None:
        """Whatever is done to a signature or to a key. Nothing of it is good but what fits."""
        for harmed in (WHOLE.encode()[:at] + junk + WHOLE.encode()[at + cut :], b"\xc2\xff\0\0\0\x30" + junk):
            seal = sequoia.checked(beside(harmed), [confirmed(public())], now=datetime.now(UTC))
            assert seal
            seal.told(CAROL)
        for harmed in (BARE[:at] + junk + BARE[at + cut :], junk, armored(BARE).encode()[:at] + junk):
            sequoia.brought(multipart(attached(harmed)))
            sequoia.checked(beside(WHOLE), [Confirmed(CAROL, "AB" * 20, harmed)], now=datetime.now(UTC))

    @settings(max_examples=80, deadline=None)
    @given(content=st.binary(max_size=80))
    def test_nothing_but_what_was_signed_is_good(self, content: bytes) -> None:
        assert seen(beside(WHOLE, b"Content-Type: text/plain\r\n\r\n" + content), confirmed(public())).told(CAROL) == CHANGED

    @pytest.mark.parametrize("tag", range(64))
    def test_a_key_with_a_packet_of_any_kind_in_it_raises_nothing(self, tag: int) -> None:
        packets = [bytes(each) for each in pgp.packets(public())]
        for at in range(1, len(packets) + 1):
            harmed = b"".join([*packets[:at], bytes([0xC0 | tag, 1, 0x78]), *packets[at:]])
            sequoia.brought(multipart(attached(harmed)))
            sequoia.checked(beside(WHOLE), [replace(confirmed(public()), content=harmed)], now=datetime.now(UTC))

    def test_ten_thousand_signatures_take_no_time(self) -> None:
        began = time.process_time()
        one = base64.b64decode("".join(WHOLE.split("\n\n")[1].split("\n=")[0].split()))
        seen(beside(one * 10_000), confirmed(public()))
        seen(beside(one * (openpgp.MOST // len(one))), *[confirmed(public(), f"{n}@acme.example") for n in range(20)])
        assert time.process_time() - began < 3

    def test_giant_keys_take_no_time(self) -> None:
        began = time.process_time()
        packets = [bytes(each) for each in pgp.packets(public())]
        most = MOST_KEY - len(BARE)
        for piece in (packets[-1], packets[-2] + packets[-1], packets[2] + packets[3], packets[0], b"\x99\xff\xff"):
            giant = BARE + piece * (most // len(piece))
            sequoia.brought(multipart(attached(giant)))
            sequoia.checked(beside(WHOLE), [replace(confirmed(public()), content=giant)], now=datetime.now(UTC))
        assert time.process_time() - began < 10

    def test_a_certification_is_no_signature_of_a_text(self) -> None:
        [certification] = [bytes(each) for each in pgp.packets(public())][3:4]
        state, words = told(beside(certification), confirmed(public()))
        assert (state, words) == (
            SealState.UNKNOWN,
            "Signed, but that could not be checked: it is no signature of a text.",
        )

    def test_a_key_is_itself_and_no_other(self) -> None:
        """What is stored under a fingerprint has to have it."""
        known = Confirmed(CAROL, Cert.from_bytes(bytes(public(key("Eve")))).fingerprint.upper(), bytes(public()))
        assert told(beside(WHOLE), known)[0] is SealState.UNKNOWN

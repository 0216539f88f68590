"""What forwarders seal (ARC, RFC 8617), in chains that dkimpy makes; a DNS server of the tests; and whom a mailbox believes."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import dkim
import pytest
from dkim.canonicalization import CanonicalizationPolicy
from dkim.crypto import HASH_ALGORITHMS, parse_pem_private_key

from app.intake import arc, authentication
from app.intake.authentication import Believed
from app.intake.dns import Names
from app.intake.rules import read
from app.intake.rules.authentication import Checked, Verdict
from app.intake.rules.states import MailState
from tests.mail import names, test_authentication
from tests.mail.conftest import Desk
from tests.mail.test_authentication import DOMAIN, LOOKED_AT, MX, REJECT, Signer, letter

LIST, RELAY = "lists.org", "relay.org"
PASSED = f"dkim=pass header.d={DOMAIN}; dmarc=pass header.from={DOMAIN}"
DISOWNED = f"no valid signature of {DOMAIN}, which asks to reject such mail (DMARC)"
BELIEVED = f"{DISOWNED}; but {LIST}, which forwarded it, found DMARC for {DOMAIN} (ARC)"
SET = [b"arc-authentication-results", b"arc-message-signature", b"arc-seal"]
RELAXED = CanonicalizationPolicy.from_c_value(b"relaxed/relaxed")


class Forwarder(Signer):
    """Who seals what passes through, honestly or not."""

    def seal(
        self,
        raw: bytes,
        found: str = PASSED,
        *,
        domain: str = LIST,
        number: int = 1,
        cv: str = "",
        covers: bytes = b"from : to : subject",
        more: Sequence[tuple[bytes, bytes]] = (),
        message: Sequence[tuple[bytes, bytes]] = (),
    ) -> bytes:
        """The mail with one more set on top. `more` are further tags of the seal, and `message` of the mail's signature."""
        raw = f"ARC-Authentication-Results: i={number}; mx.{domain}; {found}\r\n".encode() + raw
        said = [(b"i", b"%d" % number), (b"a", b"rsa-sha256")]
        by = [(b"d", domain.encode()), (b"s", b"s1")]
        body = HASH_ALGORITHMS[b"rsa-sha256"](RELAXED.canonicalize_body(dkim.ARC(raw).body)).digest()
        tags = [
            *said,
            (b"c", b"relaxed/relaxed"),
            *by,
            *message,
            (b"h", covers),
            (b"bh", dkim.base64.b64encode(body)),
            (b"b", b"0" * 60),
        ]
        raw = self._added(raw, b"ARC-Message-Signature", tags, [one.strip() for one in covers.split(b":")])
        cv = cv or ("none" if number == 1 else "pass")
        seal = [*said, (b"cv", cv.encode()), *by, *more, (b"b", b"0" * 60)]
        return self._added(raw, b"ARC-Seal", seal, [*SET * (number - 1), *SET[:2]])

    def _added(self, raw: bytes, name: bytes, tags: Sequence[tuple[bytes, bytes]], covers: list[bytes]) -> bytes:
        made = dkim.ARC(raw)
        made.hasher = HASH_ALGORITHMS[b"rsa-sha256"]
        value: bytes = made.gen_header(list(tags), covers, RELAXED, name, parse_pem_private_key(self._pem))
        return name + b": " + value.strip() + b"\r\n" + raw


@pytest.fixture(scope="module")
def seals() -> Forwarder:
    return Forwarder()


@pytest.fixture
def zone(seals: Forwarder) -> Iterator[names.Server]:
    """The sender's domain asks to reject what is not its own; two forwarders and a stranger show the same key."""
    with names.running() as made:
        for domain in (LIST, RELAY, "evil.org"):
            made.records[f"s1._domainkey.{domain}"] = [seals.record]
        made.records[f"_dmarc.{DOMAIN}"] = [REJECT]
        yield made


def checked(zone: names.Server, raw: bytes, *forwarders: str) -> Checked:
    raw = LOOKED_AT + raw
    believed = Believed([MX], forwarders)
    return authentication.check(read.mail(raw)[0], raw, believed=believed, txt=Names(zone.resolver()).for_a_mail())


def chain(zone: names.Server, raw: bytes) -> list[str]:
    """Whose seals hold."""
    cut = raw.partition(b"\r\n\r\n")
    key = partial(authentication._key, Names(zone.resolver()).for_a_mail())
    return [one.domain for one in arc.chain(cut[0] + b"\r\n\r\n", cut[2], key=key, smallest_key=1024)]


def test_the_chains_of_these_tests_are_chains_for_dkimpy_too(seals: Forwarder) -> None:
    raw = seals.seal(seals.seal(letter()), domain=RELAY, number=2)
    assert dkim.arc_verify(raw, dnsfunc=lambda *_, **__: seals.record.encode())[0] == b"pass"
    assert dkim.arc_verify(raw + b"!", dnsfunc=lambda *_, **__: seals.record.encode())[0] == b"fail"


class TestBelieved:
    def test_what_a_believed_forwarder_found_to_be_the_domain_s_own_is_not_held(
        self, zone: names.Server, seals: Forwarder
    ) -> None:
        assert checked(zone, seals.seal(letter()), LIST) == Checked(Verdict.NONE, BELIEVED)
        assert checked(zone, letter(), LIST) == Checked(Verdict.FAIL, DISOWNED)

    def test_it_is_no_verification(self, zone: names.Server, seals: Forwarder) -> None:
        """A list may have put any word into the mail."""
        assert checked(zone, seals.seal(letter()), LIST).verdict is not Verdict.PASS

    def test_nobody_else_is(self, zone: names.Server, seals: Forwarder) -> None:
        for raw, who in ((seals.seal(letter()), LIST), (seals.seal(letter(), domain="evil.org"), "evil.org")):
            found = checked(zone, raw, RELAY)
            assert found == Checked(Verdict.FAIL, f"{DISOWNED}; forwarded by {who}, whose seal (ARC) nobody here believes")

    @pytest.mark.parametrize(
        ("found", "wanted"),
        [
            (f"dmarc=pass header.from={DOMAIN}", Verdict.NONE),
            (f"dkim=pass header.d={DOMAIN}", Verdict.NONE),
            (f"dkim=pass header.i=@news.{DOMAIN}", Verdict.NONE),
            ("dmarc=pass header.from=evil.org", Verdict.FAIL),
            ("dmarc=pass", Verdict.FAIL),
            ("dkim=pass header.d=evil.org", Verdict.FAIL),
            (f"dmarc=fail header.from={DOMAIN}", Verdict.FAIL),
            (f"spf=pass smtp.mailfrom=x@{DOMAIN}", Verdict.FAIL),
            (f"dkim=fail (dmarc=pass header.from={DOMAIN})", Verdict.FAIL),
            ("none", Verdict.FAIL),
        ],
    )
    def test_only_a_pass_of_the_sender_s_own_domain_counts(
        self, zone: names.Server, seals: Forwarder, found: str, wanted: Verdict
    ) -> None:
        assert checked(zone, seals.seal(letter(), found), LIST).verdict is wanted

    def test_what_a_server_before_us_says_of_it_gives_way_too(self, zone: names.Server, seals: Forwarder) -> None:
        said = f"Authentication-Results: {MX}; dmarc=fail header.from={DOMAIN}\r\n".encode() + seals.seal(letter())
        found = authentication.check(
            read.mail(said)[0], said, believed=Believed([MX], [LIST]), txt=Names(zone.resolver()).for_a_mail()
        )
        assert found.verdict is Verdict.NONE

    def test_of_two_forwarders_the_last_one_has_to_be_believed_and_the_first_one_to_be_told(
        self, zone: names.Server, seals: Forwarder
    ) -> None:
        broken = f"dkim=fail header.d={DOMAIN}; dmarc=fail header.from={DOMAIN}; arc=pass"
        raw = seals.seal(seals.seal(letter()), broken, domain=RELAY, number=2)
        assert checked(zone, raw, LIST, RELAY).verdict is Verdict.NONE
        assert checked(zone, raw, LIST).verdict is Verdict.FAIL
        assert checked(zone, raw, RELAY).verdict is Verdict.FAIL


CHANGED: dict[str, Callable[[bytes], bytes]] = {
    "the text": lambda raw: raw.replace(b"broken", b"brokem"),
    "the subject": lambda raw: raw.replace(b"Subject: Help", b"Subject: Kelp"),
    "the sender": lambda raw: raw.replace(b"carol@acme.org>\r\nTo", b"karol@acme.org>\r\nTo"),
    "what was found": lambda raw: raw.replace(b"dmarc=pass", b"dmarc=pasS"),
    "who found it": lambda raw: raw.replace(b"; mx.lists.org", b"; mx.listz.org"),
    "who sealed it": lambda raw: raw.replace(b"d=lists.org", b"d=evil.org"),
    "the number": lambda raw: raw.replace(b"i=1", b"i=2"),
    "the seal": lambda raw: raw.replace(b"ARC-Seal", b"X-Seal"),
    "a second seal": lambda raw: raw[: raw.index(b"ARC-Message")] + raw,
    "a second sender": lambda raw: b"From: Eve <eve@acme.org>\r\n" + raw,
}


class TestBroken:
    @pytest.mark.parametrize("which", CHANGED)
    def test_a_chain_with_something_changed_counts_for_nothing(self, zone: names.Server, seals: Forwarder, which: str) -> None:
        raw = CHANGED[which](seals.seal(letter()))
        assert "found DMARC" not in checked(zone, raw, LIST, "evil.org").words
        assert chain(zone, raw) == []

    def test_forged_results_under_a_seal_of_somebody_else_count_for_nothing(self, zone: names.Server, seals: Forwarder) -> None:
        """An A-A-R in the list's name, an Authentication-Results in ours, and a seal of the stranger who wrote both."""
        forged = (
            f"Authentication-Results: {LIST}; {PASSED}\r\nAuthentication-Results: mx.{LIST}; {PASSED}\r\n".encode() + letter()
        )
        raw = seals.seal(forged, domain="evil.org").replace(b"; mx.evil.org", b"; mx.lists.org")
        assert checked(zone, raw, LIST).verdict is Verdict.FAIL
        assert checked(zone, forged, LIST).verdict is Verdict.FAIL
        honest = seals.seal(forged, "dkim=none; dmarc=fail")
        assert checked(zone, honest, LIST).verdict is Verdict.FAIL

    def test_a_stranger_can_not_put_their_set_under_a_believed_name(self, zone: names.Server, seals: Forwarder) -> None:
        raw = Forwarder().seal(letter())
        assert checked(zone, raw, LIST) == Checked(Verdict.FAIL, DISOWNED)

    @pytest.mark.parametrize("cv", ["fail", "pass", "none"])
    def test_the_first_says_none_and_every_other_one_pass(self, zone: names.Server, seals: Forwarder, cv: str) -> None:
        assert (chain(zone, seals.seal(letter(), cv=cv)) == [LIST]) is (cv == "none")
        second = seals.seal(seals.seal(letter()), domain=RELAY, number=2, cv=cv)
        assert (chain(zone, second) == [RELAY, LIST]) is (cv == "pass")

    def test_a_seal_over_a_broken_chain_says_so_and_counts_for_nothing(self, zone: names.Server, seals: Forwarder) -> None:
        inner = seals.seal(letter()).replace(b"dmarc=pass", b"dmarc=pasS")
        for cv in ("fail", "pass"):
            raw = seals.seal(inner, domain=RELAY, number=2, cv=cv)
            assert checked(zone, raw, LIST, RELAY).verdict is Verdict.FAIL

    @pytest.mark.parametrize(
        "made",
        [
            lambda seals, raw: seals.seal(raw, covers=b"to : subject"),
            lambda seals, raw: seals.seal(raw, covers=b"from : arc-seal"),
            lambda seals, raw: seals.seal(raw, message=[(b"l", b"5")]),
            lambda seals, raw: seals.seal(raw, more=[(b"h", b"from")]),
            lambda seals, raw: seals.seal(raw, number=2),
            lambda seals, raw: seals.seal(seals.seal(raw), number=3),
            lambda seals, raw: seals.seal(seals.seal(raw)),
            lambda seals, raw: seals.seal(raw, number=0),
            lambda seals, raw: seals.seal(raw, domain="nokey.org"),
            lambda seals, raw: seals.seal(raw, more=[(b"x", b"y" * 9_000)]),
        ],
        ids=[
            "no From",
            "its own seal",
            "an open end",
            "a seal's h",
            "no first",
            "no second",
            "two firsts",
            "zero",
            "no key",
            "huge",
        ],
    )
    def test_a_chain_that_is_none_is_none(
        self, zone: names.Server, seals: Forwarder, made: Callable[[Forwarder, bytes], bytes]
    ) -> None:
        assert chain(zone, made(seals, letter())) == []

    def test_whatever_stands_there_is_read(self, zone: names.Server) -> None:
        for value in (b"", b";", b"i=1", b"i=1; a=b", b"i=" + b"9" * 5_000, b"\xff\x00", b"i=1;i=1", b"b=" + b" \r\n " * 500):
            raw = b"".join(b"%s: %s\r\n" % (name, value) for name in reversed(SET)) + letter()
            assert checked(zone, raw, LIST).verdict is Verdict.FAIL


class TestLimits:
    def test_fifty_sets_are_a_chain_and_fifty_one_none_and_neither_takes_long(self, zone: names.Server, seals: Forwarder) -> None:
        raw = letter()
        for number in range(1, arc.MOST_SETS + 1):
            raw = seals.seal(raw, number=number)
        began = time.process_time()
        assert chain(zone, raw) == [LIST] * 50
        assert chain(zone, seals.seal(raw, number=51)) == []
        assert time.process_time() - began < 2

    def test_a_chain_of_many_keys_is_not_asked_for(self, zone: names.Server, seals: Forwarder) -> None:
        raw = letter()
        for number in range(1, arc.MOST_KEYS + 2):
            zone.records[f"s1._domainkey.d{number}.org"] = [seals.record]
            raw = seals.seal(raw, domain=f"d{number}.org", number=number)
        assert chain(zone, raw) == []
        assert zone.asked == []

    def test_ten_thousand_seals_take_no_time(self, zone: names.Server) -> None:
        raw = b"ARC-Seal: i=1; cv=none; b=aaaa\r\n" * 3_000 + letter()
        began = time.process_time()
        assert checked(zone, raw, LIST).verdict is Verdict.FAIL
        assert time.process_time() - began < 2

    def test_a_large_body_is_hashed_once(self, zone: names.Server, seals: Forwarder) -> None:
        raw = letter("word " * 400_000)
        for number in range(1, 9):
            raw = seals.seal(raw, number=number)
        began = time.process_time()
        assert chain(zone, raw) == [LIST] * 8
        assert time.process_time() - began < 2

    def test_with_dns_silent_the_mail_flows_on_where_it_is_about_a_believed_forwarder(
        self, zone: names.Server, seals: Forwarder
    ) -> None:
        raw, asked = LOOKED_AT + seals.seal(letter()), Names(zone.resolver())
        assert asked.for_a_mail()(f"_dmarc.{DOMAIN}") == (REJECT.encode(),)
        zone.silent = True
        began = time.monotonic()
        for forwarders, wanted in (([], Verdict.FAIL), ([LIST], Verdict.TEMPERROR)):
            believed = Believed([MX], forwarders)
            found = authentication.check(read.mail(raw)[0], raw, believed=believed, txt=asked.for_a_mail())
            assert found.verdict is wanted
        assert time.monotonic() - began < 5


def test_a_list_s_mail_is_a_ticket_where_its_mailbox_believes_the_list(desk: Desk, zone: names.Server, seals: Forwarder) -> None:
    deliver = test_authentication.TestProcessing().deliver
    first, second = (LOOKED_AT + seals.seal(letter(mail_id=f"<{n}@acme.org>")) for n in (1, 2))
    [row] = deliver(desk, zone, first, trusts=[MX])
    assert row.state is MailState.QUARANTINED
    desk.pretend(forwarders=[LIST])
    [_, row] = deliver(desk, zone, first, second, trusts=[MX])
    assert (row.state, row.verdict, row.verdict_words) == (MailState.DONE, Verdict.NONE, BELIEVED)

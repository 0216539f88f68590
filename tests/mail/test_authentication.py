"""Whether a mail is from the address it names, by real signatures and a real DNS server of the tests."""

import base64
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sqlalchemy import select

from app.db.session import now as database_now
from app.intake import actions, authentication
from app.intake.authentication import Believed
from app.intake.dns import AGAIN, Names, Unanswered
from app.intake.folder import Fetched
from app.intake.models import InboundMail, Mailbox
from app.intake.processing import Processor
from app.intake.rules import read
from app.intake.rules.authentication import Checked, Verdict, results
from app.intake.rules.states import MailState
from app.outbox.models import Letter
from app.tickets.models import Message, Ticket
from scripts.load.scores import CORPUS, mails
from tests.mail import names
from tests.mail.conftest import Desk
from tests.unit.intake.letters import mail

DOMAIN, MX = "acme.org", "mx.desk.org"
CAROL = f"Carol <carol@{DOMAIN}>"
REJECT = "v=DMARC1; p=reject"
LOOKED_AT = f"Authentication-Results: {MX}; spf=none\r\n".encode()  # by a server that found nobody who vouches for it


class Signer:
    """A domain's key: what it signs, and the record that shows it."""

    def __init__(self, bits: int = 1024) -> None:
        key = generate_private_key(65537, bits)
        self._pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.record = f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"

    def __call__(
        self, raw: bytes, domain: str = DOMAIN, *, body: bytes = b"relaxed", length: bool = False, once: bool = False
    ) -> bytes:
        """`once`: each header is signed as often as it is there, so that another From may be added."""
        how, names = (b"relaxed", body), [b"from", b"subject", b"date"] if once else None
        signature: bytes = dkim.sign(
            raw, b"s1", domain.encode(), self._pem, canonicalize=how, length=length, include_headers=names
        )
        return signature + raw


@pytest.fixture(scope="module")
def signed() -> Signer:
    return Signer()


@pytest.fixture
def dns() -> Iterator[names.Server]:
    with names.running() as made:
        yield made


@pytest.fixture
def zone(dns: names.Server, signed: Signer) -> names.Server:
    """The domain asks to reject what is not its own, and shows its key; so does evil.org."""
    for domain in (DOMAIN, f"news.{DOMAIN}", "evil.org"):
        dns.records[f"s1._domainkey.{domain}"] = [signed.record]
    dns.records[f"_dmarc.{DOMAIN}"] = [REJECT]
    return dns


def checked(dns: names.Server, raw: bytes, *, trusts: tuple[str, ...] = ()) -> Checked:
    found, _ = read.mail(raw)
    return authentication.check(found, raw, believed=Believed(trusts), txt=Names(dns.resolver()).for_a_mail())


def letter(text: str = "Hello,\r\n\r\n  it is  broken. \r\n\r\n", **fields: str) -> bytes:
    return mail(text, sender=CAROL, Date="Mon, 30 Nov 2026 10:00:00 +0000", **fields)


TAMPERED: tuple[Callable[[bytes], bytes], ...] = (
    lambda raw: raw.replace(b"broken", b"brokem"),
    lambda raw: raw + b"and more\r\n",
    lambda raw: raw.replace(b"carol@", b"karol@"),
    lambda raw: b"From: Eve <eve@acme.org>\r\n" + raw,
    lambda raw: raw.replace(b"\r\n\r\n", b"\r\nFrom: Eve <eve@acme.org>\r\n\r\n", 1),
    lambda raw: b"X: 1\r\rX: 2\r\n" + raw,
    lambda raw: b"From: Eve <eve@acme.org>\r\nX: 1\r\r\r\n" + raw,
    lambda raw: b"X: 1\r\nFrom : Eve <eve@acme.org>\r\n" + raw,
    lambda raw: b"From Eve\r\nFrom: Eve <eve@acme.org>\r\n" + raw,
    lambda raw: b" folded first\r\n" + raw,
    lambda raw: b"X: a\rFrom: Eve <eve@acme.org>\r\rY: b\r\n" + raw,
)


class TestSignatures:
    @pytest.mark.parametrize("body", [b"relaxed", b"simple"])
    def test_its_domain_s_own_signature_is_enough(self, zone: names.Server, signed: Signer, body: bytes) -> None:
        assert checked(zone, signed(letter(), body=body)) == Checked(Verdict.PASS, f"DKIM for {DOMAIN}")

    def test_so_is_one_of_a_name_below_unless_the_domain_is_strict(self, zone: names.Server, signed: Signer) -> None:
        raw = signed(letter(), f"news.{DOMAIN}")
        assert checked(zone, raw).verdict is Verdict.PASS
        zone.records[f"_dmarc.{DOMAIN}"] = [f"{REJECT}; adkim=s"]
        assert checked(zone, raw).verdict is Verdict.NONE

    def test_somebody_else_s_signature_says_nothing(self, zone: names.Server, signed: Signer) -> None:
        assert checked(zone, signed(letter(), "evil.org")).verdict is Verdict.NONE

    def test_one_that_was_not_fetched_whole_is_not_held_for_a_signature_that_can_not_be_checked(
        self, zone: names.Server, signed: Signer
    ) -> None:
        raw = LOOKED_AT + signed(letter())[:-20]
        found, _ = read.mail(raw)
        ask = partial(authentication.check, found, raw, believed=Believed((MX,)), txt=Names(zone.resolver()).for_a_mail())
        assert (ask().verdict, ask(whole=False).verdict) == (Verdict.FAIL, Verdict.NONE)
        failed = read.mail(raw.replace(b"spf=none", f"dmarc=fail header.from={DOMAIN}".encode()))[0]
        said = authentication.check(failed, raw, believed=Believed((MX,)), txt=Names(zone.resolver()).for_a_mail(), whole=False)
        assert said.verdict is Verdict.FAIL

    def test_what_its_domain_disowns_is_that_whomever_another_field_names(self, zone: names.Server) -> None:
        raw = LOOKED_AT + mail("Pay.", sender=f"noreply@{DOMAIN}", Reply_To="eve@evil.org")
        assert checked(zone, raw, trusts=(MX,)).verdict is Verdict.FAIL

    def test_of_several_signatures_one_is_enough(self, zone: names.Server, signed: Signer) -> None:
        raw = signed(letter(), "evil.org")
        assert checked(zone, b"DKIM-Signature: nonsense\r\n" + signed(raw)).verdict is Verdict.PASS
        assert checked(zone, signed(signed(letter()), "evil.org")).verdict is Verdict.PASS

    @pytest.mark.parametrize("between", [b"", b"X" * 101 + b": where our header ends and the signer's goes on\r\n"])
    def test_another_sender_above_the_signed_one_is_not_verified_by_it(
        self, zone: names.Server, signed: Signer, between: bytes
    ) -> None:
        raw = signed(letter(), once=True)
        assert checked(zone, raw).verdict is Verdict.PASS
        assert checked(zone, b"From: Eve <eve@acme.org>\r\n" + between + raw).verdict is Verdict.NONE

    @pytest.mark.parametrize("tampered", TAMPERED)
    def test_what_was_changed_on_the_way_is_not_verified(
        self, zone: names.Server, signed: Signer, tampered: Callable[[bytes], bytes]
    ) -> None:
        """Also where our reader and the one of signatures could see two different senders."""
        assert checked(zone, tampered(signed(letter()))).verdict is not Verdict.PASS

    def test_a_signature_that_leaves_the_end_of_the_text_open_is_none(self, zone: names.Server, signed: Signer) -> None:
        raw = signed(letter(), length=True)
        assert b" l=" in raw
        assert checked(zone, raw).verdict is Verdict.NONE

    @pytest.mark.parametrize("record", ["", "v=DKIM1; p=", "v=DKIM1; k=rsa; p=" + "A" * 1500, "nonsense", "v=DKIM1; k=x; p=AAAA"])
    def test_a_key_that_is_none_verifies_nothing(self, zone: names.Server, signed: Signer, record: str) -> None:
        zone.records[f"s1._domainkey.{DOMAIN}"] = [record]
        assert checked(zone, signed(letter())).verdict is Verdict.NONE

    def test_of_two_keys_nobody_knows_which_counts(self, zone: names.Server, signed: Signer) -> None:
        zone.records[f"s1._domainkey.{DOMAIN}"] = [signed.record, signed.record + ";"]
        assert checked(zone, signed(letter())).verdict is Verdict.NONE

    def test_a_short_key_is_none(self, zone: names.Server, monkeypatch: pytest.MonkeyPatch, signed: Signer) -> None:
        """Keys of less than 1,024 bits can't be made here any more, so the least that is asked for is raised."""
        monkeypatch.setattr(authentication, "SMALLEST_KEY", 1025)
        assert checked(zone, signed(letter())).verdict is Verdict.NONE

    def test_a_mail_of_spaces_takes_no_time(self, zone: names.Server, signed: Signer) -> None:
        raw = signed(letter("short"))
        began = time.process_time()
        assert checked(zone, raw.replace(b"short", b" " * 3_000_000 + b"x")).verdict is Verdict.NONE
        assert checked(zone, b"X: " + b" " * 90_000 + b"\r\n" + raw).verdict is Verdict.PASS
        assert checked(zone, b"DKIM-Signature: v=1; d=acme.org; b=" + b" \r\n " * 20_000 + raw).verdict is not None
        assert time.process_time() - began < 3

    def test_a_header_or_a_mail_beyond_all_bounds_is_not_looked_at(self, zone: names.Server, signed: Signer) -> None:
        raw = signed(letter())
        assert checked(zone, b"X: y\r\n" * 20_000 + raw).verdict is Verdict.NONE
        assert not [name for name in zone.asked if "_domainkey" in name]


class TestPolicies:
    def test_a_domain_that_asks_for_nothing_is_not_failed(self, dns: names.Server) -> None:
        assert checked(dns, letter()).verdict is Verdict.NONE
        dns.records[f"_dmarc.{DOMAIN}"] = ["v=DMARC1; p=none; rua=mailto:x@acme.org"]
        assert checked(dns, letter()).verdict is Verdict.NONE

    def test_a_domain_without_a_policy_still_signs(self, zone: names.Server, signed: Signer) -> None:
        del zone.records[f"_dmarc.{DOMAIN}"]
        assert checked(zone, signed(letter())).verdict is Verdict.PASS

    def test_two_senders_or_none_are_nobody(self, zone: names.Server) -> None:
        for raw in (mail(sender=f"{CAROL}, eve@acme.org"), mail(sender=None), mail(sender=None, Sender=CAROL)):
            assert checked(zone, raw).verdict is Verdict.NONE

    def test_reserved_names_are_not_looked_up(self, dns: names.Server) -> None:
        assert checked(dns, mail(sender="carol@acme.example")).verdict is Verdict.NONE
        assert dns.asked == []


class TestServers:
    """What stands in Authentication-Results."""

    @pytest.mark.parametrize(
        ("said", "wanted"),
        [
            ("dmarc=pass header.from=acme.org", Verdict.PASS),
            ("dmarc=fail header.from=acme.org", Verdict.FAIL),
            ("dmarc=pass header.from=evil.org", Verdict.FAIL),
            ("dmarc=temperror header.from=acme.org", Verdict.FAIL),
            ("spf=pass smtp.mailfrom=bounces@acme.org", Verdict.PASS),
            ("spf=pass smtp.mailfrom=bounces@mail.acme.org", Verdict.PASS),
            ("spf=pass smtp.mailfrom=bounces@evil.org", Verdict.FAIL),
            ("spf=fail smtp.mailfrom=bounces@acme.org", Verdict.FAIL),
            ("spf=temperror smtp.mailfrom=bounces@acme.org", Verdict.TEMPERROR),
            ("spf=temperror smtp.mailfrom=bounces@evil.org", Verdict.FAIL),
            ("spf=temperror smtp.mailfrom=bounces@acme.org; dkim=pass header.d=acme.org", Verdict.PASS),
            ("dkim=temperror header.d=acme.org", Verdict.TEMPERROR),
            ("dkim=pass header.d=acme.org", Verdict.PASS),
            ("dkim=pass header.d=evil.org; dkim=pass header.i=@acme.org", Verdict.PASS),
            ("dkim=pass header.d=evil.org", Verdict.FAIL),
            ("none", Verdict.NONE),
        ],
    )
    def test_the_one_we_trust_is_believed(self, zone: names.Server, said: str, wanted: Verdict) -> None:
        raw = f"Authentication-Results: {MX}; {said}\r\n".encode() + letter()
        assert checked(zone, raw, trusts=(MX,)).verdict is wanted

    def test_anybody_else_is_not(self, zone: names.Server) -> None:
        forged = f"Authentication-Results: {MX}; dmarc=pass header.from=acme.org\r\n".encode()
        assert checked(zone, forged + letter()).verdict is Verdict.NONE
        assert checked(zone, forged + letter(), trusts=("other.org",)).verdict is Verdict.NONE
        above = f"Authentication-Results: {MX}; dmarc=fail header.from=acme.org\r\n".encode()
        assert checked(zone, above + forged + letter(), trusts=(MX,)).verdict is Verdict.FAIL

    def test_a_failure_that_the_domain_does_not_mind_is_none(self, zone: names.Server) -> None:
        raw = f"Authentication-Results: {MX}; dmarc=fail header.from=acme.org\r\n".encode() + letter()
        zone.records[f"_dmarc.{DOMAIN}"] = ["v=DMARC1; p=none"]
        assert checked(zone, raw, trusts=(MX,)).verdict is Verdict.NONE


class TestSilence:
    def test_a_round_of_many_mails_loses_three_seconds_and_no_more(self, dns: names.Server, signed: Signer) -> None:
        dns.silent = True
        asked, began = Names(dns.resolver()), time.monotonic()
        for n in range(50):
            raw = mail(sender=f"carol@acme{n}.org")
            found = authentication.check(read.mail(raw)[0], raw, believed=Believed(), txt=asked.for_a_mail())
            assert found.verdict is Verdict.TEMPERROR
        assert 1 < time.monotonic() - began < 20  # each of them would take three

    def test_after_a_minute_it_is_asked_again(self, dns: names.Server) -> None:
        clock = [0.0]
        asked = Names(dns.resolver(), clock=lambda: clock[0])
        dns.failing = True
        with pytest.raises(Unanswered):
            asked.for_a_mail()("acme.org")
        dns.failing = False
        dns.records["acme.org"] = ["here"]
        with pytest.raises(Unanswered):
            asked.for_a_mail()("acme.org")
        clock[0] += AGAIN
        assert asked.for_a_mail()("acme.org") == (b"here",)

    def test_an_answer_is_remembered(self, dns: names.Server) -> None:
        asked = Names(dns.resolver())
        assert [asked.for_a_mail()("nothing.org") for _ in range(3)] == [(), (), ()]
        assert dns.asked == ["nothing.org"]

    @pytest.mark.parametrize("name", ["", ".", "a..b", "x" * 70 + ".org", "ä.org", "\0.org"])
    def test_what_is_no_name_has_no_record(self, dns: names.Server, name: str) -> None:
        assert Names(dns.resolver()).for_a_mail()(name) == ()


class TestProcessing:
    """From the ledger to the outcome."""

    def deliver(
        self, desk: Desk, dns: names.Server, *raws: bytes, uidvalidity: int = 1, trusts: Sequence[str] = ()
    ) -> list[InboundMail]:
        settings = desk.boot(ATUM_URL="https://desk.org")
        desk.pretend(trusts=list(trusts))
        with desk.database.transaction() as s:
            mailbox, now = s.scalars(select(Mailbox)).one(), database_now(s)
            fetched = [Fetched(n, raw, len(raw), now) for n, raw in enumerate(raws, 1)]
            large = actions.blobs(settings)
            actions.take(s, mailbox, fetched, uidvalidity=uidvalidity, large=large, now=now, move=False)
        asked = Names(dns.resolver())
        processor = Processor(desk.database, settings, reader=desk.reader, beat=lambda: None, names=asked.for_a_mail)
        for id in processor.waiting():
            processor.process(id)
        return desk.ledger()

    def test_a_mail_whose_domain_disowns_it_is_held_and_nobody_is_told(self, desk: Desk, zone: names.Server) -> None:
        [row] = self.deliver(desk, zone, LOOKED_AT + letter(), trusts=[MX])
        assert (row.state, row.verdict, row.ticket) == (MailState.QUARANTINED, Verdict.FAIL, None)
        assert "its sender could not be verified: no valid signature of acme.org" in str(row.reason)
        assert desk.count(Ticket) == 0
        with desk.database.transaction() as s:
            assert s.scalars(select(Letter)).all() == []

    def test_where_no_server_is_trusted_nothing_is_held(self, desk: Desk, zone: names.Server, signed: Signer) -> None:
        """SPF may vouch for it, and a gateway that writes into every mail has broken each signature."""
        [row] = self.deliver(desk, zone, signed(letter()).replace(b"broken", b"broken [from outside]"))
        assert (row.state, row.verdict) == (MailState.DONE, Verdict.NONE)
        assert "no valid signature of acme.org, and no server is trusted to say more" in str(row.verdict_words)

    def test_where_it_comes_again_verified_that_one_is_delivered_and_the_one_held_says_so(
        self, desk: Desk, zone: names.Server, signed: Signer
    ) -> None:
        """A forwarder's copy that lost its signature is often here before the one that came straight."""
        lost = LOOKED_AT + letter()
        raws = (lost, LOOKED_AT + b"X: 1\r\n" + letter(), signed(letter()), lost)
        held, again, straight, late = self.deliver(desk, zone, *raws, trusts=[MX])
        assert [row.state for row in (held, again, straight, late)] == [
            MailState.DUPLICATE,
            MailState.DUPLICATE,
            MailState.DONE,
            MailState.DUPLICATE,
        ]
        assert straight.ticket
        assert late.ticket == straight.ticket
        assert held.reason == f"it came again with its sender verified; that one is number {straight.id} of the ledger"
        assert desk.count(Ticket) == desk.count(Message) == 1

    def test_a_signed_one_is_a_ticket_and_says_by_what(self, desk: Desk, zone: names.Server, signed: Signer) -> None:
        [row] = self.deliver(desk, zone, signed(letter()))
        assert (row.state, row.verdict, row.verdict_words) == (MailState.DONE, Verdict.PASS, "DKIM for acme.org")

    def test_a_mailbox_believes_only_the_servers_it_was_told_of(self, desk: Desk, zone: names.Server) -> None:
        raws = [f"Authentication-Results: {MX}; dmarc=pass\r\n".encode() + letter(mail_id=f"<{n}@acme.org>") for n in (1, 2)]
        [first] = self.deliver(desk, zone, raws[0])
        [_, second] = self.deliver(desk, zone, raws[0], raws[1], trusts=[MX])
        assert (first.verdict, second.verdict) == (Verdict.NONE, Verdict.PASS)

    def test_of_mail_straight_to_us_only_our_own_line_on_top_counts(self, desk: Desk, zone: names.Server) -> None:
        own = b"Authentication-Results: desk.org; spf=pass smtp.mailfrom=carol@acme.org\r\n"
        other = b"Authentication-Results: else.org; spf=none\r\n"
        raws = [own + letter(mail_id="<1@acme.org>"), other + own + letter(mail_id="<2@acme.org>")]
        assert [row.verdict for row in self.deliver(desk, zone, *raws, uidvalidity=0)] == [Verdict.PASS, Verdict.NONE]

    def test_with_dns_dead_mail_flows_on(self, desk: Desk, dns: names.Server) -> None:
        dns.silent = True
        rows = self.deliver(desk, dns, *(letter(mail_id=f"<{n}@acme.org>") for n in range(10)))
        assert {(row.state, row.verdict) for row in rows} == {(MailState.DONE, Verdict.TEMPERROR)}
        assert desk.count(Ticket) == 10


@pytest.mark.skipif(not CORPUS.exists(), reason=f"the mail corpus is not at {CORPUS}; set ATUM_MAIL_CORPUS")
def test_no_mail_of_the_corpus_fails_it_or_takes_long() -> None:
    """Whatever DNS says: nothing, nonsense, or a key for everybody."""
    key = Signer().record.encode()
    for path in mails():
        raw = path.read_bytes()
        found, _ = read.mail(raw)
        servers = [results(said)[0] for said in found.results]
        for said in ((), (b"nonsense",), (key,), (b"v=DMARC1; p=reject; psd=y",)):
            began = time.process_time()
            authentication.check(found, raw, believed=Believed(servers), txt=lambda _, said=said: said)  # type: ignore[misc]
            assert time.process_time() - began < 1, path

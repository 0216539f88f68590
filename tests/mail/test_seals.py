"""Signed and encrypted mails from the ledger to their outcome: what a signature shows is told, and changes nothing."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from pysequoia import Cert
from sqlalchemy import select

from app.accounts.models import Person
from app.accounts.rules import Role
from app.core.errors import Conflict, Invalid
from app.db.session import now as database_now
from app.intake import actions, keys
from app.intake.folder import Fetched
from app.intake.models import InboundMail, Mailbox, SenderKey
from app.intake.rules.authentication import Verdict
from app.intake.rules.seal import SealState
from app.intake.rules.states import MailState
from app.tickets.models import Message, Ticket
from tests.mail.conftest import Desk
from tests.unit.intake import pgp, signing
from tests.unit.intake.letters import mail, multipart, part
from tests.unit.intake.signing import CAROL, ENTITY, beside, detached

SELF_SIGNED = detached(certificate=signing.self_signed())
UNKNOWN = "but the certificate is not by an authority we know, and anybody can make one."


def deliver(desk: Desk, raw: bytes, *, header_only: bool = False) -> InboundMail:
    settings = desk.boot()
    with desk.database.transaction() as s:
        mailbox, now = s.scalars(select(Mailbox)).one(), database_now(s)
        large = actions.blobs(settings)
        actions.take(
            s, mailbox, [Fetched(1, raw, len(raw), now, header_only=header_only)], uidvalidity=1, large=large, now=now, move=False
        )
    desk.process()
    [row] = desk.ledger()
    return row


@pytest.mark.parametrize(
    ("raw", "state", "words"),
    [
        (beside(SELF_SIGNED), SealState.DOUBTFUL, f"Signed by carol@acme.example, intact; {UNKNOWN}"),
        (beside(SELF_SIGNED, sender="eve@evil.example"), SealState.DOUBTFUL,
         f"Signed, but by another address than the sender's: carol@acme.example; {UNKNOWN}"),
        (beside(SELF_SIGNED, ENTITY + b"!"), SealState.BROKEN, "The signature doesn't fit: the mail was changed on its way."),
        (beside(b"nonsense"), SealState.UNKNOWN,
         "Signed, but that could not be checked: it is damaged, or of a kind that is not known here."),
        (mail(bytes.fromhex("300b06092a864886f70d010703"), Content_Type="application/pkcs7-mime"), SealState.ENCRYPTED,
         "Encrypted, and the desk has no key."),
        (mail(), None, None),
    ],
)  # fmt: skip
def test_whatever_it_shows_the_mail_is_a_ticket(desk: Desk, raw: bytes, state: SealState | None, words: str | None) -> None:
    row = deliver(desk, raw)
    assert (row.seal, row.seal_words) == (state, words)
    assert (row.state, row.verdict) == (MailState.DONE, Verdict.TEMPERROR), "no DNS is asked here, and a signature is no verdict"
    assert desk.count(Ticket) == desk.count(Message) == 1


def test_of_one_that_was_fetched_in_part_nobody_says_that_it_was_changed(desk: Desk) -> None:
    row = deliver(desk, beside(SELF_SIGNED, ENTITY[:40]), header_only=True)
    assert row.seal is SealState.UNKNOWN
    assert row.seal_words == "Signed, but that could not be checked: it is too large to be fetched whole."


def confirm(desk: Desk, cert: Cert, address: str = CAROL) -> int:
    """Somebody's say, here and now."""
    with desk.database.transaction() as s:
        now = database_now(s)
        bob = s.scalar(select(Person).where(Person.name == "Bob"))
        if bob is None:
            bob = Person(email="bob@desk.example", name="Bob", role=Role.MANAGER, created_at=now)
            s.add(bob)
            s.flush()
        return keys.bring(s, desk.reader, address, pgp.armored(cert), by=bob.signature, now=now).id


OF_CAROL = pgp.beside(pgp.signature())


@pytest.mark.parametrize(
    ("raw", "state", "words"),
    [
        (OF_CAROL, SealState.GOOD, "Signed by carol@acme.example, intact."),
        (pgp.beside(pgp.signature(), ENTITY + b"!"), SealState.BROKEN,
         "The signature doesn't fit: the mail was changed on its way."),
        (pgp.beside(pgp.signature(), sender="eve@evil.example"), SealState.DOUBTFUL,
         "Signed, but by another address than the sender's: carol@acme.example."),
        (pgp.beside(pgp.signature(), Autocrypt=f"keydata={base64.b64encode(pgp.revoked()).decode()}"), SealState.UNKNOWN,
         "Signed, but that could not be checked: its key was taken back by its owner."),
        (pgp.beside("nonsense"), SealState.UNKNOWN,
         "Signed, but that could not be checked: it is damaged, or of a kind that is not known here."),
        (multipart(part("Version: 1", "application/pgp-encrypted"), part("-----BEGIN PGP MESSAGE-----",
         "application/octet-stream"), kind="encrypted"), SealState.ENCRYPTED, "Encrypted, and the desk has no key."),
    ],
)  # fmt: skip
def test_whatever_openpgp_shows_the_mail_is_a_ticket(desk: Desk, raw: bytes, state: SealState, words: str) -> None:
    confirm(desk, pgp.public())
    row = deliver(desk, raw)
    assert (row.seal, row.seal_words) == (state, words)
    assert (row.state, row.verdict) == (MailState.DONE, Verdict.TEMPERROR), "a signature is no verdict"
    assert desk.count(Ticket) == desk.count(Message) == 1


def test_a_key_counts_while_it_is_confirmed(desk: Desk) -> None:
    unconfirmed = "which nobody here has confirmed; whether it fits was not checked."
    before = deliver(desk, OF_CAROL)
    assert before.seal is SealState.UNKNOWN
    assert (before.seal_words or "").endswith(unconfirmed)
    id = confirm(desk, pgp.public())
    assert again(desk, 2).seal is SealState.GOOD
    with desk.database.transaction() as s:
        keys.withdraw(s, id, by=(1, "Bob"), now=database_now(s))
    after = again(desk, 3)
    assert after.seal is SealState.UNKNOWN
    assert (after.seal_words or "").endswith(unconfirmed)
    assert desk.ledger()[1].seal is SealState.GOOD, "what was told stays"


def again(desk: Desk, uid: int) -> InboundMail:
    raw = pgp.beside(pgp.signature(), mail_id=f"<{uid}@acme.example>")
    settings = desk.settings()
    with desk.database.transaction() as s:
        mailbox, now = s.scalars(select(Mailbox)).one(), database_now(s)
        actions.take(s, mailbox, [Fetched(uid, raw, len(raw), now)], uidvalidity=1, large=actions.blobs(settings), now=now)
    desk.process()
    return desk.ledger()[-1]


def test_a_key_that_comes_along_is_believed_by_nobody(desk: Desk) -> None:
    row = deliver(desk, pgp.beside(pgp.signature(), Autocrypt=f"keydata={base64.b64encode(bytes(pgp.public())).decode()}"))
    assert row.seal is SealState.UNKNOWN
    with desk.database.transaction() as s:
        assert s.scalar(select(SenderKey)) is None


@pytest.mark.parametrize(
    "harm",
    [
        pgp.beside("x" * 3_000_000),
        multipart(part("Keys."), *[pgp.attached(b"\x99\xff\xff" * 80_000) for _ in range(30)]),
        multipart(part("Keys."), pgp.attached(bytes(pgp.public()) * 200)),
        pgp.beside(pgp.signature(), Autocrypt="keydata=" + "A" * 500_000),
        multipart(part("Keys."), pgp.attached(pgp.bomb(pgp.bomb(bytes(pgp.public()) + b"\0" * 200_000_000)))),
    ],
    ids=["a giant signature", "many giant keys", "one key many times", "a giant header", "one that unpacks to 200 MB"],
)
def test_hostile_keys_and_signatures_keep_no_mail_out(desk: Desk, harm: bytes) -> None:
    confirm(desk, pgp.public())
    row = deliver(desk, harm)
    assert row.state is MailState.DONE
    assert desk.count(Ticket) == 1


class TestConfirming:
    def test_a_renewed_key_takes_the_old_one_s_place_and_forgets_nothing(self, desk: Desk) -> None:
        own = pgp.key("Carol renews <carol@acme.example>")
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
        first = confirm(desk, pgp.public(own))
        assert confirm(desk, pgp.public(own).set_expiration(until, own.certifier())) == first
        with desk.database.transaction() as s:
            assert s.get_one(SenderKey, first).expires_at == until
        with pytest.raises(Conflict, match=r"for carol@acme\.example already"):
            confirm(desk, pgp.public(own))

    def test_one_that_was_taken_back_comes_back_by_no_older_copy(self, desk: Desk) -> None:
        own = pgp.key("Carol revokes <carol@acme.example>")
        id = confirm(desk, pgp.public(own))
        with desk.database.transaction() as s:
            s.get_one(SenderKey, id).content = pgp.revoked(own)
        with pytest.raises(Invalid, match="taken this key back"):
            confirm(desk, pgp.public(own))

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            ("nonsense", "no OpenPGP public key"),
            (pgp.armored(pgp.public()) + pgp.armored(pgp.public(pgp.key("Eve"))), "several keys"),
            (pgp.armored(pgp.revoked()), "taken this key back"),
            (pgp.kept("ran_out.key"), "ran out on 2025-01-11"),
            (pgp.kept("short.key"), "can be forged"),
            ("x" * 300_000, "at most 256 KB"),
        ],
    )
    def test_what_is_worth_nothing_is_refused_in_words(self, desk: Desk, content: str, why: str) -> None:
        with desk.database.transaction() as s, pytest.raises(Invalid, match=why):
            keys.bring(s, desk.reader, CAROL, content, by=(1, "Bob"), now=database_now(s))

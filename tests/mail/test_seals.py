"""Signed and encrypted mails from the ledger to their outcome: what a signature shows is told, and changes nothing."""

import pytest
from sqlalchemy import select

from app.db.session import now as database_now
from app.intake import actions
from app.intake.folder import Fetched
from app.intake.models import InboundMail, Mailbox
from app.intake.rules.authentication import Verdict
from app.intake.rules.seal import SealState
from app.intake.rules.states import MailState
from app.tickets.models import Message, Ticket
from tests.mail.conftest import Desk
from tests.unit.intake import signing
from tests.unit.intake.letters import mail
from tests.unit.intake.signing import ENTITY, beside, detached

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

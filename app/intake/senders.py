"""Who wrote a mail, as its mailbox has it: From says so, or Reply-To, where forms write everything in their own name.

What servers and signatures attest to is about From. Whom another field names is anybody's say: never attested, and never one of
those who work here.
"""

from dataclasses import replace

from app.accounts import queries
from app.db.session import Session
from app.intake.rules.authentication import Checked, Verdict
from app.intake.rules.mail import Mail
from app.intake.rules.states import Disowned, SenderFrom
from app.outbox.house import House


def named(s: Session, mail: Mail, checked: Checked, *, by: SenderFrom, house: House) -> tuple[Mail, Checked]:
    """The mail with whoever wrote it, and whether that is known. `checked` is about From, and a mail that its domain disowns
    there stays that, whomever else it names.
    """
    elsewhere = mail.reply_to if by is SenderFrom.REPLY_TO else None
    if elsewhere and not house.is_own(elsewhere.address) and (mail.wrote is None or mail.wrote.address != elsewhere.address):
        mail = replace(mail, sender=elsewhere, sender_field="reply-to")
    if mail.sender and mail.sender_field != "from" and _works_here(s, mail.sender.address):
        ours = mail.wrote is None or house.is_own(mail.wrote.address)
        mail = replace(mail, sender=None if ours else mail.wrote, sender_field="from")
    if checked.verdict is Verdict.FAIL or (mail.sender and mail.sender_field == "from"):
        return mail, checked
    words = f"its sender is named by {mail.sender_field.title()}, which anybody can write"
    if mail.sender is None:
        words = "it names no sender"
    return mail, Checked(Verdict.NONE, words)


def may_be_taken(s: Session, mail: Mail, policy: Disowned) -> bool:
    """Whether this policy lets a mail be taken that its domain disowns: never one in the name of somebody who works here."""
    named = {one.address for one in (mail.sender, mail.wrote) if one}
    return policy is not Disowned.QUARANTINE and not any(_works_here(s, address) for address in named)


def _works_here(s: Session, address: str) -> bool:
    known = queries.by_email(s, address)
    return known is not None and known.staff

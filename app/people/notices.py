"""What the desk writes to people about their accounts.

Nothing in these letters comes from whoever caused them, not even a name: a letter that strangers can have sent to others must
not be able to carry their words.
"""

from app.accounts.rules import LinkPurpose
from app.outbox import actions as outbox
from app.outbox.actions import Draft
from app.outbox.compose import LINK
from app.outbox.house import House
from app.outbox.models import Kind
from app.people.rules import PAGE

_SUBJECTS = {
    LinkPurpose.INVITE: "Your account at the help desk",
    LinkPurpose.RESET: "A new password for the help desk",
    LinkPurpose.EMAIL: "Confirm your new address",
}
_WORDS = {
    LinkPurpose.INVITE: (
        "There is an account for you at {desk}\n\n"
        "To choose your password, open this link within 72 hours. It works once.\n\n{link}\n\n"
        "If you did not expect this, do nothing: without a password nobody signs in."
    ),
    LinkPurpose.RESET: (
        "Somebody asked for a new password for your account at {desk}\n\n"
        "To choose one, open this link within 30 minutes. It works once.\n\n{link}\n\n"
        "If it was not you, do nothing: your password stays as it is."
    ),
    LinkPurpose.EMAIL: (
        "Somebody who has an account at {desk} wants to use this address from now on.\n\n"
        "If it was you, open this link within 24 hours, where you are signed in, and confirm it.\n\n{link}\n\n"
        "If it was not you, do nothing: this address stays out of it."
    ),
}
_CHANGED = (
    "The password of your account at {desk} was changed, and every session was ended.\n\n"
    "If it was not you, choose a new password at {desk}/forgot and tell an administrator of the desk. "
    "API tokens still work; end those that you don't know."
)
_MOVED = (
    "Your account at {desk} has another e-mail address from now on. Letters go there, and so do links for a new password.\n\n"
    "If you know nothing of this, tell an administrator of the desk at once."
)


def link(house: House, purpose: LinkPurpose, to: str, mail_id: str) -> Draft:
    """A one-time link, which the sender writes into the letter: it stands in no row."""
    words = _WORDS[purpose].replace("{desk}", house.url)
    assert LINK in words
    return _draft(to, mail_id, subject=_SUBJECTS[purpose], text=words, page=PAGE[purpose])


def password_changed(house: House, to: str) -> Draft:
    """That there is a new password."""
    return _draft(to, outbox.new_mail_id(0, 0), subject="Your password was changed", text=_CHANGED.format(desk=house.url))


def address_changed(house: House, to: str) -> Draft:
    """To the old address, that there is a new one."""
    return _draft(to, outbox.new_mail_id(0, 0), subject="Your e-mail address was changed", text=_MOVED.format(desk=house.url))


def _draft(to: str, mail_id: str, *, subject: str, text: str, page: str | None = None) -> Draft:
    return Draft(
        kind=Kind.NOTICE,
        dedupe_key=f"person:{mail_id}",
        ticket=None,
        message_id=None,
        to_address=to,
        to_name="",
        from_name="",
        subject=subject,
        text=text,
        in_reply_to=None,
        references=(),
        mail_id=mail_id,
        link=page,
    )

"""What the desk writes to administrators about its mailboxes."""

from datetime import datetime, tzinfo

from app.accounts.models import Person
from app.core import zones
from app.intake.models import Mailbox
from app.intake.rules.states import MailboxState
from app.outbox import actions as outbox
from app.outbox.actions import Draft
from app.outbox.models import Kind

_GOES_ON = (
    "Nothing is lost: what comes meanwhile waits on its server. The desk goes on trying, ever more rarely, so as not to be",
    "locked out; a new password, or atum mailbox resume, makes it try at once. You get this once.",
)
_UNTIL_SOMEBODY_DOES = (
    "Nothing is lost: what comes meanwhile waits on its server. The desk does not ask again until somebody has done that.",
    "You get this once.",
)


def not_coming_in(mailbox: Mailbox, to: Person, zone: tzinfo) -> Draft:
    """That a mailbox can't be read, and why. The outbox takes it once for each time that the mailbox began to fail."""
    lasting = mailbox.state is MailboxState.NEEDS_REAUTH
    lines = [
        f"Mail to {mailbox.name} has not come in since {mailbox.failing_since:%Y-%m-%d %H:%M} UTC:",
        "",
        f"  {mailbox.reason}",
        "",
        *(_UNTIL_SOMEBODY_DOES if lasting else _GOES_ON),
    ]
    key = f"mailbox:{mailbox.id}:{mailbox.failing_since:%Y%m%dT%H%M%S}:{to.email}{':lasting' * lasting}"
    return _notice(key, to, f"Mail to {mailbox.name} is not coming in", "\n".join(lines), zone)


def too_quiet(mailbox: Mailbox, words: str, since: datetime, to: Person, zone: tzinfo) -> Draft:
    """That no mail comes to a mailbox that can be read. The outbox takes it once for each time that it began to be too quiet."""
    key = f"quiet:{mailbox.id}:{since:%Y%m%dT%H%M%S}:{to.email}"
    return _notice(key, to, f"No mail comes to {mailbox.name}", f"{words}\n\nYou get this once, until mail comes again.", zone)


def _notice(key: str, to: Person, subject: str, said: str, zone: tzinfo) -> Draft:
    """`zone` is the desk's, for who has none."""
    return Draft(
        kind=Kind.NOTICE,
        dedupe_key=key,
        ticket=None,
        message_id=None,
        to_address=to.email,
        to_name=to.name,
        from_name="",
        subject=subject,
        text=zones.retold(said, zones.of(to.zone, zone)),
        in_reply_to=None,
        references=(),
        mail_id=outbox.new_mail_id(0, 0),
    )

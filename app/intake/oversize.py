"""A mail that is too large to be fetched whole: its words stand on a ticket, the rest stays on its server, and who sent it may be
told how large one may be.
"""

from datetime import datetime

from app.db.session import Session
from app.intake.landing import Arrived
from app.intake.models import InboundMail
from app.intake.rules.mail import Mail
from app.intake.stubborn import LARGEST
from app.outbox import actions as outbox
from app.tickets import notices, opening
from app.tickets.actions import Body
from app.tickets.models import Ticket


def body(row: InboundMail, mail: Mail) -> Body:
    """What a page says of it: what was left behind and where it lies, and then the mail's own words."""
    taken = "Of what it says" if mail.text.strip() else "Of it"
    left = "at most the first megabyte was taken, and no file." if mail.text.strip() else "only what its header says was taken."
    notice = (
        f"[This mail is too large to be fetched ({row.size / 1e6:.0f} MB). It is still in the mailbox {row.mailbox.name}. "
        f"{taken} {left}]\n\n"
    )
    moved = len(notice)
    return Body(f"{notice}{mail.text}".rstrip(), folds=[(begin + moved, end + moved, why) for begin, end, why in mail.folds])


def is_told(mail: Arrived) -> bool:
    """Whether its sender is to hear of that instead of an acknowledgement, as far as the mail goes."""
    row = mail.row
    return row.header_only and row.refusal is None and row.mailbox.tells_too_large and row.sender is not None


def tell(s: Session, mail: Arrived, ticket: Ticket, *, now: datetime) -> None:
    """Tell its sender, but no machine, nobody who was disabled, for no mail of long ago, and only as often as they may get
    acknowledgements.
    """
    to = mail.sender
    if mail.auto or mail.late or to.disabled_at is not None:
        return
    if opening.may_acknowledge(s, to.email, ticket.desk_address, now=now):
        outbox.put(s, notices.too_large(ticket, to, mail.row.mail_id, most=LARGEST, now=now), now=now)

"""Delivery reports (RFC 3464): which mail could not be delivered, to whom and why."""

import re

from app.core import text
from app.intake.rules import addresses, headers
from app.intake.rules.headers import Headers
from app.intake.rules.mail import Bounce
from app.intake.rules.parts import Part


def bounce(whole: Part) -> Bounce | None:
    """What the report says; None for a mail that isn't one."""
    status = next(
        (p for p in whole.walk() if p.media_type in {"message/delivery-status", "message/global-delivery-status"}), None
    )
    if status is None:
        return None
    fields = _recipient_fields(status.content)
    recipient = fields.first("final-recipient") or fields.first("original-recipient")
    return Bounce(
        mail_ids=_returned(whole),
        recipient=text.one_line(recipient.partition(";")[2] or recipient, most=320),
        action=text.one_line(fields.first("action"), most=40).lower(),
        status=text.one_line(fields.first("status"), most=20),
        diagnostic=text.one_line(fields.first("diagnostic-code").partition(";")[2], most=500),
    )


def _recipient_fields(content: bytes) -> Headers:
    """The first block that speaks of a recipient: the one before is about the mail as a whole."""
    for block in re.split(rb"(?:\r?\n){2,}", content[: headers.MOST_ALL].strip()):
        fields, _ = headers.split(block)
        if fields.has("action") or fields.has("final-recipient"):
            return fields
    return Headers()


def _returned(whole: Part) -> tuple[str, ...]:
    """The Message-IDs of the mails that came back, whole or only their headers."""
    kinds = {"message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global", "message/global-headers"}
    back = (headers.split(p.content)[0] for p in whole.walk() if p.media_type in kinds)
    return tuple(found for fields in back if (found := addresses.first_mail_id(fields.first("message-id"))))

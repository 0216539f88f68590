"""A mail read: bytes in, what is known out. It never refuses: whatever can't be understood is left as it is."""

import hashlib
from collections.abc import Sequence
from email.utils import parsedate_to_datetime

from app.core import text
from app.intake.rules import addresses, automatic, body, files, html, parts, report
from app.intake.rules.headers import Headers
from app.intake.rules.mail import Address, Found, Mail

TOO_MANY_PARTS = "[This mail has more parts than can be shown. The rest is only in the original.]"

_SENDERS = ("from", "sender", "reply-to", "return-path", "x-original-from")
_DELIVERED = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to", "x-rcpt-to")


def mail(raw: bytes) -> tuple[Mail, Sequence[Found]]:
    """The mail and its files."""
    whole, exceeded = parts.tree(raw)
    whole.headers.charset = _own_charset(whole)
    said = body.said(whole)
    plain = said.text or html.plain(said.html)[: body.MOST_TEXT]
    if exceeded:
        plain = f"{plain}\n\n{TOO_MANY_PARTS}".strip()
    harmless = html.harmless(said.html) if said.html else None
    return _described(whole, plain, harmless), files.sorted_out(said.files, said.html)


def _described(whole: parts.Part, plain: str, harmless: str | None) -> Mail:
    h = whole.headers
    sender, subject = _sender(h), h.text("subject")
    return Mail(
        sender=sender,
        to=_every(h, "to"),
        cc=_every(h, "cc"),
        delivered_to=tuple(a.address for name in _DELIVERED for a in _every(h, name)),
        subject=subject,
        message_id=addresses.first_mail_id(h.first("message-id")),
        in_reply_to=addresses.mail_ids(h.first("in-reply-to")),
        references=addresses.mail_ids(" ".join(h.all("references"))),
        date=_date(h.first("date")),
        automatic=automatic.why(h, sender=_claimed(h), subject=subject, media_type=whole.media_type),
        bounce=report.bounce(whole),
        text=plain,
        html=harmless,
        html_policy=None if harmless is None else html.POLICY,
        content_key=_content_key(whole),
    )


def _sender(h: Headers) -> Address | None:
    """Who it is from; nobody where From names several, of whom any might be made up."""
    if len({one.address for one in _every(h, "from")}) > 1:
        return None
    return next((found[0] for name in _SENDERS if (found := addresses.addresses(h.first(name)))), None)


def _claimed(h: Headers) -> str:
    """The first address of From, or what else stands there: machines write bare names."""
    found = addresses.addresses(h.first("from"))
    return found[0].address if found else h.text("from").rpartition("<")[2].strip(" <>")


def _every(h: Headers, name: str) -> tuple[Address, ...]:
    return tuple(a for value in h.all(name)[:50] for a in addresses.addresses(value))[: addresses.MOST]


def _own_charset(whole: parts.Part) -> str:
    return next((p.parameters["charset"] for p in whole.walk() if "charset" in p.parameters), "")


def _date(raw: str) -> str | None:
    try:
        return parsedate_to_datetime(text.one_line(raw, most=100)).isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _content_key(whole: parts.Part) -> str:
    """The same for the same mail, however often and by whichever way it comes; another for another mail with its ID.

    What stations on the way add stands in the header, so of the header only what the sender wrote once is taken.
    """
    names = ("message-id",) if whole.headers.has("message-id") else ("from", "to", "date", "subject")
    digest = hashlib.sha256()
    for name in names:
        digest.update(whole.headers.first(name).encode("utf-8", "replace") + b"\0")
    for piece in whole.pieces():
        digest.update(piece.replace(b"\r\n", b"\n"))
    return digest.hexdigest()

"""A mail read: bytes in, what is known out. It never refuses: whatever can't be understood is left as it is."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from email.utils import parsedate_to_datetime
from html import escape

from app.core import text
from app.intake.rules import addresses, automatic, body, calendar, files, html, openpgp, parts, quotes, report, smime
from app.intake.rules.authentication import MOST_OF_ONE
from app.intake.rules.headers import Headers
from app.intake.rules.mail import Address, Found, Mail
from app.intake.rules.quotes import Fold

ANSWERS = "it answers an invitation"
TOO_MANY_PARTS = "[This mail has more parts than can be shown. The rest is only in the original.]"

_SENDERS = ("from", "sender", "reply-to", "return-path", "x-original-from")
_INSTEAD_OF_NOBODY = ("reply-to",)
_INSTEAD_OF_A_LIST = ("x-original-from",)
_NOBODY = re.compile(r"(?:.{0,60}[._-])?(?:no|do[._-]?not|dont)[._-]?reply(?:[._+-].{0,60})?")
_VIA = re.compile(r"\S\s+via\s+\S", re.IGNORECASE)
_DELIVERED = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to", "x-rcpt-to")


def mail(raw: bytes) -> tuple[Mail, Sequence[Found]]:
    """The mail and its files."""
    whole, exceeded = parts.tree(raw)
    whole.headers.charset = _own_charset(whole)
    said = body.said(whole)
    if not said.text.strip() and not said.html.strip():
        said.text, said.html = said.spare
    subject, page = whole.headers.text("subject"), said.html
    plain = said.text or html.plain(said.html)[: body.MOST_TEXT]
    cards = tuple(dict.fromkeys(said.cards))
    shown = "".join(f"{calendar.in_words(card)}\n\n" for card in cards)
    if shown and page:
        page = f"<pre>{escape(shown.strip())}</pre>\n{page}"
    brought = files.sorted_out(said.files, said.html)
    within = {file.location: file.content_id or file.location for file in brought if file.inline and file.location}
    harmless = html.harmless(page, forwarded=quotes.is_forwarded(subject), within=within) if page else None
    plain = text.printable(f"{shown}{plain}").rstrip("\n")
    folds = quotes.folds(plain, subject=subject) if said.text else html.folds(plain, harmless, subject=subject)
    if exceeded:
        plain = f"{plain}\n\n{TOO_MANY_PARTS}".lstrip("\n")
    found = _described(whole, subject, plain, tuple(folds), harmless)
    machine = found.automatic or (ANSWERS if any(card.method == "reply" for card in cards) else "")
    seal = found.seal or openpgp.within(said.text)
    return replace(found, automatic=machine, charset=said.charset, cards=cards, seal=seal), brought


def _described(whole: parts.Part, subject: str, plain: str, folds: tuple[Fold, ...], harmless: str | None) -> Mail:
    h = whole.headers
    sender, named_by = _sender(h)
    machine = automatic.why(h, sender=_claimed(h), subject=subject, media_type=whole.media_type)
    return Mail(
        sender=sender,
        sender_field=named_by,
        to=_every(h, "to"),
        cc=_every(h, "cc"),
        delivered_to=tuple(a.address for name in _DELIVERED for a in _every(h, name)),
        subject=subject,
        message_id=addresses.first_mail_id(h.first("message-id")),
        in_reply_to=addresses.mail_ids(h.first("in-reply-to")),
        references=addresses.mail_ids(" ".join(h.all("references"))),
        date=_date(h.first("date")),
        automatic=machine,
        report=report.report(whole, automatic=machine),
        text=plain,
        html=harmless,
        html_policy=None if harmless is None else html.POLICY,
        folds=folds,
        content_key=_content_key(whole),
        results=tuple(value[:MOST_OF_ONE] for value in h.all("authentication-results")[:20]),
        from_field=_only_from(h),
        wrote=_one(h, "from"),
        reply_to=_one(h, "reply-to"),
        seal=smime.found(whole) or openpgp.found(whole),
        brings_keys=bool(openpgp.brought(whole)),
    )


def _sender(h: Headers) -> tuple[Address | None, str]:
    """Who it is from, and the field that says so; nobody where From names several, of whom any might be made up.

    From stands for a person but where it says itself that nobody reads there, or where a list put itself there and moved it.
    """
    wrote = _every(h, "from")
    if len({one.address for one in wrote}) > 1:
        return None, "from"
    instead = _INSTEAD_OF_NOBODY if wrote and _is_nobody(wrote[0]) else _INSTEAD_OF_A_LIST if wrote and _is_list(wrote[0]) else ()
    for name in (*instead, *_SENDERS):
        named = _every(h, name)
        if named and (name not in instead or len(named) == 1):
            return named[0], name
    return None, "from"


def _one(h: Headers, name: str) -> Address | None:
    named = _every(h, name)
    return named[0] if len({one.address for one in named}) == 1 else None


def _is_nobody(one: Address) -> bool:
    return _NOBODY.fullmatch(one.address.partition("@")[0]) is not None


def _is_list(one: Address) -> bool:
    return _VIA.search(one.name) is not None


def _claimed(h: Headers) -> str:
    """The first address of From, or what else stands there: machines write bare names."""
    found = addresses.addresses(h.first("from"))
    return found[0].address if found else h.text("from").rpartition("<")[2].strip(" <>")


def _only_from(h: Headers) -> str:
    """As whoever verifies signatures has to read it too."""
    named = h.all("from")
    one_line = " ".join(named[0].split()) if len(named) == 1 else ""
    return one_line if len(one_line) < MOST_OF_ONE and len(addresses.addresses(one_line)) == 1 else ""


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

"""From a row to a mail (RFC 5322), with nothing in its headers that the row could have smuggled in."""

import base64
import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email import policy
from email.header import Header
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UniqueSingleAddressHeader, UnstructuredHeader
from email.message import EmailMessage
from email.policy import EmailPolicy, Policy
from email.utils import format_datetime
from pathlib import Path
from zlib import crc32

from css_inline import CSSInliner

from app.core import text
from app.outbox import rules
from app.outbox.house import House
from app.outbox.models import Kind, Letter
from app.outbox.rules import wire_address

LINK = "{link}"  # where a letter that has one says its one-time link
MOST_REFERENCES = 998  # characters: the longest line RFC 5322 allows, and more than any reader needs
_INLINER = CSSInliner(load_remote_stylesheets=False, keep_style_tags=False)
_TOP, _PARAGRAPH, _FOOTER, _END = _INLINER.inline(Path(__file__).with_name("letter.html").read_text()).split("<!--cut-->")
_FOREIGN_ID = re.compile(r"<[!-;=?-~]{1,250}>")
_AUTO_SUBMITTED = {Kind.ACKNOWLEDGEMENT: "auto-replied", Kind.NOTICE: "auto-generated"}


@dataclass(frozen=True)
class Enclosure:
    """A file that goes with a letter."""

    name: str
    media_type: str
    content: bytes


class Ids(UnstructuredHeader, BaseHeader):
    """Message-IDs, one a line. Python's own folding would hide a long one in an encoded word, and no thread would hold."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: " + f"{policy.linesep} ".join(str(self).split()) + policy.linesep


class Mailbox(UniqueSingleAddressHeader, BaseHeader):  # type: ignore[misc]  # the stubs know only the registry's own joining
    """A name and an address. Python's own folding loses the quotes of a long name, and then a comma in it is a new address."""

    def fold(self, *, policy: Policy) -> str:
        name, address = self.address.display_name, f"<{self.address.addr_spec}>"
        if not name:
            return f"{self.name}: {address}{policy.linesep}"
        if name.isascii():
            return f"{self.name}: {_quoted(name)}{policy.linesep} {address}{policy.linesep}"
        return f"{self.name}: {Header(name, 'utf-8').encode(linesep=policy.linesep)}{policy.linesep} {address}{policy.linesep}"


def _policy() -> "EmailPolicy[EmailMessage]":
    headers = HeaderRegistry()
    for name in ("message-id", "in-reply-to", "references"):
        headers.map_to_type(name, Ids)
    for name in ("from", "to", "reply-to"):
        headers.map_to_type(name, Mailbox)
    return policy.SMTP.clone(header_factory=headers, cte_type="7bit")


_POLICY = _policy()


def compose(letter: Letter, house: House, enclosures: Sequence[Enclosure] = ()) -> EmailMessage:
    """The mail of a letter: the same one each time. Raises ValueError where the address is none."""
    message = EmailMessage(policy=_POLICY)
    for name, value in _headers(letter, house):
        message[name] = value
    link = house.ticket_url(letter.ticket) if letter.ticket else None
    once = house.one_time_url(letter.link, letter.mail_id) if letter.link else None
    message.set_content(_plain(letter.text, link, once))
    message.add_alternative(_html(letter.text, link, once), subtype="html")
    for file in enclosures:
        main, _, sub = file.media_type.partition("/")
        message.add_attachment(file.content, maintype=main, subtype=sub, filename=text.file_name(file.name))
    _name_boundaries(message, letter)
    return message


def _headers(letter: Letter, house: House) -> Iterable[tuple[str, object]]:
    sender = house.sender(letter.from_address)
    yield "From", _address(letter.from_name or house.name, sender)
    yield "To", _address(letter.to_name, wire_address(letter.to_address))
    if letter.ticket and letter.kind in {Kind.REPLY, Kind.ACKNOWLEDGEMENT}:
        yield "Reply-To", _address(house.name, house.reply_address(letter.ticket, letter.to_address, sender))
    yield "Subject", text.one_line(letter.subject, most=500)
    yield "Date", format_datetime(letter.created_at)
    yield "Message-ID", house.mail_id(letter.mail_id)
    if answered := _whole([letter.in_reply_to or ""], house):
        yield "In-Reply-To", answered[0]
    if references := _capped(_whole(letter.references or _root(letter), house)):
        yield "References", " ".join(references)
    if letter.ticket:
        yield from _thread(letter, letter.ticket, house)
    if auto := _AUTO_SUBMITTED.get(letter.kind):  # RFC 3834, and two that mail servers heeded before it
        yield "Auto-Submitted", auto
        yield "X-Auto-Response-Suppress", "All"
        yield "Precedence", "bulk"
        yield "X-Loop", sender


def _root(letter: Letter) -> list[str]:
    """What a letter refers to that answers no mail: one made-up ancestor for all of a ticket, so that they are one thread."""
    return [f"t.{letter.ticket}.0.0"] if letter.ticket else []


def _thread(letter: Letter, ticket: int, house: House) -> Iterable[tuple[str, object]]:
    """What Outlook goes by: one conversation for all letters of a ticket, and its topic (MS-OXOMSG 2.2.1.2 and 2.2.1.3)."""
    topic = f"Ticket {ticket}" if letter.kind is Kind.NOTICE else rules.topic(letter.subject, ticket)
    if topic := text.one_line(topic, most=500):
        yield "Thread-Topic", topic
    index = rules.conversation_index(house.conversation(ticket), letter.created_at, crc32(letter.mail_id.encode()))
    yield "Thread-Index", base64.b64encode(index).decode()


def _quoted(name: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'


def _address(name: str, address: str) -> Address:
    return Address(text.one_line(name, most=100), addr_spec=address)


def _whole(ids: Iterable[str], house: House) -> list[str]:
    """Message-IDs as the world knows them; what is not one is left out."""
    whole = (one if one.startswith("<") else house.mail_id(one) for one in ids if one)
    return [one for one in whole if _FOREIGN_ID.fullmatch(one)]


def _capped(ids: list[str]) -> list[str]:
    """The first, which names the thread, and as many of the last as fit."""
    if len(" ".join(ids)) <= MOST_REFERENCES:
        return ids
    kept, room = [], MOST_REFERENCES - len(ids[0])
    for one in reversed(ids[1:]):
        room -= len(one) + 1
        if room < 0:
            break
        kept.append(one)
    return [ids[0], *reversed(kept)]


def _plain(body: str, link: str | None, once: str | None) -> str:
    lines = text.printable(body).rstrip()
    lines = lines.replace(LINK, once) if once else lines
    return f"{lines}\n\n-- \n{link}\n" if link else f"{lines}\n"


def _html(body: str, link: str | None, once: str | None) -> str:
    blocks = re.split(r"\n{2,}", html.escape(text.printable(body).strip()))
    lines = (block.replace("\n", "<br>\n").replace("  ", "&nbsp; ") for block in blocks)
    shown = "".join(_PARAGRAPH.replace("[words]", words) for words in lines)
    shown = shown.replace(LINK, _anchor(once)) if once else shown
    return _TOP + shown + (_FOOTER.replace("[link]", _anchor(link)) if link else "") + _END


def _anchor(url: str) -> str:
    return f'<a href="{html.escape(url)}">{html.escape(url)}</a>'


def _name_boundaries(message: EmailMessage, letter: Letter) -> None:
    """Fixed ones, so that a resend is the same mail; "=_" can't appear in quoted-printable or base64."""
    for n, part in enumerate(part for part in message.walk() if part.is_multipart()):
        part.set_boundary(f"=_{letter.mail_id}.{n}")

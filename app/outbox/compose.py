"""From a row to a mail (RFC 5322), with nothing in its headers that the row could have smuggled in."""

import base64
import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.header import Header
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UniqueSingleAddressHeader, UnstructuredHeader
from email.message import EmailMessage
from email.policy import EmailPolicy, Policy
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
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
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.()-]+( [A-Za-z0-9_.()-]+)*")
_FOREIGN_ID = re.compile(r"<[!-;=?-~]{1,250}>")
_NOTHING: Mapping[str, datetime] = {}
_AUTO_SUBMITTED = {Kind.ACKNOWLEDGEMENT: "auto-replied", Kind.NOTICE: "auto-generated"}


@dataclass(frozen=True)
class Enclosure:
    """A file that goes with a letter."""

    name: str
    media_type: str
    content: bytes


class Ids(UnstructuredHeader, BaseHeader):
    """Message-IDs or links, one a line. Python's own folding would hide a long one in an encoded word: no thread would hold."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: " + f"{policy.linesep} ".join(str(self).split()) + policy.linesep


class Words(UnstructuredHeader, BaseHeader):
    """Words as they are. Python's own parsing would decode what looks like an encoded word (RFC 2047), and write the line breaks
    that it holds into the mail.
    """

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        kwds["decoded"], kwds["parse_tree"] = value, None

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {_encoded(str(self), self.name, policy)}{policy.linesep}"


class Disposition(Words):
    """That a part is a file, and what it is called; one parameter a line."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: " + str(self).replace("; ", f";{policy.linesep} ") + policy.linesep


class Mailbox(UniqueSingleAddressHeader, BaseHeader):  # type: ignore[misc]  # the stubs know only the registry's own joining
    """A name and an address. Python's own folding loses the quotes of a long name, and then a comma in it is a new address."""

    def fold(self, *, policy: Policy) -> str:
        name, address = self.address.display_name, f"<{self.address.addr_spec}>"
        if not name:
            return f"{self.name}: {address}{policy.linesep}"
        if _harmless(name):
            return f"{self.name}: {_quoted(name)}{policy.linesep} {address}{policy.linesep}"
        return f"{self.name}: {_encoded(name, self.name, policy)}{policy.linesep} {address}{policy.linesep}"


def _harmless(words: str) -> bool:
    """Whether these words can stand in a header as they are: nobody would take a part of them for an encoded word."""
    return words.isascii() and "=?" not in words


def _encoded(words: str, name: str, policy: Policy) -> str:
    charset = "us-ascii" if _harmless(words) else "utf-8"
    return Header(words, charset, header_name=name).encode(linesep=policy.linesep)


def _policy() -> "EmailPolicy[EmailMessage]":
    headers = HeaderRegistry()
    for name in ("message-id", "in-reply-to", "references", "list-unsubscribe"):
        headers.map_to_type(name, Ids)
    for name in ("subject", "thread-topic"):
        headers.map_to_type(name, Words)
    headers.map_to_type("content-disposition", Disposition)
    for name in ("from", "to", "reply-to"):
        headers.map_to_type(name, Mailbox)
    return policy.SMTP.clone(header_factory=headers, cte_type="7bit")


_POLICY = _policy()


Written = Mapping[str, datetime]  # when the letters were that have these bare Message-IDs


def compose(letter: Letter, house: House, enclosures: Sequence[Enclosure] = (), *, written: Written = _NOTHING) -> EmailMessage:
    """The mail of a letter: the same one each time. `written` is of those it refers to. Raises ValueError where the address is
    none.
    """
    message = EmailMessage(policy=_POLICY)
    for name, value in _headers(letter, house, written):
        message[name] = value
    link = house.ticket_url(letter.ticket) if letter.ticket else None
    once = house.one_time_url(letter.link, letter.mail_id) if letter.link else None
    message.set_content(_plain(letter.text, link, once))
    message.add_alternative(_html(letter.text, link, once), subtype="html")
    for file in enclosures:
        main, _, sub = file.media_type.partition("/")
        message.add_attachment(file.content, maintype=main, subtype=sub, disposition=_named(text.file_name(file.name)))
    _name_boundaries(message, letter)
    return message


def _headers(letter: Letter, house: House, written: Written) -> Iterable[tuple[str, object]]:
    sender = house.sender(letter.from_address)
    yield "From", _address(letter.from_name or house.name, sender)
    yield "To", _address(letter.to_name, wire_address(letter.to_address))
    if letter.ticket and letter.kind in {Kind.REPLY, Kind.ACKNOWLEDGEMENT}:
        yield "Reply-To", _address(house.name, house.reply_address(letter.ticket, letter.to_address, sender))
    yield "Subject", text.one_line(letter.subject, most=500)
    yield "Date", format_datetime(letter.created_at)
    yield "Message-ID", house.mail_id(letter.mail_id, letter.created_at)
    if answered := _whole([letter.in_reply_to or ""], house, written):
        yield "In-Reply-To", answered[0]
    if references := _capped(_whole(letter.references or _root(letter), house, written)):
        yield "References", " ".join(references)
    if letter.ticket:
        yield from _thread(letter, letter.ticket, house)
    if letter.ticket and letter.follower:  # RFC 2369 and RFC 8058; the latter only works with https
        yield "List-Unsubscribe", f"<{house.unfollow_url(letter.ticket, letter.follower)}>"
        if house.url.startswith("https://"):
            yield "List-Unsubscribe-Post", "List-Unsubscribe=One-Click"
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


def _whole(ids: Iterable[str], house: House, written: Written) -> list[str]:
    """Message-IDs as the world knows them; what is not one is left out."""
    whole = (one if one.startswith("<") else house.mail_id(one, written.get(one)) for one in ids if one)
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


def _named(name: str) -> str:
    """A file and its name: as it is where that is plain, else in pieces of percent signs (RFC 2231)."""
    if _PLAIN_NAME.fullmatch(name):
        return f'attachment; filename="{name}"'
    pieces = [""]
    for letter in name:
        coded = quote(letter, safe="")
        pieces[-1:] = [pieces[-1] + coded] if len(pieces[-1] + coded) <= 60 else [pieces[-1], coded]
    if len(pieces) == 1:
        return f"attachment; filename*=utf-8''{pieces[0]}"
    pieces[0] = f"utf-8''{pieces[0]}"
    return "; ".join(["attachment", *(f"filename*{n}*={piece}" for n, piece in enumerate(pieces))])


def _name_boundaries(message: EmailMessage, letter: Letter) -> None:
    """Fixed ones, so that a resend is the same mail; "=_" can't appear in quoted-printable or base64."""
    for n, part in enumerate(part for part in message.walk() if part.is_multipart()):
        part.set_boundary(f"=_{letter.mail_id}.{n}")

"""Mails that look like reports of lost mail, from servers that never read RFC 3464.

The library is shown a small copy of what people would read, never the mail that came back: nothing in it is about itself. It is
small because the library's patterns are slower than linear in a line.
"""

import re
from email.message import Message
from itertools import islice

from flufl.bounce import all_failures

from app.core import text
from app.intake.rules import addresses, charset
from app.intake.rules.mail import Told
from app.intake.rules.parts import Part

_MOST_TEXT = 50_000  # characters
_MOST_LINE = 400
_MOST_FIELDS = 100
# Where servers say whom they could not reach, if they say it in words that the library does not know.
_SAID = re.compile(
    r"error delivering your mail to|permanent (?:fatal )?errors?|had (?:delivery|fatal) errors|rcpt to:|^[45]\d\d[ -](?=<)"
    r"|following (?:list of )?(?:recipients?|address(?:es)?|users?)|(?:not be|unable to|trying to) deliver(?:ed)?\b.{0,40}? to\b"
    r"|could not be delivered|was not delivered to",
    re.IGNORECASE | re.MULTILINE,
)
_WITHIN = 200  # characters after that
_ADDRESS = re.compile(r"[A-Za-z0-9_][^\s@<>()\[\],;:\"']{0,63}@[A-Za-z0-9.-]{1,253}[A-Za-z0-9]")
_MAIL_ID = re.compile(r"^[> \t]{0,9}message-id:\s{0,9}(<[^<>\s]{1,900}>)", re.IGNORECASE | re.MULTILINE)


def recipients(whole: Part) -> tuple[Told, ...]:
    """Whom the mail seems to say it could not reach, or not yet."""
    try:
        delayed, failed = all_failures(_shown(whole))
    except (AttributeError, LookupError, TypeError, ValueError):  # the library's own mistakes with strange mails
        delayed = failed = frozenset()
    found = tuple(
        Told(text.address(found.decode("ascii")), action)
        for action, each in (("failed", failed), ("delayed", delayed))
        for found in sorted(each)
        if _is_address(found)
    )
    return found or _in_words(whole)


def mail_ids(whole: Part) -> tuple[str, ...]:
    """The Message-IDs of mails that came back within the text."""
    return tuple(dict.fromkeys(_MAIL_ID.findall("\n".join(_text(p) for p in _texts(whole)))))[:20]


def _in_words(whole: Part) -> tuple[Told, ...]:
    said = "\n".join(_text(p) for p in _texts(whole))
    near = (_ADDRESS.search(said, at.end(), at.end() + _WITHIN) for at in islice(_SAID.finditer(said), 100))
    return tuple(Told(one, "failed") for one in dict.fromkeys(text.address(found[0]) for found in near if found))


def _is_address(found: bytes) -> bool:
    return found.isascii() and bool(addresses.addresses(found.decode("ascii")))


def _shown(whole: Part) -> "Message[str, str]":
    """The mail as the library takes it: its header, and its texts."""
    made: Message[str, str] = Message()
    for name, value in whole.headers.fields[:_MOST_FIELDS]:
        if name not in {"content-type", "content-transfer-encoding"}:
            made[name] = value[:998].decode("ascii", "replace")
    texts = _texts(whole)
    if whole.media_type.startswith("multipart/"):
        made["Content-Type"] = whole.media_type
        made.set_payload([_one(p) for p in texts])
    elif texts:
        made.set_payload(_text(whole))
    return made


def _one(part: Part) -> "Message[str, str]":
    made: Message[str, str] = Message()
    made["Content-Type"] = part.media_type
    if part.headers.has("content-description"):
        made["Content-Description"] = part.headers.text("content-description")[:200]
    made.set_payload(_text(part))
    return made


def _texts(whole: Part) -> list[Part]:
    return [p for p in whole.walk() if p.media_type in {"text/plain", "text/html"}][:20]


def _text(part: Part) -> str:
    said = charset.decode(part.content[: 4 * _MOST_TEXT], part.parameters.get("charset", ""))
    return "\n".join(line[:_MOST_LINE] for line in said[:_MOST_TEXT].splitlines())

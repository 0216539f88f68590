"""Placeholders: `{{requester.name}}` in a text stands for what is known when it is used.

There is a fixed list of them and nothing else: no expressions, no loops, no filters. What is filled in is never looked at again.
"""

import re
from collections.abc import Mapping

from app.core.errors import Invalid

KNOWN = {
    "ticket.number": "the ticket's number",
    "ticket.subject": "the ticket's subject",
    "ticket.status": "where the ticket stands",
    "ticket.priority": "how much the ticket hurries",
    "requester.name": "the requester's name",
    "requester.first_name": "the first word of the requester's name",
    "requester.email": "the requester's address",
    "agent.name": "the name of whoever uses it",
    "agent.first_name": "the first word of that name",
    "agent.email": "the address of whoever uses it",
    "team.name": "the ticket's team, or nothing",
    "organization.name": "the requester's organization, or nothing",
    "desk.url": "the address of this desk",
    "ticket.url": "the address of the ticket's page",
}
TEXT_MOST = 20_000
_BRACES = re.compile(r"\{\{([^{}]*)\}\}")
_SHORTCUT = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


class UnknownPlaceholder(Invalid):
    """A placeholder in this text is none that the desk knows."""

    slug = "unknown-placeholder"


def placeholders(text: str) -> set[str]:
    """The placeholders in a text. Raises UnknownPlaceholder for anything else in double braces."""
    found = {inside.strip() for inside in _BRACES.findall(text)}
    unknown = sorted(found - KNOWN.keys())
    if unknown:
        word = unknown[0] if len(unknown[0]) <= 80 else f"{unknown[0][:80]}…"
        raise UnknownPlaceholder(f"{{{{{word}}}}} is not a placeholder. There are: {', '.join(sorted(KNOWN))}.")
    return found


def fill(text: str, values: Mapping[str, str]) -> str:
    """A text with its placeholders filled in, once; what isn't one stays as it is."""

    def value(match: re.Match[str]) -> str:
        name = match[1].strip()
        return values.get(name, "") if name in KNOWN else match[0]

    return _BRACES.sub(value, text)


def first_name(name: str) -> str:
    """The first word of a name; of "Example, Alice" the first after the comma."""
    words = (name.partition(",")[2].split() or name.split()) if "," in name else name.split()
    return words[0] if words else ""


def shortcut(raw: str) -> str:
    """How a reply is called, in lower case. Raises Invalid."""
    word = raw.strip().lower().removeprefix("/")
    if not _SHORTCUT.fullmatch(word):
        raise Invalid("A shortcut has 1 to 40 letters a to z, digits, - and _, and begins with a letter or digit.")
    return word

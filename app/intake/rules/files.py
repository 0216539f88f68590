"""The files of a mail as a whole: each has a name of its own, and those that the mail's HTML shows are told apart."""

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from urllib.parse import unquote

from app.files.rules import media_type
from app.intake.rules.mail import Found

_REFERENCE = re.compile(
    r"""(?:src|background)\s{0,9}=\s{0,9}(?:"([^"]{1,2000})"|'([^']{1,2000})'|([^\s>"']{1,2000}))""", re.IGNORECASE
)
_ADDRESS = re.compile(r"""url\(\s{0,9}["']?([^"')]{1,2000})""", re.IGNORECASE)


def sorted_out(found: Iterable[Found], page: str) -> Sequence[Found]:
    """The files with names told apart; `inline` are the pictures that `page`, the mail's HTML, refers to.

    Of several that a reference can mean, the first one is meant, and the others are files as any.
    """
    wanted = _references(page) - {"", "cid:"}
    taken: set[str] = set()
    out = []
    for file in found:
        by = {f"cid:{file.content_id}", file.location} & wanted if media_type(file.content).startswith("image/") else set()
        wanted -= by
        out.append(replace(file, name=_own_name(file.name, taken), inline=bool(by)))
    return out


def _references(page: str) -> set[str]:
    attributes = (next(filter(None, match.groups()), "") for match in _REFERENCE.finditer(page))
    return {_in_one_form(html.unescape(each).strip()) for each in (*attributes, *_ADDRESS.findall(page))}


def _in_one_form(reference: str) -> str:
    scheme, colon, rest = reference.partition(":")
    return f"cid:{unquote(rest)}" if colon and scheme.lower() == "cid" else reference


def _own_name(name: str, taken: set[str]) -> str:
    """The name, with a number before its ending where the mail has another file of that name."""
    stem, _, ending = name.rpartition(".")
    if not stem or len(ending) >= 16:
        stem, ending = name, ""
    own, number = name, 2
    while own.casefold() in taken:
        own = f"{stem[:40]}-{number}" + (f".{ending}" if ending else "")
        number += 1
    taken.add(own.casefold())
    return own

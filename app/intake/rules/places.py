"""Where a signature of a mail stands, and the exact bytes that it signs (RFC 1847 section 2.1)."""

import re
from collections.abc import Container
from dataclasses import dataclass

from app.intake.rules import body
from app.intake.rules.parts import Part

MOST_MAIL = 20_000_000  # bytes of a text whose line breaks are put right

_LINE = re.compile(rb"\r?\n")

Bytes = bytes | memoryview


@dataclass(frozen=True)
class Place:
    """Where a signature is: what it stands in, what it signs (None where that is inside of it), whether that is all there is."""

    envelope: Part
    signs: Part | None
    whole: bool


def beside(part: Part, mail: Part, kinds: Container[str]) -> Place | None:
    """The signature of one of these types that stands in this part of the mail, beside what it signs."""
    if part.media_type == "multipart/signed" and len(part.children) > 1 and body.kind(part.children[1]) in kinds:
        return Place(part.children[1], part.children[0], part is mail and len(part.children) == 2)
    return None


def contents(part: Part) -> list[Bytes]:
    """The bytes of a part with its header as they came; where they lost the line breaks of their way, with those too."""
    as_it_came = memoryview(part.mail)[part.begin : part.end]
    if len(as_it_came) > MOST_MAIL:
        return [as_it_came]
    restored = _LINE.sub(b"\r\n", bytes(as_it_came))
    return [as_it_came] if restored == as_it_came else [as_it_came, restored]

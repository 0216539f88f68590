"""Which parts of a mail are its words, by what a server says that it is made of (BODYSTRUCTURE, RFC 3501 section 7.4.2); and a
small mail made of those, where all of it is too large to be fetched.

The structure is a stranger's, put into the server's words: what makes no sense in it is passed over.
"""

from collections.abc import Iterator, Sequence
from email.errors import MessageError
from email.parser import BytesHeaderParser
from email.policy import compat32
from typing import Any

MOST = 1_000_000  # bytes of all texts, as they are sent
MOST_OF_HEADER = 8_192  # bytes of a text's own
MOST_TEXTS = 20
WHOLE = "TEXT"  # of a mail that has no parts
_MOST_PARTS = 10_000


def texts(said: Any) -> list[str]:
    """The sections (RFC 3501 section 6.4.5) that say what a person wrote: all plain texts, or all HTML where there is none."""
    found: dict[bytes, list[str]] = {b"plain": [], b"html": []}
    for section, leaf in _leaves(said):
        if _is(leaf, 0, b"text") and not _is_file(leaf):
            found.get(_word(leaf, 1), []).append(section)
    return (found[b"plain"] or found[b"html"])[:MOST_TEXTS]


def together(header: bytes, pieces: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A mail with this header and these parts, each its own header and what it holds; without parts the header alone.

    One with an empty header is all there is of a mail that has no parts.
    """
    head = header.rstrip(b"\r\n") + b"\r\n\r\n"
    if len(pieces) == 1 and not pieces[0][0]:
        return head + pieces[0][1]
    boundary = _boundary(head)
    if not boundary or not pieces:
        return head
    parts = (b"--%b\r\n%b\r\n\r\n%b\r\n" % (boundary, own.strip(b"\r\n"), content) for own, content in pieces)
    return head + b"".join(parts) + b"--%b--\r\n" % boundary


def _boundary(head: bytes) -> bytes:
    """Read by the standard library: what reads mails loads more than a program that only fetches them has room for."""
    try:
        top = BytesHeaderParser(policy=compat32).parsebytes(head)
        named = (top.get_boundary("") if top.get_content_maintype() == "multipart" else "").encode("utf-8", "replace")
    except (MessageError, ValueError, LookupError, TypeError, AttributeError):  # foreign, and hostile
        return b""
    return b"" if b"\r" in named or b"\n" in named else named


def _leaves(said: Any) -> Iterator[tuple[str, Any]]:
    """The parts that have no parts, in order, as far as anybody needs them; an attached mail is one of them."""
    waiting: list[tuple[str, Any]] = [("", said)]
    for _ in range(_MOST_PARTS):
        if not waiting:
            return
        section, part = waiting.pop()
        if not isinstance(part, tuple) or not part:
            continue
        if isinstance(part[0], list):
            inside = [(f"{section}.{number}".lstrip("."), child) for number, child in enumerate(part[0], 1)]
            waiting += reversed(inside)
        else:
            yield section or WHOLE, part


def _is_file(leaf: Any) -> bool:
    disposition = leaf[9] if len(leaf) > 9 and isinstance(leaf[9], tuple) else ()
    if _is(disposition, 0, b"attachment") or b"name" in _names(leaf[2] if len(leaf) > 2 else None):
        return True
    return b"filename" in _names(disposition[1] if len(disposition) > 1 else None)


def _names(parameters: Any) -> set[bytes]:
    """Of a list of names and values; the parts of a long one are numbered, and one with a charset is starred (RFC 2231)."""
    named = parameters[::2] if isinstance(parameters, tuple) else ()
    return {name.lower().partition(b"*")[0] for name in named if isinstance(name, bytes)}


def _word(part: Any, place: int) -> bytes:
    said = part[place] if len(part) > place else None
    return said.lower() if isinstance(said, bytes) else b""


def _is(part: Any, place: int, word: bytes) -> bool:
    return _word(part, place) == word

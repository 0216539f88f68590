"""Foreign HTML: first looked at by something that can't be made slow, then made plain text or harmless."""

import html
import re
from collections.abc import Mapping

from inscriptis import get_text
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.model.config import ParserConfig

from app.core import text
from app.core.html import MOST_BYTES, NONE, POLICY, clean
from app.intake.rules import quoted_pages, quotes
from app.intake.rules.quotes import QUOTE, Fold

MOST = MOST_BYTES - 1000  # characters of one page
MOST_DEPTH = 250

_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:-]{0,20})")
_NEVER_NESTED = re.compile(
    "area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr"
    "|p|li|dt|dd|tr|td|th|tbody|thead|tfoot|option|html|head|body",
    re.IGNORECASE,
)
_PLAIN = ParserConfig(css=CSS_PROFILES["strict"])

__all__ = ["MOST", "POLICY", "folds", "harmless", "plain", "too_deep"]


def too_deep(markup: str) -> bool:
    """Whether elements are nested as no mail program nests them. Parsers take a stack frame a level."""
    depth = 0
    for found in _TAG.finditer(markup):
        if not _NEVER_NESTED.fullmatch(found[2]):
            depth = max(depth - 1, 0) if found[1] else depth + 1
            if depth > MOST_DEPTH:
                return True
    return False


def harmless(markup: str, *, forwarded: bool = False, within: Mapping[str, str] = NONE) -> str | None:
    """HTML that may be shown, what it quotes folded unless it is `forwarded`; `within` are its own pictures (core.html).

    None for what is nested too deep to be looked at, or grows when it is made well-formed.
    """
    markup = text.printable(markup[:MOST_BYTES])
    if too_deep(markup):
        return None
    cleaned = clean(markup if forwarded else quoted_pages.folded(markup), within=within)
    return cleaned if len(cleaned) <= 2 * MOST_BYTES else None


def folds(said: str, page: str | None, *, subject: str) -> list[Fold]:
    """What is folded of the text `said` that was made of a page: what is folded of the page. Its words alone tell only where
    nothing in it is marked as quoted; they don't show where an answer stands between.
    """
    before, marked, _ = (page or "").partition(quoted_pages.OPENING)
    if not marked:
        return [] if "<blockquote" in before else quotes.folds(said, subject=subject)
    above = text.printable(plain(before))
    if not above or not said.startswith(above):
        return []
    begin = len(said) - len(said[len(above) :].lstrip("\n"))
    return [(begin, len(said), QUOTE)] if begin < len(said) else []


def plain(markup: str) -> str:
    """The text of a page as a person would read it."""
    markup = text.printable(markup[:MOST_BYTES])
    if too_deep(markup):
        return _stripped(markup)
    try:
        return "\n".join(line.rstrip() for line in get_text(markup, _PLAIN).splitlines()).strip()
    except (ValueError, RecursionError):
        return _stripped(markup)


def _stripped(markup: str) -> str:
    """Without its tags, and no more than that; linear whatever comes."""
    pieces = markup.split("<")
    kept = [pieces[0], *(piece.partition(">")[2] for piece in pieces[1:])]
    return html.unescape(" ".join(" ".join(kept).split()))

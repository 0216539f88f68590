"""What a mail's HTML quotes, put into <details>: mail programs mark it, each in its own way.

As with text, answers between what is quoted keep all, and so does a mail that would have nothing left.
"""

from collections.abc import Iterator
from itertools import islice

from selectolax.lexbor import LexborHTMLParser, LexborNode

from app.intake.rules import quotes
from app.intake.rules.quote_words import FORWARDED

SUMMARY = "Show quoted text"
OPENING = f"<details><summary>{SUMMARY}</summary>"

# Gmail, Apple Mail and Thunderbird, Outlook for Mac and the new one, Yahoo, Proton, Zimbra, Zoho, Tuta, GMX.
_BLOCKS = (
    '.gmail_quote, blockquote[type="cite" i], .moz-cite-prefix, #OLK_SRC_BODY_SECTION, #mail-editor-reference-message-container,'
    ' [class*="yahoo_quoted"], .protonmail_quote, [data-marker="__QUOTED_TEXT__"], .zmail_extra, .tutanota_quote,'
    ' div[name="quote"]'
)
# Outlook on the web and on phones, Zimbra, Hotmail, and Word, which is Outlook's editor: everything behind it is quoted.
_DIVIDERS = '#appendonsend, #divRplyFwdMsg, #zwchr, [data-marker="__DIVIDER__"], #stopSpelling, div[style*="border-top"]'
_ANY = "blockquote"  # of a program that marks nothing, such as mail.ru's: only under a line that says who wrote it
_UNSEEN = "style, script, title, template"
_NO_WORDS = " \t\r\n\f\u00a0\u200b\u200c\ufeff"
_BEGINNING = 1000  # characters
_LONGEST_ATTRIBUTION = 400
_NODES_OF_AN_ATTRIBUTION = 12


def folded(markup: str) -> str:
    """The page with what it quotes folded. It is none of ours yet: whoever shows it makes it harmless first."""
    tree = LexborHTMLParser(markup)
    body = tree.body
    first = _first(tree)
    if first is None or body is None:
        return markup
    for unseen in tree.css(_UNSEEN):
        unseen.decompose()
    first = _first(tree)
    run = _run(first, body) if first is not None else []
    if not run:
        return markup
    details, summary = tree.create_node("details"), tree.create_node("summary")
    summary.insert_child(SUMMARY)
    details.insert_child(summary, move=True)
    run[0].insert_before(details, move=True)
    place = run[0].prev
    assert place is not None
    for node in run:
        place.insert_child(node, move=True)
    return body.inner_html or markup


def _first(tree: LexborHTMLParser) -> LexborNode | None:
    """What the quoting begins with."""
    every = tree.css(f"{_BLOCKS}, {_DIVIDERS}, {_ANY}")
    return next((node for node in every if node.css_matches(_BLOCKS) or _divides(node) or _is_introduced(node)), None)


def _is_introduced(node: LexborNode) -> bool:
    return node.tag == "blockquote" and bool(_introduction(node))


def _divides(node: LexborNode) -> bool:
    """Word's line above a header looks like any other line: only a header below it makes it one."""
    if not node.css_matches(_DIVIDERS):
        return False
    if node.tag != "div" or node.id == "appendonsend":
        return True
    lines = [line.strip(_NO_WORDS) for line in node.text(separator="\n")[:_BEGINNING].split("\n")]
    return quotes.header(_joined([line for line in lines if line]))


def _joined(pieces: list[str]) -> list[str]:
    """Lines of a header out of pieces of text: names of fields are set in another face than what they hold."""
    lines: list[str] = []
    for piece in pieces:
        if lines and lines[-1].endswith(quotes.COLONS):
            lines[-1] += f" {piece}"
        else:
            lines.append(piece)
    return lines


def _run(first: LexborNode, body: LexborNode) -> list[LexborNode]:
    """The nodes to fold, side by side; none where words stand between or around them."""
    divider = first.css_matches(_DIVIDERS)
    begin = _climbed(first, body)
    if _forwards(begin) or (not divider and _answered_inside(begin)):
        return []
    run = [begin]
    for node in _following(begin):
        if not divider and _words(node) and not (node.is_element_node and node.css_matches(_BLOCKS)):
            break
        run.append(node)
    run = [*_introduction(begin), *run]
    above, below = _beside(run[0], body, "prev"), _beside(run[-1], body, "next")
    return run if above != below and (above or not divider) else []


def _climbed(node: LexborNode, body: LexborNode) -> LexborNode:
    """The outermost element that begins with this one and is nothing else's end."""
    while (parent := node.parent) is not None and parent != body and not any(map(_seen, _preceding(node))):
        if any(map(_words, _following(node))) and not any(map(_words, _following(parent))):
            break
        node = parent
    return node


def _introduction(begin: LexborNode) -> list[LexborNode]:
    """The nodes before it that say who wrote it, up to it."""
    between: list[LexborNode] = []
    words = ""
    for node in islice(_preceding(begin), _NODES_OF_AN_ATTRIBUTION):
        between.insert(0, node)
        words = f"{' '.join(_text(node).split())} {words}".strip()
        if len(words) > _LONGEST_ATTRIBUTION:
            break
        if quotes.attribution(words):
            return between
    return []


def _forwards(node: LexborNode) -> bool:
    return any(quotes.bare(line) in FORWARDED for line in node.text(separator="\n")[:_BEGINNING].splitlines())


def _answered_inside(node: LexborNode) -> bool:
    """Whether somebody wrote between the quotations that one element holds."""
    quoted = node.css_first("blockquote")
    if quoted is None or node.tag == "blockquote":
        return False
    while quoted is not None and quoted != node:
        if any(_words(after) and after.tag != "blockquote" for after in _following(quoted)):
            return True
        quoted = quoted.parent
    return False


def _beside(node: LexborNode, body: LexborNode, way: str) -> bool:
    """Whether anything is seen before or after this node, anywhere in the page."""
    at: LexborNode | None = node
    while at is not None and at != body:
        if any(map(_seen if way == "prev" else _words, _preceding(at) if way == "prev" else _following(at))):
            return True
        at = at.parent
    return False


def _preceding(node: LexborNode) -> Iterator[LexborNode]:
    while (before := node.prev) is not None:
        yield before
        node = before


def _following(node: LexborNode) -> Iterator[LexborNode]:
    while (after := node.next) is not None:
        yield after
        node = after


def _text(node: LexborNode) -> str:
    return "" if node.is_comment_node else node.text()


def _words(node: LexborNode) -> bool:
    return bool(_text(node).strip(_NO_WORDS))


def _seen(node: LexborNode) -> bool:
    return _words(node) or (node.is_element_node and (node.tag == "img" or node.css_first("img") is not None))

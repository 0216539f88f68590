"""Harm: one inline script or style in a page needs 'unsafe-inline' in the Content-Security-Policy, for every page.

Then a mail's markup that slips through the sanitiser runs with the agent's session. Our policy has no such hole, so a
browser refuses these attributes and the page silently does nothing: scripts and styles live in app/web/static/.
`hx-on` and `hx-vals="js:…"` build a function from text, which the same policy refuses.
"""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from scripts.house.source import Source

JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)


def check(source: Source) -> Iterator[tuple[int, str]]:
    """Inline script, style or htmx code in a template."""
    if not source.within("app/web/templates/"):
        return
    page = Page()
    # A tag in Jinja may hold quotes and angle brackets; blanks in its place keep the line numbers.
    page.feed(JINJA.sub(lambda tag: re.sub(r"[^\n]", " ", tag[0]), source.text))
    page.close()
    yield from page.found


class Page(HTMLParser):
    """Collects (line, message) of what the Content-Security-Policy would refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        refused = [f"{name}=" for name, value in attrs if is_code(name, value or "")]
        if tag == "style" or (tag == "script" and "src" not in names):
            refused.append(f"<{tag}>")
        line, _ = self.getpos()
        self.found += [(line, f"inline {each} is refused by our own policy: use a file") for each in refused]


def is_code(name: str, value: str) -> bool:
    """Whether an attribute holds script or style: style, onclick, hx-on:click, hx-vals="js:…", href="javascript:…"."""
    name = name.replace("data-hx-", "hx-")
    if name in {"style", "hx-vals", "hx-headers", "href", "action", "formaction"}:
        return name == "style" or value.strip().lower().startswith(("js:", "javascript:"))
    return name.startswith(("hx-on", "on"))

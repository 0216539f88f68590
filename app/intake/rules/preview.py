"""What a mail within a mail says, in a few lines: enough to know whether to open it."""

from app.core import text
from app.intake.rules import charset, html, parts
from app.intake.rules.mail import Preview
from app.intake.rules.parts import Part

MOST_BYTES = 100_000  # of it that are looked at
MOST_TEXT, MOST_LINES = 1_500, 20
_MOST_PAGE = 20_000  # bytes of HTML


def of(content: bytes) -> Preview:
    """Its header's fields in one line each, and how its text begins."""
    whole, _ = parts.tree(content[:MOST_BYTES])
    fields = {name: text.one_line(whole.headers.text(name), most=300) for name in ("from", "to", "date", "subject")}
    said = [line.rstrip() for line in _words(whole).strip().splitlines()][:MOST_LINES]
    return Preview(fields["from"], fields["to"], fields["date"], fields["subject"], "\n".join(said)[:MOST_TEXT].rstrip())


def _words(whole: Part) -> str:
    """The first text there is, or else the first page."""
    spoken = [part for part in whole.walk() if not part.children and part.disposition != "attachment" and not part.name]
    for kind in ("text/plain", "text/html"):
        if part := next((part for part in spoken if part.media_type == kind and not part.empty), None):
            markup = kind == "text/html"
            begin = part.content[:_MOST_PAGE]
            read, _ = charset.read(begin, part.parameters.get("charset", ""), markup=markup)
            return text.printable(html.plain(read) if markup else read)
    return ""

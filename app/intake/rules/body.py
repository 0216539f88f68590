"""What a mail says, and the files it brings."""

import html as markup
from collections.abc import Iterable
from dataclasses import dataclass, field

from app.core import text
from app.intake.rules import charset, headers, html
from app.intake.rules.mail import Found
from app.intake.rules.parts import Part

MOST_TEXT = 500_000  # characters; what is longer comes as a file as well
CUT = "\n[This text was longer. All of it is in the attached file.]"

_ENDINGS = {
    "text/plain": "txt",
    "text/html": "html",
    "text/calendar": "ics",
    "text/csv": "csv",
    "text/x-vcard": "vcf",
    "text/vcard": "vcf",
    "message/rfc822": "eml",
    "message/delivery-status": "txt",
    "text/rfc822-headers": "txt",
    "application/pdf": "pdf",
    "application/pkcs7-signature": "p7s",
    "application/pgp-signature": "asc",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
}


@dataclass
class Said:
    """A text, the HTML it came as (not yet harmless), and files."""

    text: str = ""
    html: str = ""
    files: list[Found] = field(default_factory=list)


def said(part: Part) -> Said:
    """The text and HTML of a part and all below it. Of alternatives the text and the HTML are kept, of a sequence all."""
    if part.children:
        every = [said(child) for child in part.children]
        files = [f for s in every for f in s.files]
        if part.media_type == "multipart/alternative":
            return Said(_first(s.text for s in every), _first(s.html for s in reversed(every)), files)
        return Said(_sequence_text(every), _sequence_html(every), files)
    if part.media_type not in {"text/plain", "text/html"} or part.disposition == "attachment" or part.name:
        return Said(files=[_file(part)] if not part.empty else [])
    return _spoken(part)


def _spoken(part: Part) -> Said:
    is_html = part.media_type == "text/html"
    most = html.MOST if is_html else MOST_TEXT
    content = part.content
    begin = content if len(content) <= 4 * most else _whole_lines(content[: 4 * most])  # no character has more bytes
    whole = text.printable(charset.decode(begin, part.parameters.get("charset", ""), markup=is_html))
    if part.parameters.get("format", "").lower() == "flowed":
        whole = unflowed(whole, delsp=part.parameters.get("delsp", "").lower() == "yes")
    if len(whole) <= most and begin is content:
        return Said(html=whole) if is_html else Said(whole.strip("\n"))
    return Said(html=whole[:most] + CUT, files=[_file(part)]) if is_html else Said(whole[:most] + CUT, files=[_file(part)])


def _whole_lines(content: bytes) -> bytes:
    return content.rpartition(b"\n")[0] or content


def unflowed(whole: str, *, delsp: bool) -> str:
    """Paragraphs again out of format=flowed (RFC 3676): a line that ends in a space goes on in the next of its depth."""
    out: list[str] = []
    open_depth = -1
    for line in whole.split("\n"):
        quoted = line.lstrip(">")
        depth = len(line) - len(quoted)
        content = quoted.removeprefix(" ")
        flows = content.endswith(" ") and content != "-- "
        if depth == open_depth and content != "-- ":
            out[-1] += content
        else:
            out.append(">" * depth + (" " if depth else "") + content)
        if flows and delsp:
            out[-1] = out[-1][:-1]
        open_depth = depth if flows else -1
    return "\n".join(out)


def _first(texts: Iterable[str]) -> str:
    return next((t for t in texts if t.strip()), "")


def _sequence_text(every: list[Said]) -> str:
    return "\n\n".join(t for s in every if (t := s.text or (html.plain(s.html) if s.html else "")))


def _sequence_html(every: list[Said]) -> str:
    if not any(s.html for s in every):
        return ""
    return "\n".join(s.html or f"<pre>{markup.escape(s.text)}</pre>" for s in every if s.html or s.text)


def _file(part: Part) -> Found:
    ending = _ENDINGS.get(part.media_type, "bin")
    name = part.name
    if not name and part.media_type == "message/rfc822":
        name = headers.split(part.content)[0].text("subject")[:150] + ".eml"
    return Found(
        text.file_name(name, otherwise=f"{part.media_type.partition('/')[0]}.{ending}"),
        part.content,
        text.one_line(part.media_type, most=127),
        content_id=text.one_line(part.headers.first("content-id")).strip("<> "),
        location="".join(part.headers.first("content-location").split()),  # long ones are folded anywhere: RFC 2557 section 4.4
    )

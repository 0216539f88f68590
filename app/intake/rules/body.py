"""What a mail says, and the files it brings."""

import html as markup
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from app.core import text
from app.intake.rules import calendar, charset, cms, enriched, headers, html, inside, parts, preview, tnef
from app.intake.rules.mail import Card, Found
from app.intake.rules.parts import Part

MOST_TEXT = 500_000  # characters; what is longer comes as a file as well
MOST_WRAPS = 2  # signed mails within signed mails
CUT = "\n[This text was longer. All of it is in the attached file.]"
ENCRYPTED = (
    "[This mail is encrypted, and the desk has no key for it. It is kept as it came. "
    "Ask the sender to send it without encryption, or open the attached file with a program that has the key.]"
)

_ENRICHED = {"text/enriched", "text/richtext"}
_SPOKEN = {"text/plain", "text/html", *_ENRICHED}
_BY_NAME = {"winmail.dat": "application/ms-tnef", "smime.p7m": "application/pkcs7-mime"}
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
    "application/pkcs7-mime": "p7m",
    "application/pgp-signature": "asc",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
}


@dataclass
class Said:
    """A text, the HTML it came as (not yet harmless), and files.

    `spare` stands in where a mail has neither text nor HTML; `charset` is how the text was read.
    """

    text: str = ""
    html: str = ""
    files: list[Found] = field(default_factory=list)
    charset: str = ""
    cards: list[Card] = field(default_factory=list)
    spare: tuple[str, str] = ("", "")


def said(part: Part, *, wraps: int = MOST_WRAPS) -> Said:
    """The text and HTML of a part and all below it. Of alternatives the text and the HTML are kept, of a sequence all."""
    if part.children:
        return _together(part, [said(child, wraps=wraps) for child in part.children])
    if part.media_type in _SPOKEN and part.disposition != "attachment" and not part.name:
        return _spoken(part)
    if part.empty and not part.name:
        return Said()
    if kind(part) in cms.MEDIA_TYPES:
        return _sealed(part, wraps)
    return _READERS.get(kind(part), _only_a_file)(part)


def kind(part: Part) -> str:
    """What type of file it is; the names of two tell more than what mail programs call them."""
    return _BY_NAME.get(part.name.lower(), part.media_type)


def _together(part: Part, every: list[Said]) -> Said:
    out = Said(files=[f for s in every for f in s.files], cards=[c for s in every for c in s.cards])
    out.charset = next((s.charset for s in every if s.charset), "")
    out.spare = next((s.spare for s in every if any(s.spare)), out.spare)
    if part.media_type == "multipart/alternative":
        out.text, out.html = _first(s.text for s in every), _first(s.html for s in reversed(every))
    elif part.media_type == "multipart/encrypted":
        out.text = ENCRYPTED
    else:
        out.text, out.html = _sequence_text(every), _sequence_html(every)
    return out


def _spoken(part: Part) -> Said:
    is_html = part.media_type == "text/html"
    most = html.MOST if is_html else MOST_TEXT
    content, files = (part.content, []) if is_html else inside.taken_out(part.content)
    begin = content if len(content) <= 4 * most else _whole_lines(content[: 4 * most])  # no character has more bytes
    read, how = charset.read(begin, part.parameters.get("charset", ""), markup=is_html)
    whole = _laid_out(part, text.printable(read))
    if len(whole) > most or begin is not content:
        whole = whole[:most] + CUT
        files.append(_file(part))
    return Said("" if is_html else whole.strip("\n"), whole if is_html else "", files, how)


def _laid_out(part: Part, whole: str) -> str:
    if part.media_type in _ENRICHED:
        return enriched.plain(whole, richtext=part.media_type == "text/richtext")
    if part.parameters.get("format", "").lower() == "flowed" and part.media_type == "text/plain":
        return unflowed(whole, delsp=part.parameters.get("delsp", "").lower() == "yes")
    return whole


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
        name = (headers.split(part.content)[0].text("subject")[:150] or "message") + ".eml"
    return Found(
        text.file_name(name, otherwise=f"{part.media_type.partition('/')[0]}.{ending}"),
        part.content,
        text.one_line(part.media_type, most=127),
        content_id=text.one_line(part.headers.first("content-id")).strip("<> "),
        location="".join(part.headers.first("content-location").split()),  # long ones are folded anywhere: RFC 2557 section 4.4
    )


def _only_a_file(part: Part) -> Said:
    return Said(files=[_file(part)])


def _enclosed(part: Part) -> Said:
    """A mail within the mail: a file, and a line that says what it is."""
    head, _ = headers.split(part.content)
    date = head.text("date")
    line = f"[Attached mail: {head.text('subject') or 'no subject'}, from {head.text('from') or 'nobody'}{date and ', ' + date}]"
    return Said(line, files=[replace(_file(part), preview=preview.of(part.content))])


def _piece(part: Part) -> Said:
    """RFC 2046 section 5.2.2."""
    number, total = (text.one_line(part.parameters.get(name, "?"), most=10) for name in ("number", "total"))
    line = f"[This is piece {number} of {total} of a larger mail. Pieces are not put together here; each is kept as a file.]"
    return Said(line, files=[_file(part)])


def _elsewhere(part: Part) -> Said:
    """RFC 2046 section 5.2.3: where a file lies is told, and nothing is fetched."""
    given = (part.parameters.get(name, "") for name in ("name", "url", "site", "directory", "server"))
    where = text.one_line(", ".join(filter(None, given)), most=300)
    way = text.one_line(part.parameters.get("access-type", "") or "unknown", most=40)
    line = f"[A file that is not in this mail: {where or 'no place is given'} (access: {way}). It is not fetched.]"
    return Said(line, files=[_file(part)])


def _unpacked(part: Part) -> Said:
    """winmail.dat: its files beside it, its text where the mail has no other."""
    original = _file(part)
    found = tnef.unpacked(original.content)
    if found is None:
        return Said(files=[original])
    return Said(files=[original, *found.files], spare=(found.text[:MOST_TEXT], found.html[: html.MOST]))


def _invited(part: Part) -> Said:
    return Said(files=[_file(part)], cards=list(calendar.cards(part)))


def _sealed(part: Part, wraps: int) -> Said:
    """S/MIME in one piece: what is only signed is read."""
    original = _file(part)
    if cms.is_encrypted(original.content):
        return Said(ENCRYPTED, files=[original])
    inner = cms.signed(original.content) if wraps else None
    if inner is None:
        return Said(files=[original])
    found = said(parts.tree(inner)[0], wraps=wraps - 1)
    found.files.append(original)
    return found


_READERS: dict[str, Callable[[Part], Said]] = {
    "message/rfc822": _enclosed,
    "message/global": _enclosed,
    "message/partial": _piece,
    "message/external-body": _elsewhere,
    **dict.fromkeys(tnef.MEDIA_TYPES, _unpacked),
    **dict.fromkeys(calendar.MEDIA_TYPES, _invited),
}

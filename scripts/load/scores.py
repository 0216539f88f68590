"""How far we read difficult mails as other projects' test suites expect, where what they expect is data.

`scripts/bench mail` prints a line for each suite. Where we differ on purpose, the reason stands in REASONS. The other
suites of the corpus (flanker, CPython, nodemailer, PHP, Ruby) keep what they expect in programs: their mails are read, no more.
"""

import csv
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.core import text
from app.intake.reader import Reader
from app.intake.rules import body, charset, parts, read, tnef
from scripts.load.bounces import score

CORPUS = Path(os.environ.get("ATUM_MAIL_CORPUS") or Path(__file__).parents[3] / "shared/mail-corpus")
STALWART = CORPUS / "stalwart-mail-parser/resources/eml"
MIME4J = CORPUS / "mime4j/core/src/test/resources"
TNEF = CORPUS / "mimekit/UnitTests/TestData/tnef"

# Why we differ, and where: the suite, the mail, and what of it.
REASONS = {
    "raw 8-bit bytes in a header are read in the charset of the text, not replaced": """
        stalwart legacy/010 subject, stalwart legacy/010 to, stalwart legacy/016 name 3, stalwart legacy/017 to,
        stalwart legacy/020 subject, stalwart legacy/020 to, stalwart legacy/022 subject, stalwart legacy/022 to,
        stalwart legacy/023 name 4, stalwart legacy/026 name 2, stalwart legacy/027 subject, stalwart legacy/027 to,
        stalwart legacy/052 subject, stalwart legacy/052 to""",
    "raw 8-bit bytes in a text without a label are guessed, not replaced": """
        stalwart legacy/033 text 0, stalwart legacy/052 text 0""",
    "a name without an address is nobody": """
        stalwart rfc/001 from, stalwart rfc/001 to, stalwart rfc/004 from, stalwart rfc/004 to""",
    "an address without a domain can't be answered": "stalwart thirdparty/007 from",
    "a file written into the text or a part by uuencode is decoded": """
        stalwart legacy/017 content 2, stalwart legacy/017 content 3, stalwart legacy/026 content 2,
        stalwart legacy/048 content 2, stalwart legacy/048 content 3, stalwart legacy/048 content 4,
        stalwart legacy/049 text 0""",
    "of several plain alternatives the first is shown": "stalwart thirdparty/001 text 2, stalwart thirdparty/001 text 3",
    "of alternatives the plain one is the text, not the enriched one": "stalwart rfc/003 content 2",
    "enriched text is text without its commands": "stalwart rfc/000 content 6",
    "what is labelled as base64 is decoded, also where it is words that only stand for it": """
        stalwart rfc/000 content 4, stalwart rfc/000 content 5, stalwart thirdparty/002 content 3""",
    "words behind the end of base64 are no part of it": "stalwart thirdparty/002 text 2",
    "an outer boundary ends what is inside, also where an inner one looks much like it": """
        stalwart malformed/005 text 2, stalwart malformed/009 content 3, stalwart malformed/011 content 3""",
    "the HTML of broken alternatives is shown, not the whole as a text": """
        stalwart malformed/020 text 1, stalwart malformed/021 text 1""",
    "of a mail that is rubbish other pieces are kept": """
        stalwart malformed/019 html 1, stalwart malformed/019 html 2, stalwart malformed/019 html 3""",
    "every mail within a digest or a mail is a file": "stalwart malformed/012 mails within, stalwart thirdparty/015 mails within",
    "base64 that ends too early gives its last bytes too": "mime4j frag, mime4j multi-frag",
    "what can't be a header line begins the text, so that nothing is lost": """
        mime4j hdr-fakeout, mime4j basic-plain-with-bad-header-separator, mime4j malformedHeader-nocrlfcrlf,
        mime4j malformedHeader-noheader, mime4j malformedHeaderStartsBody-nocrlfcrlf, mime4j malformedHeaderStartsBody-noheader,
        mime4j obsolete""",
    "a multipart without its boundaries is its text, so that nothing is lost": """
        mime4j badbound, mime4j missing-boundary, mime4j missing-inner-boundary, mime4j missing-inner-start-boundary,
        mime4j multipartnopart""",
    "files that the list leaves out are there": "mimekit long-filename files, mimekit missing-filenames files",
    "a text that the list leaves out is there": """
        mimekit unicode-mapi-attr-name body, mimekit unicode-mapi-attr body, mimekit winmail body""",
}
ACCEPTED = {" ".join(one.split()): reason for reason, named in REASONS.items() for one in named.split(",")}

# What of a mail was compared, what is expected and what we have.
Comparison = tuple[str, Any, Any]


@dataclass
class Score:
    """How many of a suite's expectations are met as they stand; `different` names the others."""

    name: str
    compared: int = 0
    different: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def matched(self) -> int:
        return self.compared - len(self.different)

    @property
    def unexplained(self) -> list[str]:
        return sorted(set(self.different) - set(ACCEPTED))

    def __str__(self) -> str:
        share = 100 * self.matched / max(self.compared, 1)
        named = f", {len(self.different) - len(self.unexplained)} accepted" if self.different else ""
        return f"{self.name:<28} {self.matched:>5} of {self.compared:<5} {share:6.1f} %{named}"


def scores() -> list[Score]:
    """Every suite's."""
    return [
        _score("stalwart: header fields", _stalwart(_fields)),
        _score("stalwart: texts", _stalwart(_texts)),
        _score("stalwart: attachments", _stalwart(_attachments)),
        _score("mime4j: parts", _mime4j()),
        _score("mimekit: winmail.dat", _winmail()),
    ]


def _score(name: str, found: Iterator[Comparison]) -> Score:
    score = Score(name)
    for what, expected, ours in found:
        score.compared += 1
        if expected != ours:
            score.different[f"{name.partition(':')[0]} {what}"] = (expected, ours)
    return score


def mails() -> list[Path]:
    """Every mail of the corpus."""
    with (CORPUS / "MANIFEST.tsv").open() as listing:
        return [CORPUS / row["path"] for row in csv.DictReader(listing, delimiter="\t") if row["kind"] == "mail"]


def slowest(every: Sequence[Path]) -> float:
    """Seconds that the limited child took for the slowest of them. Raises Unreadable for one that can't be read."""
    most = 0.0
    with Reader() as reader:
        for path in every:
            began = time.monotonic()
            reader.read(path.read_bytes(), lambda _: None)
            most = max(most, time.monotonic() - began)
    return most


def _stalwart(compare: Callable[[dict[str, Any], bytes], Iterator[Comparison]]) -> Iterator[Comparison]:
    for path in sorted(STALWART.rglob("*.json")):
        source = path.with_suffix(".eml")
        if source.exists() and (expected := json.loads(path.read_text())):
            name = str(path.relative_to(STALWART).with_suffix(""))
            for what, theirs, ours in compare(expected, source.read_bytes()):
                yield f"{name} {what}", theirs, ours


def _fields(expected: dict[str, Any], raw: bytes) -> Iterator[Comparison]:
    found, _ = read.mail(raw)
    given: dict[str, Any] = {}
    for header in expected["parts"][0]["headers"]:
        if isinstance(header["name"], str):
            given.setdefault(header["name"], header["value"])
    if isinstance(subject := _inside(given.get("subject"), "Text"), str):
        yield "subject", text.one_line(subject), found.subject
    if (senders := _addresses(given.get("from"))) is not None:
        yield "from", senders[:1], [(found.sender.name, found.sender.address)] if found.sender else []
    for name, ours in (("to", found.to), ("cc", found.cc)):
        if (people := _addresses(given.get(name))) is not None:
            yield name, people, [(a.name, a.address) for a in ours]
    if isinstance(mail_id := _inside(given.get("message_id"), "Text"), str):
        yield "message-id", f"<{mail_id}>", found.message_id


def _texts(expected: dict[str, Any], raw: bytes) -> Iterator[Comparison]:
    """Each text is somewhere in ours: we put several together."""
    said = body.said(parts.tree(raw)[0])
    for place, kind, ours in (("text_body", "Text", said.text), ("html_body", "Html", said.html)):
        for number in expected[place]:
            part = _inside(expected["parts"][number]["body"], kind)
            if isinstance(part, str):
                yield f"{kind.lower()} {number}", True, _squeezed(part) in _squeezed(ours)


def _attachments(expected: dict[str, Any], raw: bytes) -> Iterator[Comparison]:
    """Names and contents. A text may stand among the files or in our text, which has all of them."""
    said = body.said(parts.tree(raw)[0])
    everything = " ".join(
        [*(_squeezed(charset.decode(f.content)) for f in said.files), _squeezed(said.text), _squeezed(said.html)]
    )
    for number in expected["attachments"]:
        part = expected["parts"][number]
        if name := _file_name(part["headers"]):
            yield f"name {number}", True, text.file_name(name) in [f.name for f in said.files]
        if content := _inside(part["body"], "Binary") or _inside(part["body"], "InlineBinary"):
            yield f"content {number}", True, _plain(bytes(content)) in [_plain(f.content) for f in said.files]
        if content := _inside(part["body"], "Text") or _inside(part["body"], "Html"):
            yield f"content {number}", True, _squeezed(content) in everything
    if within := sum(_inside(expected["parts"][n]["body"], "Message") is not None for n in expected["attachments"]):
        yield "mails within", within, sum(f.media_type in {"message/rfc822", "message/global"} for f in said.files)


def _inside(value: Any, kind: str) -> Any:
    return value.get(kind) if isinstance(value, dict) else None


def _addresses(value: Any) -> list[tuple[str, str]] | None:
    found = _inside(value, "Address")
    if not found:
        return None
    every = found.get("List") or [one for group in found["Group"] for one in group["addresses"]]
    return [(text.one_line(one.get("name") or ""), text.address(one.get("address") or "")) for one in every]


def _file_name(fields: list[dict[str, Any]]) -> str:
    for header, wanted in (("content_disposition", "filename"), ("content_type", "name")):
        for one in fields:
            kind = _inside(one["value"], "ContentType") if one["name"] == header else None
            for attribute in (kind or {}).get("attributes") or []:
                if attribute["name"] == wanted:
                    return str(attribute["value"])
    return ""


def _squeezed(said: str) -> str:
    return " ".join(text.printable(said).split())


def _mime4j() -> Iterator[Comparison]:
    """Each leaf in its order: what it stands for, but for the space at its end."""
    for path in sorted(MIME4J.rglob("*_decoded.xml")):
        name = path.name.removesuffix("_decoded.xml")
        source = path.with_name(f"{name}.msg")
        if source.exists():
            ours = [part.content for part in _leaves(source.read_bytes())]
            yield (
                name,
                [_plain(path.with_name(one).read_bytes()) for one in _expected_leaves(path)],
                [_plain(one) for one in ours],
            )


def _expected_leaves(path: Path) -> list[str]:
    return re.findall(r'<(?:text|binary)-body name="([^"]+)"', path.read_text(encoding="latin-1"))


def _leaves(raw: bytes) -> Iterator[parts.Part]:
    """As other parsers count: through mails within mails."""
    for part in parts.tree(raw)[0].walk():
        if part.media_type == "message/rfc822":
            yield from _leaves(part.content)
        elif not part.children:
            yield part


def _plain(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n").strip()


def _winmail() -> Iterator[Comparison]:
    """The names of the files, and whether there is a text."""
    for path in sorted(TNEF.glob("*.tnef")):
        listed = {line.strip() for line in path.with_suffix(".list").read_text(encoding="latin-1").split("\n")} - {""}
        found = tnef.unpacked(path.read_bytes())
        bodies = {name for name in listed if name.startswith("body.")}
        yield f"{path.stem} files", listed - bodies, {f.name for f in found.files} if found else None
        yield f"{path.stem} body", bool(bodies), bool(found and (found.text or found.html))


def told() -> list[str]:
    """Print how well it is read; answers what differs from other suites' expectations without a reason."""
    if not CORPUS.exists():
        print(f"the mail corpus is not at {CORPUS}; set ATUM_MAIL_CORPUS", file=sys.stderr)
        return []
    every = mails()
    print(f"{len(every)} difficult mails read, the slowest in {slowest(every):.2f} s", file=sys.stderr)
    found = scores()
    for suite in found:
        print(suite, file=sys.stderr, flush=True)
    bounces = score(CORPUS)
    share = 100 * bounces["recognised"] / bounces["samples"]
    wrongly = f"{bounces['wrongly']:g} of {bounces['ordinary']:g} ordinary mails taken for one"
    print(
        f"sisimai: reports             {bounces['recognised']:>5g} of {bounces['samples']:<5g} {share:6.1f} %, {wrongly}",
        file=sys.stderr,
    )
    unexplained = [name for suite in found for name in suite.unexplained]
    print(f"differences without a reason: {', '.join(unexplained) or 'none'}", file=sys.stderr)
    return unexplained

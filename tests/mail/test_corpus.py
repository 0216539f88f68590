"""The difficult mails of other projects' test suites: every one is read, by the limited child, and quickly.

The corpus is data beside the checkout, or where ATUM_MAIL_CORPUS says.
"""

import csv
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core import text
from app.intake.reader import Reader
from app.intake.rules.mail import Mail
from app.tickets.folding import pieces

CORPUS = Path(os.environ.get("ATUM_MAIL_CORPUS") or Path(__file__).parents[3] / "shared/mail-corpus")
STALWART = "stalwart-mail-parser/resources/eml/"

# Where we differ from what that suite expects, on purpose.
BETTER = {
    "legacy/010": "raw 8-bit bytes in the subject are read in the charset of the text, not replaced",
    "legacy/020": "likewise",
    "legacy/022": "likewise",
    "legacy/027": "likewise",
    "legacy/052": "likewise",
    "rfc/001": "a name without an address is no sender",
    "rfc/004": "likewise",
    "thirdparty/007": "an address without a domain can't be answered",
}

# What quotes, apart from what machines send: two of Outlook's, one of them French.
FOLDED = {"issue-412.eml", "m0013"}

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason=f"the mail corpus is not at {CORPUS}; set ATUM_MAIL_CORPUS")


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with Reader() as made:
        yield made


def read(reader: Reader, path: Path) -> Mail:
    return reader.read(path.read_bytes(), lambda *_: None)


def mails() -> list[Path]:
    with (CORPUS / "MANIFEST.tsv").open() as listing:
        return [CORPUS / row["path"] for row in csv.DictReader(listing, delimiter="\t") if row["kind"] == "mail"]


def test_every_mail_of_the_corpus_is_read_and_none_takes_over_two_seconds(reader: Reader) -> None:
    assert (CORPUS / "README.md").read_text().startswith("# Difficult mails")
    slow = []
    for path in mails():
        began = time.monotonic()
        read(reader, path)
        if time.monotonic() - began > 2:
            slow.append(path)
    assert len(mails()) == 1536
    assert slow == []


def test_subjects_and_senders_are_what_the_strictest_suite_expects(reader: Reader) -> None:
    """Each difference is named above with its reason; a new one fails, and so does a reason that no longer holds."""
    compared, different = 0, set()
    for path in sorted((CORPUS / STALWART).rglob("*.json")):
        source = path.with_suffix(".eml")
        if not source.exists() or not (wanted := _wanted(json.loads(path.read_text()))):
            continue
        compared += 1
        found = read(reader, source)
        sender = (found.sender.name, found.sender.address) if found.sender else None
        if wanted.get("subject", found.subject) != found.subject or wanted.get("sender", sender) != sender:
            different.add(str(path.relative_to(CORPUS / STALWART).with_suffix("")))
    assert compared > 70
    assert different == set(BETTER)


def test_the_bounces_of_the_corpus_are_known_as_automatic(reader: Reader) -> None:
    """Sisimai's are bounces of every kind of server; a few look like nothing but a person's mail."""
    bounces = [path for path in mails() if "sisimai-emails/maildir/bsd" in str(path)]
    missed = [path.name for path in bounces if not read(reader, path).automatic]
    assert len(bounces) > 300
    assert len(missed) <= len(bounces) * 0.02, missed


def _wanted(expected: Any) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    for header in expected["parts"][0]["headers"]:
        name, value = header["name"], header["value"]
        if name == "subject" and isinstance(value, dict) and isinstance(value.get("Text"), str):
            wanted.setdefault("subject", text.one_line(value["Text"]))
        if name == "from" and isinstance(value, dict) and "Address" in value:
            addresses = value["Address"].get("List") or [a for g in value["Address"]["Group"] for a in g["addresses"]]
            first = addresses[0] if addresses else {}
            wanted.setdefault("sender", (text.one_line(first.get("name") or ""), text.address(first.get("address") or "")))
    return wanted


def test_replies_end_where_people_ended_them(reader: Reader) -> None:
    """Of another project's twelve mail programs: each says Hello, and quotes what it answers. MAIL.md's best library gets ten."""
    replies = sorted((CORPUS / "talon/tests/fixtures/standard_replies").glob("*.eml"))
    shown = {}
    for path in replies:
        found = read(reader, path)
        said = pieces(found.text, found.folds)
        assert "".join(words for words, _ in said) == found.text
        shown[path.name] = "".join(words for words, folded in said if not folded).strip()
    assert len(replies) == 12
    assert shown == dict.fromkeys(shown, "Hello")


def test_what_is_folded_of_the_corpus_is_nobodys_own_words(reader: Reader) -> None:
    """Each was looked at. A new one is looked at too, before it is named here."""
    quoting = set()
    for path in mails():
        found = read(reader, path)
        if "talon" not in path.parts[-5:] and not found.automatic and any(why == "quote" for *_, why in found.folds):
            quoting.add(path.name)
    assert quoting == FOLDED

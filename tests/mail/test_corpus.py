"""The difficult mails of other projects' test suites: every one is read, by the limited child, and quickly.

The corpus is data beside the checkout, or where ATUM_MAIL_CORPUS says.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.intake.reader import Reader
from app.intake.rules.mail import Mail
from app.tickets.folding import pieces
from scripts.load import scores
from scripts.load.scores import CORPUS, mails

# What quotes, apart from what machines send: two of Outlook's, one of them French.
FOLDED = {"issue-412.eml", "m0013"}

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason=f"the mail corpus is not at {CORPUS}; set ATUM_MAIL_CORPUS")


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with Reader() as made:
        made.read(b"", lambda _: None)  # what starting takes is no mail's fault
        yield made


def read(reader: Reader, path: Path) -> Mail:
    return reader.read(path.read_bytes(), lambda *_: None)


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


def test_each_difference_to_another_suite_s_expectations_has_its_reason() -> None:
    """A new one fails, and so does a reason that no longer holds. Print all with: scripts/bench mail --scores"""
    found = scores.scores()
    different = {name: what for score in found for name, what in score.different.items()}
    assert {name: what for name, what in different.items() if name not in scores.ACCEPTED} == {}
    assert set(scores.ACCEPTED) - set(different) == set()
    least = {
        "stalwart: header fields": (278, 294),
        "stalwart: texts": (134, 146),
        "stalwart: attachments": (179, 197),
        "mime4j: parts": (66, 80),
        "mimekit: winmail.dat": (29, 34),
    }
    assert {score.name: (score.matched, score.compared) for score in found} == least


def test_the_bounces_of_the_corpus_are_known_as_automatic(reader: Reader) -> None:
    """Sisimai's are bounces of every kind of server; a few look like nothing but a person's mail."""
    bounces = [path for path in mails() if "sisimai-emails/maildir/bsd" in str(path)]
    missed = [path.name for path in bounces if not read(reader, path).automatic]
    assert len(bounces) > 300
    assert len(missed) <= len(bounces) * 0.02, missed


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

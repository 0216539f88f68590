"""How many reports of lost mail are recognised among other projects' samples, and how many ordinary mails are taken for one.

`python -m scripts.load.bounces CORPUS`: the corpus is what tests/mail/test_corpus.py reads.
"""

import argparse
import csv
import json
from collections import Counter
from pathlib import Path

from app.intake.rules import read
from app.intake.rules.mail import Report

SAMPLES = "sisimai-emails/maildir/bsd"
OTHER_KINDS = ("arf", "rfc3834")  # names of samples that are no reports of lost mail
# Mails of other suites that are such reports.
REAL = frozenset({
    "cpython/Lib/test/test_email/data/msg_16.txt",
    "cpython/Lib/test/test_email/data/msg_25.txt",
    "cpython/Lib/test/test_email/data/msg_43.txt",
    "mikel-mail/spec/fixtures/emails/mime_emails/raw_email_with_mimepart_without_content_type.eml",
    "mime4j/core/src/test/resources/mimetools-testmsgs/badbound.msg",
    "nodemailer-mailparser/test/fixtures/delivery-status.eml",
    "webklex-php-imap/tests/messages/example_bounce.eml",
})  # fmt: skip
REAL_ONES = (
    "enmime/dsn/",
    "flanker/tests/fixtures/messages/bounce/",
    "flanker/tests/fixtures/messages/complaints/",
    "mikel-mail/spec/fixtures/emails/multipart_report_emails/",
    "mimekit/UnitTests/TestData/messages/delivery-status",
)


def score(corpus: Path) -> dict[str, float]:
    """Samples, those recognised with a recipient, of these by RFC 3464; ordinary mails, and those wrongly taken for a report."""
    samples = [p for p in sorted((corpus / SAMPLES).iterdir()) if not p.name.startswith(OTHER_KINDS)]
    kinds = Counter(found.kind.value for p in samples if (found := _report(p)))
    ordinary = list(_ordinary(corpus))
    return {
        "samples": len(samples),
        "recognised": kinds.total(),
        "by_rfc_3464": kinds["delivery"],
        "share": round(kinds.total() / len(samples), 4),
        "ordinary": len(ordinary),
        "wrongly": sum(_report(corpus / path) is not None for path in ordinary),
    }


def _ordinary(corpus: Path) -> list[str]:
    with (corpus / "MANIFEST.tsv").open() as listing:
        mails = [row["path"] for row in csv.DictReader(listing, delimiter="\t") if row["kind"] == "mail"]
    return [p for p in mails if p not in REAL and not p.startswith((*REAL_ONES, "sisimai-emails/"))]


def _report(path: Path) -> Report | None:
    found = read.mail(path.read_bytes())[0].report
    return found if found and any("@" in told.recipient for told in found.recipients) else None


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    print(json.dumps(score(parser.parse_args().corpus)))


if __name__ == "__main__":
    main()

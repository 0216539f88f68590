"""A mail within a mail: a few lines of it, worked out where mails are read, and never more than that."""

import time

import pytest

from app.intake.rules import preview, read
from app.intake.rules.mail import Found, Preview
from tests.unit.intake.letters import mail, multipart, part

INNER = mail(
    "The printer\nis on fire.",
    sender='"Dave, D." <dave@acme.example>',
    to="help@acme.example",
    subject="=?utf-8?q?F=C3=BCr_Alice?=",
    Date="Mon, 30 Nov 2026 10:00:00 +0100",
)


def test_it_says_from_to_date_subject_and_how_the_text_begins() -> None:
    assert preview.of(INNER) == Preview(
        '"Dave, D." <dave@acme.example>',
        "help@acme.example",
        "Mon, 30 Nov 2026 10:00:00 +0100",
        "Für Alice",
        "The printer\nis on fire.",
    )


@pytest.mark.parametrize(
    "inner",
    [
        multipart(part("In words."), part("<p>As a page.", "text/html"), kind="alternative"),
        multipart(part("x", "text/plain; name=a.txt"), part("In words.")),
        multipart(part("x", Content_Disposition="attachment"), part("SW4gd29yZHMu", Content_Transfer_Encoding="base64")),
        mail("<p>In <b>words</b>.<script>x()</script>", Content_Type="text/html"),
        mail("In words.".encode("utf-16"), Content_Type="text/plain; charset=utf-16"),
    ],
)
def test_the_text_is_read_as_any_mail_s_is(inner: bytes) -> None:
    assert preview.of(inner).text == "In words."


@pytest.mark.parametrize("inner", [b"", b"\0", b"nothing but this", mail("", sender=None, subject="\u202eevil\x1b[2J")])
def test_nonsense_makes_a_poor_preview_and_no_harm(inner: bytes) -> None:
    found = preview.of(inner)
    assert not set("\u202e\x1b\0") & {*found.sender, *found.subject, *found.text}


def test_it_is_short_whatever_comes() -> None:
    found = preview.of(mail("a line\n" * 100_000, subject="s" * 10_000, to=", ".join(f"p{n}@x.example" for n in range(1_000))))
    assert len(found.text.splitlines()) == preview.MOST_LINES
    assert max(len(found.subject), len(found.to)) <= 300
    assert len(preview.of(mail("x" * 100_000)).text) == preview.MOST_TEXT


def test_the_file_of_a_mail_within_a_mail_has_one_and_comes_through_the_pipe_with_it() -> None:
    _, [file, other] = read.mail(multipart(part("See."), part(INNER, "message/rfc822"), part("x", "text/csv; name=a.csv")))
    assert file.preview == preview.of(INNER)
    assert other.preview is None
    assert Found.of(file.described(), file.content) == file


def test_mails_in_mails_in_mails_take_no_time() -> None:
    raw = INNER
    for _ in range(200):
        raw = multipart(part("See."), part(raw, "message/rfc822"))
    many = multipart(*[part(mail("x" * 100_000), "message/rfc822")] * 400)
    began = time.process_time()
    read.mail(raw)
    read.mail(many)
    assert time.process_time() - began < 5

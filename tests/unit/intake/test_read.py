"""A mail read as a whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.intake.rules import mail as mails
from app.intake.rules import read
from app.intake.rules.mail import Address, Mail
from tests.unit.intake.letters import mail, multipart, part


def described(raw: bytes) -> Mail:
    return read.mail(raw)[0]


def test_it_knows_who_wrote_to_whom_about_what() -> None:
    found = described(
        mail(
            to='"Help, the Desk" <support@desk.example>, bob@desk.example',
            Cc="Dave <dave@acme.example>",
            Delivered_To="support+t7.abc@desk.example",
            subject="=?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n an alle",
            Date="Mon, 23 Nov 2026 10:00:00 +0100",
            In_Reply_To="<a@x>",
            References="<b@x>\r\n <a@x>",
        )
    )
    assert found.sender == Address("Carol", "carol@acme.example")
    assert found.recipients == (
        "support@desk.example",
        "bob@desk.example",
        "dave@acme.example",
        "support+t7.abc@desk.example",
    )
    assert found.subject == "Grüße an alle"
    assert (found.message_id, found.in_reply_to, found.references) == ("<1@acme.example>", ("<a@x>",), ("<b@x>", "<a@x>"))
    assert found.date == "2026-11-23T10:00:00+01:00"
    assert found.text == "It is broken."


def test_raw_bytes_in_the_subject_are_read_in_the_charset_of_the_text() -> None:
    raw = mail(subject="PLACE", Content_Type="text/plain; charset=koi8-r").replace(b"PLACE", "Привет".encode("koi8-r"))
    assert described(raw).subject == "Привет"


def test_html_alone_becomes_text_as_well() -> None:
    found = described(mail("<p>It is <b>broken</b>.</p>", Content_Type="text/html"))
    assert found.text == "It is broken."
    assert found.html == "<p>It is <b>broken</b>.</p>"
    assert found.html_policy == 1


def test_what_is_missing_is_missing() -> None:
    found = described(b"")
    assert (found.sender, found.subject, found.message_id, found.date, found.text) == (None, "", None, None, "")


@pytest.mark.parametrize(
    "raw", ["Mon, 99 Nov 2026", "yesterday", "Mon, 23 Nov 999999 10:00", "\x00", "1 Jan 2026 00:00:00 +9999999999"]
)
def test_a_date_that_is_none_is_none(raw: str) -> None:
    assert described(mail(Date=raw)).date is None


def test_without_a_from_the_next_best_header_names_the_sender() -> None:
    assert described(mail(sender=None, Reply_To="carol@acme.example")).sender == Address("", "carol@acme.example")


class TestContentKey:
    def test_it_is_the_same_whichever_way_the_mail_came(self) -> None:
        one = mail(Received="from a", Return_Path="<carol@acme.example>")
        other = b"Received: from b\r\n" + mail().replace(b"\r\n", b"\n") + b"\n\n"
        assert described(one).content_key == described(other).content_key

    def test_it_differs_for_another_text_under_the_same_id(self) -> None:
        assert described(mail("one")).content_key != described(mail("two")).content_key

    def test_it_differs_for_the_same_text_under_another_id(self) -> None:
        assert described(mail(mail_id="<1@a>")).content_key != described(mail(mail_id="<2@a>")).content_key

    def test_without_an_id_it_goes_by_sender_date_and_subject(self) -> None:
        first = mail(mail_id=None, Date="Mon, 23 Nov 2026 10:00:00 +0100")
        again = b"Received: x\r\n" + first
        later = mail(mail_id=None, Date="Mon, 23 Nov 2026 11:00:00 +0100")
        assert described(first).content_key == described(again).content_key != described(later).content_key


def test_a_mail_goes_through_a_pipe_unchanged() -> None:
    raw = multipart(part("x"), part("Action: failed\r\n", "message/delivery-status"), kind="report", Cc="d@x.example")
    found = described(raw)
    assert mails.from_json(mails.to_json(found)) == found


@given(st.binary(max_size=600))
def test_nothing_makes_it_raise(raw: bytes) -> None:
    described(raw)
    described(b"Content-Type: text/html\r\n\r\n" + raw)
    described(b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n" + raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"From: a@b.example, c@d.example\r\n\r\nHello",
        b"From: a@b.example\r\nFrom: c@d.example\r\n\r\nHello",
        b"Sender: e@f.example\r\nFrom: a@b.example,\r\n c@d.example\r\n\r\nHello",
    ],
)
def test_a_mail_from_several_is_from_nobody(raw: bytes) -> None:
    assert described(raw).sender is None


def test_the_same_sender_twice_is_one() -> None:
    assert described(b"From: a@b.example\r\nFrom: A@B.example\r\n\r\nHello").sender == Address("", "a@b.example")

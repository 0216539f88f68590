"""A mail read as a whole."""

import email.message
import email.policy
from dataclasses import replace

import pytest
from hypothesis import given, settings
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
    assert found.html_policy == 2


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
        one = mail("It is\r\nbroken.", Received="from a", Return_Path="<carol@acme.example>")
        other = b"Received: from b\r\n" + mail("It is\r\nbroken.").replace(b"\r\n", b"\n") + b"\n\n"
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


class TestSender:
    """From names a person; Reply-To only where From is nobody."""

    def test_reply_to_is_no_sender_where_from_is_a_person(self) -> None:
        found = described(mail(Reply_To="dave@acme.example"))
        assert (found.sender, found.sender_field) == (Address("Carol", "carol@acme.example"), "from")

    @pytest.mark.parametrize(
        "nobody", ["noreply", "no-reply", "DoNotReply", "do_not_reply", "shop-noreply", "no.reply.de", "noreply+x1"]
    )
    def test_reply_to_is_the_sender_where_from_says_that_nobody_reads_there(self, nobody: str) -> None:
        found = described(mail(sender=f"The shop <{nobody}@shop.example>", Reply_To="Carol <carol@acme.example>"))
        assert (found.sender, found.sender_field) == (Address("Carol", "carol@acme.example"), "reply-to")

    @pytest.mark.parametrize("reply", ["a@acme.example, b@acme.example", "", "nobody"])
    def test_a_nobody_stays_the_sender_where_reply_to_does_not_name_one_person(self, reply: str) -> None:
        found = described(mail(sender="noreply@shop.example", Reply_To=reply))
        assert (found.sender, found.sender_field) == (Address("", "noreply@shop.example"), "from")

    def test_a_name_that_only_sounds_like_nobody_is_somebody(self) -> None:
        found = described(mail(sender="noreplyton@acme.example", Reply_To="dave@acme.example"))
        assert found.sender == Address("", "noreplyton@acme.example")

    def test_behind_a_list_s_own_address_is_who_the_list_says_wrote(self) -> None:
        via = "'Carol' via Support <support@desk.example>"
        found = described(mail(sender=via, X_Original_From="Carol <carol@acme.example>", Reply_To="dave@acme.example"))
        assert (found.sender, found.sender_field) == (Address("Carol", "carol@acme.example"), "x-original-from")
        assert described(mail(X_Original_From="dave@acme.example")).sender == Address("Carol", "carol@acme.example")
        assert described(mail(sender=via, Reply_To="dave@acme.example")).sender_field == "from"

    @pytest.mark.parametrize(
        ("reply", "named"),
        [("Dave <dave@acme.example>", Address("Dave", "dave@acme.example")), ("a@b.example, c@d.example", None), ("", None)],
    )
    def test_whom_each_field_names_is_kept_for_mailboxes_that_go_by_it(self, reply: str, named: Address | None) -> None:
        found = described(mail(Reply_To=reply))
        assert (found.wrote, found.reply_to) == (Address("Carol", "carol@acme.example"), named)

    def test_a_sender_s_domain_has_one_form_whichever_way_it_is_written(self) -> None:
        one, other = described(mail(sender="J@BÜCHER.example")), described(mail(sender="j@xn--bcher-kva.example"))
        assert one.sender == other.sender == Address("", "j@bücher.example")

    def test_letters_that_look_alike_are_other_people(self) -> None:
        assert described(mail(sender="\u0430dmin@acme.example")).sender != described(mail(sender="admin@acme.example")).sender

    def test_a_mail_sent_with_utf_8_in_its_address_is_from_there(self) -> None:
        assert described(mail(sender="Jörg <jörg@bücher.example>")).sender == Address("Jörg", "jörg@bücher.example")

    def test_an_empty_from_is_from_nobody(self) -> None:
        assert described(mail(sender="")).sender is None


def test_fields_that_look_like_ours_or_a_hop_s_change_nothing() -> None:
    """A07: who sends a mail can write any field into it. What servers are said to have found is kept, for whoever trusts them."""
    forged = {
        "X_Desk_Ticket": "7",
        "X_Desk_Queue": "vip",
        "X_ATUM_Ticket": "7",
        "Auto_Submitted": "no",
        "Authentication_Results": "mx.desk.example; dmarc=pass header.from=acme.example",
    }
    found = described(mail(**forged))
    assert found.results == (forged["Authentication_Results"],)
    assert replace(found, results=()) == described(mail())


def test_a_mail_of_an_mbox_has_neither_its_first_line_nor_its_marks() -> None:
    found = described(b"From carol@acme.example Mon Nov 23 10:00:00 2026\nFrom: carol@acme.example\nSubject: s\n\nHello")
    assert (found.subject, found.text) == ("s", "Hello")


def test_of_fields_that_may_come_once_the_first_counts() -> None:
    found = described(
        b"Subject: one\r\nSubject: two\r\nDate: 1 Jan 2026 00:00 +0000\r\nDate: x\r\n"
        b"Message-ID: <1@a>\r\nMessage-ID: <2@a>\r\n\r\n"
    )
    assert (found.subject, found.date, found.message_id) == ("one", "2026-01-01T00:00:00+00:00", "<1@a>")


def test_a_group_without_members_is_nobody() -> None:
    assert described(mail(to="undisclosed-recipients:;")).to == ()


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_any_line_end_makes_the_same_mail(end: str) -> None:
    raw = mail("one\r\ntwo", Content_Type="text/plain").replace(b"\r\n", end.encode())
    assert (described(raw).subject, described(raw).text) == ("Help", "one\ntwo")


def test_a_line_of_ten_thousand_characters_is_whole() -> None:
    assert described(mail("x" * 10_000, subject="y" * 998)).text == "x" * 10_000


def test_nul_and_other_control_characters_get_nowhere() -> None:
    found = described(mail("a\0b", subject="c\0d\x1be"))
    assert (found.text, found.subject) == ("ab", "cde")


OTHERS = (
    "application/ms-tnef",
    "text/calendar",
    "application/pkcs7-mime",
    "text/enriched",
    "message/partial",
    "message/rfc822",
)


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_nothing_makes_the_other_readers_raise(raw: bytes) -> None:
    for kind in OTHERS:
        described(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + raw)
    described(b"\r\nbegin 644 a\n" + raw + b"\nend\n=ybegin line=1 name=b\n" + raw + b"\n=yend\n")


@settings(deadline=None)
@given(st.recursive(st.binary(max_size=40), lambda inner: st.lists(inner, min_size=1, max_size=3), max_leaves=6))
def test_nested_mails_of_the_standard_library_are_read_back(content: object) -> None:
    """A list is a mail with attachments; bytes are a file; what is in a mail within the mail is read out of that one's file."""
    whole = _written(content if isinstance(content, list) else [content])
    _read_back(whole.as_bytes(), content if isinstance(content, list) else [content])


def _written(content: list[object]) -> email.message.EmailMessage:
    whole = email.message.EmailMessage(policy=email.policy.SMTP)
    whole["Subject"] = "s"
    whole.set_content("text")
    for each in content:
        if isinstance(each, list):
            whole.add_attachment(_written(each))
        else:
            whole.add_attachment(each, "application", "x", filename="a.bin")
    return whole


def _read_back(raw: bytes, content: list[object]) -> None:
    _, files = read.mail(raw)
    assert len(files) == len(content)
    for file, each in zip(files, content, strict=True):
        if isinstance(each, list):
            assert file.media_type == "message/rfc822"
            _read_back(file.content, each)
        else:
            assert file.content == each

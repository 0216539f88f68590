"""Reports of lost mail and of complaints."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.intake.rules import mail as mails
from app.intake.rules import read
from app.intake.rules.mail import Report, ReportKind, Told
from tests.unit.intake.letters import mail, multipart, part

HEAD = "Reporting-MTA: dns; mx.acme.example\r\n\r\n"
ONE = (
    "Final-Recipient: rfc822; carol@acme.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    "Diagnostic-Code: smtp; 550 5.1.1\r\n no such user\r\n"
)
CAROL = Told("carol@acme.example", "failed", "", "5.1.1", "550 5.1.1 no such user")


def report(*parts: bytes, kind: str = "delivery-status") -> Report | None:
    found = read.mail(multipart(part("It failed."), *parts, kind=f"report; report-type={kind}"))[0]
    assert mails.from_json(mails.to_json(found)) == found
    return found.report


def told(status: str) -> tuple[Told, ...]:
    found = report(part(status, "message/delivery-status"))
    assert found
    return found.recipients


def test_it_says_whose_mail_failed_to_whom_and_why() -> None:
    head = "Return-Path: <support+b7.x@desk.example>\r\nMessage-ID: <t.7.1.ab@desk.example>\r\nSubject: Re: Help\r\n"
    found = report(part(HEAD + ONE, "message/delivery-status"), part(head, "text/rfc822-headers"))
    assert found == Report(ReportKind.DELIVERY, ("<t.7.1.ab@desk.example>",), ("support+b7.x@desk.example",), (CAROL,))


def test_the_mail_itself_may_come_back_whole() -> None:
    found = report(part(HEAD + ONE, "message/delivery-status"), part(mail(mail_id="<our@id>"), "message/rfc822"))
    assert found is not None
    assert found.mail_ids == ("<our@id>",)


def test_every_recipient_is_told_of() -> None:
    dave = "Original-Recipient: rfc822;Dave@acme.example\r\n"
    other = f"{dave}Final-Recipient: rfc822;d@x.example\r\nAction: delayed\r\nStatus: 4.4.7\r\n"
    assert told(f"{HEAD}{ONE}\r\n{other}") == (CAROL, Told("d@x.example", "delayed", "dave@acme.example", "4.4.7"))


@pytest.mark.parametrize(
    ("fields", "action"),
    [
        ("Action: failed", "failed"),
        ("Action: Failed (bounced)", "failed"),
        ("Action: failure", "failed"),
        ("Action: error", "failed"),
        ("Action: delayed", "delayed"),
        ("Action: relayed (to a server that makes no reports)", "relayed"),
        ("Action: delivered", "delivered"),
        ("Action: expanded", "expanded"),
        ("Status: 5.0.0", "failed"),
        ("Status: 4.4.1", "delayed"),
        ("Status: 2.1.5", "delivered"),
        ("X-Nothing: said", "failed"),
    ],
)
def test_what_happened_is_one_of_five_things(fields: str, action: str) -> None:
    [one] = told(f"{HEAD}Final-Recipient: rfc822; carol@acme.example\r\n{fields}\r\n")
    assert one.action == action


@pytest.mark.parametrize(
    ("said", "recipient"),
    [
        ("rfc822; Carol@ACME.example", "carol@acme.example"),
        ("RFC822;<carol@acme.example>", "carol@acme.example"),
        ("carol@acme.example", "carol@acme.example"),
        ("utf-8; carol@xn--mnchen-3ya.example", "carol@münchen.example"),
        ("x-unix; |/usr/bin/vacation", "|/usr/bin/vacation"),
    ],
)
def test_a_recipient_is_told_in_many_ways(said: str, recipient: str) -> None:
    assert told(f"{HEAD}Final-Recipient: {said}\r\nAction: failed\r\n")[0].recipient == recipient


def test_a_status_may_have_words_behind_it() -> None:
    assert told(f"{HEAD}Final-Recipient: rfc822; a@b.example\r\nStatus: 5.1.10 (not there)\r\n")[0].status == "5.1.10"


def test_a_report_that_names_no_mail_and_nobody_is_still_a_report() -> None:
    found = read.mail(multipart(part("It."), part("", "message/delivery-status"), kind="report"))[0].report
    assert found == Report(ReportKind.DELIVERY, (), (), ())


def test_an_ordinary_mail_is_no_report() -> None:
    assert read.mail(multipart(part("text"), part(mail(), "message/rfc822")))[0].report is None


def test_a_complaint_says_about_which_mail_of_ours_and_by_whom() -> None:
    fields = (
        "Feedback-Type: Abuse\r\nUser-Agent: x/1\r\nVersion: 1\r\nOriginal-Mail-From: <support+b7.x@desk.example>\r\n"
        "Original-Rcpt-To: <Carol@acme.example>\r\n"
    )
    found = report(
        part(fields, "message/feedback-report"), part(mail(mail_id="<our@id>"), "message/rfc822"), kind="feedback-report"
    )
    by_carol = Told("carol@acme.example", "abuse", "carol@acme.example")
    assert found == Report(ReportKind.COMPLAINT, ("<our@id>",), ("support+b7.x@desk.example",), (by_carol,))


def test_a_complaint_that_hides_who_complains_is_by_whom_the_mail_went_to() -> None:
    back = part(mail(mail_id="<our@id>", to="carol@acme.example"), "message/rfc822")
    found = report(part("Feedback-Type: abuse\r\n", "message/feedback-report"), back, kind="feedback-report")
    assert found is not None
    assert [one.recipient for one in found.recipients] == ["carol@acme.example"]


QMAIL = """Hi. This is the qmail-send program at mx.acme.example.
I'm afraid I wasn't able to deliver your message to the following addresses.

<carol@acme.example>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <support@desk.example>
Message-ID: <t.7.1.ab@desk.example>
"""
DMA = "This is the Mail Agent at x.\n\nThere was an error delivering your mail to <carol@acme.example>.\n\n550 no\n"


@pytest.mark.parametrize("words", [QMAIL, DMA])
def test_what_only_looks_like_a_report_is_perhaps_one(words: str) -> None:
    found = read.mail(mail(words, sender="MAILER-DAEMON@acme.example"))[0].report
    assert found is not None
    assert found.kind is ReportKind.PERHAPS
    assert found.recipients == (Told("carol@acme.example", "failed"),)


def test_the_mail_that_came_back_within_the_text_is_named() -> None:
    found = read.mail(mail(QMAIL, sender="MAILER-DAEMON@acme.example"))[0].report
    assert found is not None
    assert found.mail_ids == ("<t.7.1.ab@desk.example>",)


@pytest.mark.parametrize("words", [QMAIL, DMA])
def test_a_person_who_quotes_such_words_sends_no_report(words: str) -> None:
    assert read.mail(mail(words))[0].report is None


def test_raw_bytes_in_its_header_make_no_difference() -> None:
    raw = mail(QMAIL, sender="Zustellung <mailer-daemon@acme.example>").replace(b"Zustellung", b"M\xfcller \xff")
    found = read.mail(raw)[0].report
    assert found is not None
    assert found.recipients == (Told("carol@acme.example", "failed"),)


@given(
    words=st.text(alphabet="<>@:;- \nab.5Hi", max_size=300),
    begin=st.sampled_from(["", *QMAIL.splitlines()]),
    raw=st.binary(max_size=50),
)
def test_nothing_that_a_machine_writes_stops_the_reader(words: str, begin: str, raw: bytes) -> None:
    found = read.mail(mail(f"{begin}\n\n{words}".encode() + raw, sender="MAILER-DAEMON@acme.example", X_Failed_Recipients=""))[0]
    assert mails.from_json(mails.to_json(found)) == found

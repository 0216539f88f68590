"""Delivery reports."""

from app.intake.rules import read
from app.intake.rules.mail import Bounce
from tests.unit.intake.letters import mail, multipart, part

STATUS = (
    "Reporting-MTA: dns; mx.acme.example\r\n\r\n"
    "Final-Recipient: rfc822; carol@acme.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    "Diagnostic-Code: smtp; 550 5.1.1\r\n no such user\r\n"
)


def bounce(*parts: bytes) -> Bounce | None:
    return read.mail(multipart(part("It failed."), *parts, kind="report; report-type=delivery-status"))[0].bounce


def test_it_says_whose_mail_failed_to_whom_and_why() -> None:
    back = part("Message-ID: <t.7.1.ab@desk.example>\r\nSubject: Re: Help\r\n", "text/rfc822-headers")
    assert bounce(part(STATUS, "message/delivery-status"), back) == Bounce(
        mail_ids=("<t.7.1.ab@desk.example>",),
        recipient="carol@acme.example",
        action="failed",
        status="5.1.1",
        diagnostic="550 5.1.1 no such user",
    )


def test_the_mail_itself_may_come_back_whole() -> None:
    found = bounce(part(STATUS, "message/delivery-status"), part(mail(mail_id="<our@id>"), "message/rfc822"))
    assert found is not None
    assert found.mail_ids == ("<our@id>",)


def test_a_report_that_names_no_mail_is_still_a_report() -> None:
    found = bounce(part("", "message/delivery-status"))
    assert found == Bounce((), "", "", "", "")


def test_an_ordinary_mail_is_no_report() -> None:
    assert read.mail(multipart(part("text"), part(mail(), "message/rfc822")))[0].bounce is None

"""What is written above a mail that was brought to us, and what may not stand below it."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.intake.rules import headers, read, trace
from app.intake.rules.trace import Envelope
from tests.unit.intake.letters import mail

BROUGHT = Envelope(
    client="192.0.2.7",
    helo="mx.acme.example",
    sender="carol@acme.example",
    protocol="ESMTPS",
    verdict="pass",
    id="abc",
    at=datetime(2026, 11, 30, 12, 0, tzinfo=UTC),
)
HOST = "desk.example"


def test_it_says_who_brought_it_for_whom_and_what_spf_says() -> None:
    assert trace.headers(BROUGHT, ["support+t1.x@desk.example"], HOST).decode() == (
        "Return-Path: <carol@acme.example>\r\n"
        "Delivered-To: support+t1.x@desk.example\r\n"
        "Authentication-Results: desk.example; spf=pass smtp.mailfrom=carol@acme.example\r\n"
        "Received: from mx.acme.example ([192.0.2.7])\r\n"
        "\tby desk.example (ATUM Desk) with ESMTPS id abc\r\n"
        "\tfor <support+t1.x@desk.example>; Mon, 30 Nov 2026 12:00:00 +0000\r\n"
    )


def test_of_several_recipients_none_is_told_to_the_others_but_by_their_own_line() -> None:
    said = trace.headers(BROUGHT, ["a@desk.example", "b@desk.example"], HOST).decode()
    assert "Delivered-To: a@desk.example\r\nDelivered-To: b@desk.example\r\n" in said
    assert "for <" not in said


def test_without_a_sender_the_verdict_is_about_the_name_that_was_given() -> None:
    said = trace.headers(replace(BROUGHT, sender="", client="2001:db8::1"), ["a@desk.example"], HOST).decode()
    assert "Return-Path: <>\r\n" in said
    assert "spf=pass smtp.helo=mx.acme.example\r\n" in said
    assert "([IPv6:2001:db8::1])" in said


@pytest.mark.parametrize(
    ("sender", "about"),
    [
        ("käthe@müller.example", " smtp.mailfrom=xn--mller-kva.example"),
        ('"a; spf=pass"@acme.example', " smtp.mailfrom=acme.example"),
        ("carol@acme.example; dkim=pass", ""),
        ("carol@(x)", ""),
    ],
)
def test_the_verdict_is_never_about_anything_else_than_the_sender(sender: str, about: str) -> None:
    said = trace.headers(replace(BROUGHT, sender=sender), ["a@desk.example"], HOST).decode()
    assert f"\r\nAuthentication-Results: desk.example; spf=pass{about}\r\n" in said


@given(st.text(), st.text(), st.text())
def test_nothing_that_the_other_side_says_makes_a_line_of_its_own(helo: str, sender: str, recipient: str) -> None:
    said = trace.headers(replace(BROUGHT, helo=helo, sender=sender), [recipient], HOST)
    found, body = headers.split(said)
    names = ["return-path", "delivered-to", "authentication-results", "received"]
    assert [name for name, _ in found.fields] == names
    assert body == len(said)
    assert said.count(b"\r\n") == said.count(b"\n") == said.count(b"\r") == 6
    assert re.fullmatch(r"desk\.example; spf=pass( smtp\.(mailfrom|helo)=[!-:<-~]+)?", found.first("authentication-results"))


@pytest.mark.parametrize(
    "forged",
    [
        "Authentication-Results: desk.example; spf=pass",
        "AUTHENTICATION-RESULTS : DESK.example 1; spf=pass",
        "Authentication-Results:\r\n\tdesk.example; dkim=pass",
        "Authentication-Results: (hi; there) desk.example; spf=pass",
        "Authentication-Results: (a(b)c) desk.example; spf=pass",
        'Authentication-Results: "desk.example"; spf=pass',
        'Authentication-Results: "d\\esk.example"; spf=pass',
        "Authentication-Results: desk(x).example; spf=pass",
        "Authentication-Results: desk.example",
    ],
)
def test_what_claims_to_be_our_verdict_is_renamed_and_else_left_as_it_came(forged: str) -> None:
    raw = mail("Authentication-Results: desk.example; in the text\r\n", sender=f"Carol <carol@acme.example>\r\n{forged}")
    cleaned = trace.distrusted(raw, HOST)
    assert cleaned == raw.replace(forged.encode(), b"X-Untrusted-" + forged.encode(), 1)
    assert not headers.split(cleaned)[0].has("authentication-results")


@pytest.mark.parametrize(
    "other",
    [
        "Authentication-Results: mx.relay.example; spf=pass smtp.mailfrom=a@desk.example",
        "ARC-Authentication-Results: i=1; desk.example; spf=pass",
        "X-Authentication-Results: desk.example; spf=pass",
    ],
)
def test_other_servers_verdicts_stay(other: str) -> None:
    raw = mail(sender=f"Carol <carol@acme.example>\r\n{other}")
    assert trace.distrusted(raw, HOST) == raw


def test_a_mountain_of_parentheses_is_looked_at_once() -> None:
    raw = mail(sender="x\r\nAuthentication-Results: " + "(" * 200_000 + ")" * 200_000 + "desk.example; spf=pass")
    assert b"X-Untrusted-Auth" in trace.distrusted(raw, HOST)


@given(st.binary(max_size=2000))
def test_any_bytes_are_cleaned_without_losing_one(raw: bytes) -> None:
    assert trace.distrusted(raw, HOST).replace(b"X-Untrusted-", b"") == raw.replace(b"X-Untrusted-", b"")


def test_a_mail_with_our_lines_on_top_is_read_as_before() -> None:
    for raw in (mail("Hello"), b"no header at all", b"\r\nonly a body", b"From carol Mon Nov 30 10:00:00 2026\r\n" + mail("Hi")):
        bare, _ = read.mail(raw)
        topped, _ = read.mail(trace.headers(BROUGHT, ["support+tag@desk.example"], HOST) + raw)
        assert (topped.text, topped.subject, topped.message_id) == (bare.text, bare.subject, bare.message_id)
        assert topped.delivered_to == ("support+tag@desk.example",)
        assert topped.content_key == bare.content_key or not bare.message_id

"""Whose mail is taken by SMTP."""

import pytest

from app.intake.rules.recipients import NOBODY, PAUSED, RELAY_DENIED, Recipients, Refused

DESK, SALES, AWAY = 1, 2, 3
HERE = Recipients(
    domains=frozenset({"desk.example", "second.example", "münchen.example"}),
    mailboxes={
        "support@desk.example": DESK,
        "sales@desk.example": SALES,
        "away@desk.example": AWAY,
        "rathaus@münchen.example": SALES,
    },
    desk=DESK,
    paused=frozenset({AWAY}),
)


@pytest.mark.parametrize(
    ("address", "mailbox"),
    [
        ("support@desk.example", DESK),
        ("Support@DESK.example.", DESK),
        ("support+t12.abcdefghijklmnop@desk.example", DESK),
        ("sales+b7.abcdefghijklmnop@desk.example", SALES),
        ("postmaster@desk.example", DESK),
        ("Postmaster@second.example", DESK),
        ("abuse@second.example", DESK),
        ("postmaster", DESK),
        ("rathaus@xn--mnchen-3ya.example", SALES),
    ],
)
def test_our_own_addresses_are_taken_in_every_spelling(address: str, mailbox: int) -> None:
    assert HERE.mailbox(address) == mailbox


@pytest.mark.parametrize(
    ("address", "answer"),
    [
        ("nobody@desk.example", NOBODY),
        ("support@second.example", NOBODY),
        ("support", NOBODY),
        ("", NOBODY),
        ("+t1@desk.example", NOBODY),
        ("victim%elsewhere.example@desk.example", NOBODY),
        ("elsewhere.example!victim@desk.example", NOBODY),
        ('"victim@elsewhere.example"@desk.example', NOBODY),
        ("victim@elsewhere.example", RELAY_DENIED),
        ("support@desk.example@elsewhere.example", RELAY_DENIED),
        ("support@sub.desk.example", RELAY_DENIED),
        ("support@[127.0.0.1]", RELAY_DENIED),
        ("support@", RELAY_DENIED),
        ("away@desk.example", PAUSED),
        ("away+tag@desk.example", PAUSED),
    ],
)
def test_everybody_else_is_refused_in_plain_words(address: str, answer: str) -> None:
    with pytest.raises(Refused) as refused:
        HERE.mailbox(address)
    assert str(refused.value) == answer


def test_a_desk_without_any_mailbox_takes_nothing() -> None:
    bare = Recipients(frozenset({"desk.example"}), {}, None, frozenset())
    with pytest.raises(Refused, match="550"):
        bare.mailbox("postmaster@desk.example")

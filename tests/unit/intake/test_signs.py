"""What a sign of a ticket is worth in whose hand: every case there is."""

import pytest

from app.intake.rules import signs
from app.intake.rules.signs import Hand, Sign, Worth, worth

UNVERIFIED = {
    Hand.REQUESTER: "join join join join suggest",
    Hand.IN_COPY: "join suggest suggest nothing suggest",
    Hand.STAFF: "hold hold hold nothing nothing",
    Hand.OUTSIDER: "suggest suggest suggest nothing nothing",
}
VERIFIED = {
    Hand.REQUESTER: "join join join join join",
    Hand.IN_COPY: "join join join join join",
    Hand.STAFF: "note hold hold nothing nothing",
    Hand.OUTSIDER: "suggest suggest suggest nothing nothing",
}


@pytest.mark.parametrize("verified", [False, True])
@pytest.mark.parametrize("hand", Hand)
def test_every_sign_in_every_hand(hand: Hand, verified: bool) -> None:
    """The columns are: issued, borrowed, ours, theirs, tag."""
    wanted = (VERIFIED if verified else UNVERIFIED)[hand].split()
    assert [worth(sign, hand, verified=verified) for sign in Sign] == wanted


def test_only_participants_ever_join_and_nobody_who_works_here_speaks_in_public() -> None:
    for sign in Sign:
        for verified in (False, True):
            assert worth(sign, Hand.OUTSIDER, verified=verified) in {Worth.SUGGEST, Worth.NOTHING}
            assert worth(sign, Hand.STAFF, verified=verified) is not Worth.JOIN


@pytest.mark.parametrize(
    ("subject", "numbers"),
    [
        ("Re: Help [#12]", [12]),
        ("Re: [#7] forwarded: Help [#12]", [12, 7]),
        ("Help #12", []),
        ("Help [#0]", []),
        ("Help [#012]", []),
        ("[#" + "9" * 30 + "]", []),
        ("[#\u0661\u0662]", []),
    ],
)
def test_the_numbers_in_a_subject_the_last_one_first(subject: str, numbers: list[int]) -> None:
    assert signs.tagged(subject) == numbers

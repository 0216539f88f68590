"""What a sign of a ticket is worth in whose hand (MAIL.md, "Threading"): that decides where a mail goes."""

import re
from enum import StrEnum

_TAG = re.compile(r"\[#([1-9][0-9]{0,17})\]")


class Sign(StrEnum):
    """How a mail refers to a ticket, by falling certainty.

    `issued`: to an address that we gave this very sender. `borrowed`: to one that we gave somebody else. `ours`: it answers
    a Message-ID of ours. `theirs`: it answers one of a customer's earlier mails, or belongs to the same thread of them. `tag`:
    the number in the subject, which anybody can write.
    """

    ISSUED = "issued"
    BORROWED = "borrowed"
    OURS = "ours"
    THEIRS = "theirs"
    TAG = "tag"


class Hand(StrEnum):
    """What the sender is to the ticket. Somebody of the staff who has asked something is its requester, as anybody is."""

    REQUESTER = "requester"
    IN_COPY = "in copy"
    STAFF = "staff"
    OUTSIDER = "outsider"


class Worth(StrEnum):
    """What becomes of the mail: it joins, joins as an internal note, waits for a person's say, is held, or is not about that
    ticket. In order: of several signs the best one counts.
    """

    JOIN = "join"
    NOTE = "note"
    HOLD = "hold"
    SUGGEST = "suggest"
    NOTHING = "nothing"


_WORTH = {
    Hand.REQUESTER: {Sign.TAG: Worth.SUGGEST},
    Hand.IN_COPY: {Sign.ISSUED: Worth.JOIN, Sign.THEIRS: Worth.NOTHING},
    Hand.STAFF: {Sign.THEIRS: Worth.NOTHING, Sign.TAG: Worth.NOTHING},
    Hand.OUTSIDER: {Sign.THEIRS: Worth.NOTHING, Sign.TAG: Worth.NOTHING},
}
_OTHERWISE = {Hand.REQUESTER: Worth.JOIN, Hand.IN_COPY: Worth.SUGGEST, Hand.STAFF: Worth.HOLD, Hand.OUTSIDER: Worth.SUGGEST}


def worth(sign: Sign, hand: Hand, *, verified: bool, in_from: bool = True) -> Worth:
    """What this sign is worth. `verified`: whether it is known that the mail is from the address it names. `in_from`: whether
    From names it; no domain says who may name an address elsewhere, so there only what was issued to that very address counts.

    A participant whose mail is verified may show anything; else only what nobody but they can know. Who works here speaks by
    mail only to the address issued to them, verified, and then to colleagues alone.
    """
    if verified and hand in {Hand.REQUESTER, Hand.IN_COPY}:
        return Worth.JOIN
    if verified and hand is Hand.STAFF and sign is Sign.ISSUED:
        return Worth.NOTE
    found = _WORTH[hand].get(sign, _OTHERWISE[hand])
    return Worth.SUGGEST if found is Worth.JOIN and not in_from and sign is not Sign.ISSUED else found


def tagged(subject: str) -> list[int]:
    """The numbers that a subject names like [#123], last first: the last one is the one that was answered."""
    return [int(number) for number in reversed(_TAG.findall(subject))]

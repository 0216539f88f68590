"""What a mail's signature or encryption shows, and how that is said.

It is told to whoever reads the mail, and grants nothing: a signature covers what a mail says, and not its header.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class SealState(StrEnum):
    """`doubtful` fits, but something is to be known about it; of `unknown` it can't be told whether it fits."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    ENCRYPTED = "encrypted"


@dataclass(frozen=True)
class Seal:
    """What a signature shows, as plain values; or that the mail is `encrypted`.

    `trouble` says why it can't be told whether it fits, and is empty where it can: then `intact` is what was told. `whole` is
    whether all that is shown is signed. `addresses` are the signer's, `name` is what they are called. `known` is whether an
    authority that we know vouches for them, `ran_out` the day on which the certificate did, `weak` by what it could be forged.
    Of one of OpenPGP (`openpgp`) is only known by which `key` it says it is.
    """

    encrypted: bool = False
    trouble: str = ""
    intact: bool = False
    whole: bool = True
    addresses: tuple[str, ...] = ()
    name: str = ""
    known: bool = False
    ran_out: str = ""
    weak: str = ""
    openpgp: bool = False
    key: str = ""

    def told(self, sender: str) -> tuple[SealState, str]:
        """The gist of it, and in words, for whoever reads a mail of this sender's."""
        if self.encrypted:
            return SealState.ENCRYPTED, "Encrypted, and the desk has no key."
        if self.openpgp:
            by = f"the key {self.key}, which nobody here has confirmed" if self.key else "a key that it does not name"
            return SealState.UNKNOWN, f"Signed with OpenPGP by {by}; whether it fits was not checked."
        if self.trouble:
            return SealState.UNKNOWN, f"Signed, but that could not be checked: {self.trouble}."
        if not self.intact:
            return SealState.BROKEN, "The signature doesn't fit: the mail was changed on its way."
        who = (
            sender if sender in self.addresses else next(iter(self.addresses), f"“{self.name}”, a certificate without an address")
        )
        begin = f"Signed by {who}, intact" if who == sender else f"Signed, but by another address than the sender's: {who}"
        doubts = "; ".join(self._doubts())
        state = SealState.GOOD if who == sender and not doubts else SealState.DOUBTFUL
        return state, f"{begin}; but {doubts}." if doubts else f"{begin}."

    def _doubts(self) -> list[str]:
        every = (
            ("only a part of what is shown is signed", not self.whole),
            (f"it is made in a way that can be forged ({self.weak})", self.weak),
            ("the certificate is not by an authority we know, and anybody can make one", not self.known),
            (f"the certificate ran out on {self.ran_out}", self.ran_out),
        )
        return [words for words, holds in every if holds]


def from_json(plain: dict[str, Any] | None) -> Seal | None:
    """The seal again, from its plain values."""
    return Seal(**{**plain, "addresses": tuple(plain["addresses"])}) if plain else None


ENCRYPTED = Seal(encrypted=True)
UNCHECKED = Seal(trouble="nobody looked")
IN_PART = Seal(trouble="it is too large to be fetched whole")
FAILED = Seal(trouble="looking at it took too long or failed")

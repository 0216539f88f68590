"""What a mail's signature or encryption shows, and how that is said.

It is told to whoever reads the mail, and grants nothing: a signature covers what a mail says, and not its header.
"""

from dataclasses import dataclass
from enum import StrEnum


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
    whether all that is shown is signed. `address` is the signer's, the sender's own (`own`) if there are several; `name` is theirs
    where there is none. `known` is whether an authority that we know vouches for them, `ran_out` the day on which the certificate
    did, and `weak` by what anybody could forge it.
    """

    encrypted: bool = False
    trouble: str = ""
    intact: bool = False
    whole: bool = True
    address: str = ""
    name: str = ""
    own: bool = False
    known: bool = False
    ran_out: str = ""
    weak: str = ""

    @property
    def state(self) -> SealState:
        """The gist of it."""
        if self.encrypted:
            return SealState.ENCRYPTED
        if self.trouble:
            return SealState.UNKNOWN
        if not self.intact:
            return SealState.BROKEN
        return SealState.DOUBTFUL if self._doubts or not self.own else SealState.GOOD

    @property
    def words(self) -> str:
        """A sentence or two for whoever reads the mail."""
        if self.encrypted:
            return "Encrypted, and the desk has no key."
        if self.trouble:
            return f"Signed, but that could not be checked: {self.trouble}."
        if not self.intact:
            return "The signature doesn't fit: the mail was changed on its way."
        begin = f"Signed by {self._who}, intact"
        if not self.own:
            begin = f"Signed, but by another address than the sender's: {self._who}"
        return f"{begin}; but {'; '.join(self._doubts)}." if self._doubts else f"{begin}."

    @property
    def _who(self) -> str:
        return self.address or f"“{self.name or 'nobody'}”, a certificate without an address"

    @property
    def _doubts(self) -> list[str]:
        every = (
            ("only a part of what is shown is signed", not self.whole),
            (f"it is made in a way that can be forged ({self.weak})", self.weak),
            ("the certificate is not by an authority we know, and anybody can make one", not self.known),
            (f"the certificate ran out on {self.ran_out}", self.ran_out),
        )
        return [words for words, holds in every if holds]


ENCRYPTED = Seal(encrypted=True)
UNCHECKED = Seal(trouble="nobody looked")
FAILED = Seal(trouble="looking at it took too long or failed")

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
    One of OpenPGP (`openpgp`) names its `keys`. There `known` is whether a person here has confirmed one of them, for
    `addresses`, `revoked` whether its owner took it back since, `inline` that it stands within a text, where it is not checked.
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
    keys: tuple[str, ...] = ()
    revoked: bool = False
    inline: bool = False

    @property
    def unchecked(self) -> bool:
        """Whether it is there and nobody has looked at it."""
        return self.trouble == UNCHECKED.trouble

    def told(self, sender: str) -> tuple[SealState, str]:
        """The gist of it, and in words, for whoever reads a mail of this sender's."""
        if self.encrypted:
            return SealState.ENCRYPTED, "Encrypted, and the desk has no key."
        if self.trouble:
            return SealState.UNKNOWN, f"Signed, but that could not be checked: {self.trouble}."
        if self.openpgp and not self.known:
            return SealState.UNKNOWN, self._unconfirmed()
        if not self.intact:
            return SealState.BROKEN, "The signature doesn't fit: the mail was changed on its way."
        who = (
            sender if sender in self.addresses else next(iter(self.addresses), f"“{self.name}”, a certificate without an address")
        )
        begin = f"Signed by {who}, intact" if who == sender else f"Signed, but by another address than the sender's: {who}"
        doubts = "; ".join(self._doubts())
        state = SealState.GOOD if who == sender and not doubts else SealState.DOUBTFUL
        return state, f"{begin}; but {doubts}." if doubts else f"{begin}."

    def _unconfirmed(self) -> str:
        named = ", ".join(self.keys)
        if self.inline:
            by = f"by the key {named}" if named else "by a key that it does not name"
            return f"Signed with OpenPGP within its text, {by}. Such a signature is not checked."
        by = f"the key {named}, which nobody here has confirmed" if named else "a key that it does not name"
        return f"Signed with OpenPGP by {by}; whether it fits was not checked."

    def _doubts(self) -> list[str]:
        what = "key" if self.openpgp else "certificate"
        every = (
            ("only a part of what is shown is signed", not self.whole),
            (f"it is made in a way that can be forged ({self.weak})", self.weak),
            ("the certificate is not by an authority we know, and anybody can make one", not self.known),
            ("its owner has taken the key back since", self.revoked),
            (f"the {what} ran out on {self.ran_out}", self.ran_out),
        )
        return [words for words, holds in every if holds]


def from_json(plain: dict[str, Any] | None) -> Seal | None:
    """The seal again, from its plain values."""
    return Seal(**{**plain, **{name: tuple(plain[name]) for name in ("addresses", "keys")}}) if plain else None


ENCRYPTED = Seal(encrypted=True)
UNCHECKED = Seal(trouble="nobody looked")
IN_PART = Seal(trouble="it is too large to be fetched whole")
FAILED = Seal(trouble="looking at it took too long or failed")

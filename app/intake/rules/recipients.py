"""Whose mail is taken at the SMTP door, and what everybody else is told."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.core import text

RELAY_DENIED = "550 5.7.1 Relay denied: this desk takes no mail for that domain."
NOBODY = "550 5.1.1 There is no such address here."
PAUSED = "450 4.2.1 That mailbox is paused; send it again later."

_OF_EVERY_DOMAIN = ("postmaster", "abuse")  # RFC 5321 section 4.5.1, RFC 2142


class Refused(Exception):
    """This recipient is not taken; the text is the whole answer, code first."""


@dataclass(frozen=True)
class Recipients:
    """The mailboxes (rows of the table) by the addresses that they are for, inside of `domains`.

    `desk` is where mail to the people who run a domain goes. A paused mailbox takes nothing for now.
    """

    domains: frozenset[str]
    mailboxes: Mapping[str, int]
    desk: int | None
    paused: frozenset[int]

    def mailbox(self, recipient: str) -> int:
        """The mailbox of an address, with or without a tag (+…). Raises Refused."""
        local, at, domain = text.address(recipient).rpartition("@")
        if at and domain not in self.domains:
            raise Refused(RELAY_DENIED)
        found = self.mailboxes.get(f"{local.partition('+')[0]}@{domain}") if at else None
        if found is None and (local if at else domain) in _OF_EVERY_DOMAIN:
            found = self.desk
        if found is None:
            raise Refused(NOBODY)
        if found in self.paused:
            raise Refused(PAUSED)
        return found

"""Every address and identity the desk is known by in mail, and how to tell ours from made-up ones."""

import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from uuid import NAMESPACE_OID, uuid5
from zoneinfo import ZoneInfo

from app import config
from app.config import Settings
from app.core import text
from app.core.signing import Signer
from app.outbox import keys
from app.outbox.keys import Keys
from app.outbox.rules import wire_domain

NAME = "ATUM Desk"
ACKNOWLEDGE = "acknowledge"  # the page by whose link a deadline is acknowledged: no way in, so it is no reason to mail for
_FOLLOWING = re.compile(r"(?P<ticket>[1-9][0-9]{0,17})\.(?P<person>[1-9][0-9]{0,17})\.(?P<signature>[a-z2-7]{32})")
_NUMBER = r"(?P<ticket>[1-9][0-9]{0,17})"
_SIGNATURE = r"(?P<signature>[a-z2-7]{16})"
_BARE = r"(?P<bare>t\.(?P<ticket>0|[1-9][0-9]{0,17})\.[0-9]{1,19}\.[0-9a-z]{1,64})"  # 0: a letter of no ticket
_MAIL_ID = re.compile(rf"<{_BARE}\.{_SIGNATURE}@[^<>@\s]+>", re.IGNORECASE)
_REPLY_ADDRESS = re.compile(rf"[^@\s]+\+t{_NUMBER}\.{_SIGNATURE}@[^@\s]+", re.IGNORECASE)
_PROBE = re.compile(rf"probe-(?P<mailbox>[1-9][0-9]{{0,17}})\.(?P<number>[1-9][0-9]{{0,17}})\.{_SIGNATURE}", re.IGNORECASE)
_RETURN_ADDRESS = re.compile(rf"[^@\s]+\+b(?P<letter>[1-9][0-9]{{0,17}})\.{_SIGNATURE}@[^@\s]+", re.IGNORECASE)


@dataclass(frozen=True)
class House:
    """Who we are: the public URL, our name, the address we send from, the right side of our Message-IDs, and our time zone.

    `others` are the addresses of more mailboxes, in lower case: tickets that came in there are answered from there.
    """

    url: str
    name: str
    address: str
    mail_host: str
    signer: Signer
    others: frozenset[str] = frozenset()
    ring: Keys | None = None
    zone: tzinfo = UTC

    @property
    def keys(self) -> Keys:
        """What signs that comes back in mails; `signer` signs what stays here, and what must not change with these."""
        return self.ring or Keys(self.signer)

    def sender(self, address: str | None) -> str:
        """The address a letter is sent from: its own, as long as it is one of ours."""
        return address if address is not None and address in self.others else self.address

    @property
    def domains(self) -> set[str]:
        """The domains we send from, in ASCII; not those of addresses that mail can't be sent from."""
        found = set()
        for address in (self.address, *self.others):
            with contextlib.suppress(ValueError):
                found.add(wire_domain(address))
        return found

    def is_own(self, address: str) -> bool:
        """Whether this is an address of ours, with or without a tag."""
        local, _, domain = address.rpartition("@")
        return f"{local.partition('+')[0]}@{domain}" in {text.address(self.address), *self.others}

    def mail_id(self, bare: str, written: datetime | None = None) -> str:
        """The whole Message-ID of a bare one ("t.{ticket}.{message or 0}.{random}"): "<bare.signature@host>".

        `written` is when its letter was, so that it is the same for ever; None for what no letter is called.
        """
        return f"<{bare}.{self.keys.sign_as_of(written, 'mail-id', bare)}@{self.mail_host}>"

    def bare(self, mail_id: str) -> str | None:
        """A Message-ID of ours as its letter has it, whatever its host (some relays rewrite it); None for anybody else's."""
        found = _MAIL_ID.fullmatch(mail_id.strip())
        if found and self.keys.matches("mail-id", found["bare"].lower(), found["signature"]):
            return found["bare"].lower()
        return None

    def ticket_of_mail_id(self, mail_id: str) -> int | None:
        """The ticket of a Message-ID of ours; None for anybody else's."""
        bare = self.bare(mail_id)
        return int(bare.split(".")[1]) if bare else None

    def return_address(self, letter: int, sender: str | None = None) -> str:
        """Where a report about this letter goes: "local+b{letter}.{signature}@domain" (VERP), in the mailbox it was sent from."""
        local, _, domain = self.sender(sender).rpartition("@")
        return f"{local}+b{letter}.{self.keys.sign('return-address', str(letter))}@{domain}"

    def letter_of_address(self, address: str) -> int | None:
        """The letter of a return address of ours."""
        found = _RETURN_ADDRESS.fullmatch(address.strip())
        if found and self.keys.matches("return-address", found["letter"], found["signature"]):
            return int(found["letter"])
        return None

    def reply_address(self, ticket: int, recipient: str, sender: str | None = None) -> str:
        """Where `recipient` of a mail from `sender` answers to, and nobody else: "local+t{ticket}.{signature}@domain"."""
        local, _, domain = self.sender(sender).rpartition("@")
        return f"{local}+t{ticket}.{self.keys.sign('reply-address', _issued(ticket, recipient))}@{domain}"

    def ticket_of_address(self, address: str, sender: str) -> int | None:
        """The ticket of a reply address, if it was issued to this sender."""
        found = _REPLY_ADDRESS.fullmatch(address.strip())
        if found and self.keys.matches("reply-address", _issued(int(found["ticket"]), sender), found["signature"]):
            return int(found["ticket"])
        return None

    def probe(self, mailbox: int, number: int) -> str:
        """The mark on a mail that the desk sends itself to see whether it comes: "probe-{mailbox}.{number}.{signature}"."""
        return f"probe-{mailbox}.{number}.{self.keys.sign('probe', f'{mailbox}.{number}')}"

    def probe_in(self, subject: str) -> tuple[int, int] | None:
        """The mailbox and the number of such a mail, whatever else was written into its subject on the way."""
        found = _PROBE.search(subject)
        if found and self.keys.matches("probe", f"{found['mailbox']}.{found['number']}", found["signature"]):
            return int(found["mailbox"]), int(found["number"])
        return None

    def conversation(self, ticket: int) -> bytes:
        """The 16 bytes by which Outlook knows that letters are of one ticket; nobody else can name them beforehand."""
        return uuid5(NAMESPACE_OID, self.signer.sign("conversation", str(ticket))).bytes

    def claimed(self, address: str) -> int | None:
        """The ticket that a reply address names, whoever it was issued to, if to anybody."""
        found = _REPLY_ADDRESS.fullmatch(address.strip())
        return int(found["ticket"]) if found else None

    def ticket_url(self, ticket: int) -> str:
        """The page of a ticket."""
        return f"{self.url}/tickets/{ticket}"

    def unfollow_url(self, ticket: int, person: int) -> str:
        """Where this person stops following a ticket, without signing in, whenever they like (RFC 8058)."""
        following = f"{ticket}.{person}"
        return f"{self.url}/unfollow/{following}.{self.keys.sign('unfollow', following, bits=160)}"

    def following_of(self, token: str) -> tuple[int, int] | None:
        """The ticket and the person of such a page; None for what we did not sign."""
        found = _FOLLOWING.fullmatch(token)
        if found and self.keys.matches("unfollow", f"{found['ticket']}.{found['person']}", found["signature"]):
            return int(found["ticket"]), int(found["person"])
        return None

    def one_time_url(self, page: str, bare: str) -> str:
        """The one-time link of the letter with this bare Message-ID."""
        return f"{self.url}/{page}/{one_time_token(self.signer, bare)}"


def house(settings: Settings, signer: Signer | None = None, *, others: Iterable[str] = ()) -> House:
    """The house of these settings. Raises FileNotFoundError before the first boot has made the desk's key."""
    signer = signer or Signer(config.secret_key(settings))
    return House(
        url=settings.atum_url,
        name=NAME,
        address=settings.smtp_from or f"desk@{settings.host}",
        mail_host=settings.mail_host,
        signer=signer,
        others=frozenset(others),
        ring=keys.known(settings, signer),
        zone=ZoneInfo(settings.tz),
    )


def one_time_token(signer: Signer, bare: str) -> str:
    """255 bits that follow from a letter's bare Message-ID for whoever has the desk's key, and for nobody else."""
    return signer.sign("one-time-link", bare, bits=255)


def _issued(ticket: int, recipient: str) -> str:
    return f"{ticket}:{text.address(recipient)}"

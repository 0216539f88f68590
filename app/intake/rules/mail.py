"""What is known of a mail once it is read."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Address:
    """One mailbox of a header: the name shown, never trusted, and the address as it is compared."""

    name: str
    address: str


@dataclass(frozen=True)
class Bounce:
    """What a delivery report says (RFC 3464): about which mails, to whom, and how it went."""

    mail_ids: tuple[str, ...]
    recipient: str
    action: str
    status: str
    diagnostic: str


@dataclass(frozen=True)
class Mail:
    """A mail read. Message-IDs carry their angle brackets; `delivered_to` are addresses that the way here added.

    `automatic` says in words why a machine must have sent it, and is empty for a person's mail. `html` is made harmless
    by the policy `html_policy`. `date` is the sender's own, in ISO 8601, and may be any nonsense.
    """

    sender: Address | None
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    delivered_to: tuple[str, ...]
    subject: str
    message_id: str | None
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    date: str | None
    automatic: str
    bounce: Bounce | None
    text: str
    html: str | None
    html_policy: int | None
    content_key: str

    @property
    def recipients(self) -> tuple[str, ...]:
        """Every address that this mail came to, as far as anybody says."""
        return (*(a.address for a in self.to), *(a.address for a in self.cc), *self.delivered_to)


@dataclass(frozen=True)
class Found:
    """A file in a mail. `name` is as sent and may hold anything."""

    name: str
    content: bytes


def to_json(mail: Mail) -> dict[str, Any]:
    """Plain values, for the way through a pipe."""
    return asdict(mail)


def from_json(plain: dict[str, Any]) -> Mail:
    """The mail again. Raises TypeError or KeyError where `plain` was no mail."""
    sender, bounce = plain["sender"], plain["bounce"]
    return Mail(
        **{
            **plain,
            "sender": Address(**sender) if sender else None,
            "to": tuple(Address(**a) for a in plain["to"]),
            "cc": tuple(Address(**a) for a in plain["cc"]),
            "bounce": Bounce(**{**bounce, "mail_ids": tuple(bounce["mail_ids"])}) if bounce else None,
            **{name: tuple(plain[name]) for name in ("delivered_to", "in_reply_to", "references")},
        }
    )

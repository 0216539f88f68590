"""What is known of a mail once it is read."""

from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

from app.intake.rules import keys as openpgp
from app.intake.rules import seal as seals
from app.intake.rules.keys import Key
from app.intake.rules.quotes import Fold
from app.intake.rules.seal import Seal

MOST_OF_THREAD = 20
COMPLAINTS = frozenset({"abuse", "complaint", "opt-out", "opt-out-list"})  # Feedback-Types


@dataclass(frozen=True)
class Address:
    """One mailbox of a header: the name shown, never trusted, and the address as it is compared."""

    name: str
    address: str


class ReportKind(StrEnum):
    """`perhaps` is what only looks like a report of a lost mail."""

    DELIVERY = "delivery"
    COMPLAINT = "complaint"
    PERHAPS = "perhaps"


@dataclass(frozen=True)
class Told:
    """What a report says of one recipient.

    `original` is the address we wrote to, where that is told apart from the one it came to. `action` is failed, delayed,
    delivered, relayed or expanded; of a complaint its Feedback-Type.
    """

    recipient: str
    action: str
    original: str = ""
    status: str = ""
    diagnostic: str = ""

    @property
    def words(self) -> str:
        """Status and diagnosis as they came."""
        return " ".join(part for part in (self.status, self.diagnostic) if part) or "no reason given"


@dataclass(frozen=True)
class Report:
    """A report about mail (RFC 3464, RFC 5965): which mails came back, their return paths, and what it says of each recipient."""

    kind: ReportKind
    mail_ids: tuple[str, ...]
    return_paths: tuple[str, ...]
    recipients: tuple[Told, ...]


@dataclass(frozen=True)
class Card:
    """An event of a calendar, as the sender writes it; `method` is what the calendar is sent for: request, cancel, reply, ….

    `start` and `end` are ISO 8601: a day (the last one included), a time with its offset, or a time without one where the zone
    isn't known. `answers` holds who is asked (name and address) and what they answer: accepted, declined, tentative, ….
    """

    method: str
    summary: str
    organizer: str
    start: str
    end: str
    zone: str
    repeats: str
    location: str
    answers: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Preview:
    """A mail within a mail in a few lines: what its header says, and how its text begins."""

    sender: str
    to: str
    date: str
    subject: str
    text: str


@dataclass(frozen=True)
class Mail:
    """A mail read. Message-IDs carry their angle brackets; `delivered_to` are addresses that the way here added.

    `automatic` says in words why a machine must have sent it, and is empty for a person's mail. `html` is made harmless
    by the policy `html_policy`. `folds` are the parts of the text that pages fold (`quotes`). `sender_field` is where the
    sender is named: what a server attests to holds for "from" only. `results` are the Authentication-Results as they stand.
    `from_field` is From as it stands, on one line, where it is the only one and names one address, and empty otherwise.
    `wrote` and `reply_to` are whom From and Reply-To name, where that is one. `date` is the sender's own, in ISO 8601, and may
    be any nonsense. `charset` is how the text was read: the charset, and what spoke for it. `seal` is what its
    signature shows, where there is one, or that it is encrypted. `brings_keys` is whether OpenPGP's keys come along, and `keys`
    are they, once somebody has looked.
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
    report: Report | None
    text: str
    html: str | None
    html_policy: int | None
    folds: tuple[Fold, ...]
    content_key: str
    sender_field: str = "from"
    charset: str = ""
    cards: tuple[Card, ...] = ()
    results: tuple[str, ...] = ()
    from_field: str = ""
    wrote: Address | None = None
    reply_to: Address | None = None
    seal: Seal | None = None
    brings_keys: bool = False
    keys: tuple[Key, ...] = ()

    @property
    def unchecked(self) -> bool:
        """Whether its signature, or the keys that it brings, are still to be looked at."""
        return self.brings_keys or (self.seal is not None and self.seal.unchecked)

    @property
    def recipients(self) -> tuple[str, ...]:
        """Every address that this mail came to, as far as anybody says."""
        return (*(a.address for a in self.to), *(a.address for a in self.cc), *self.delivered_to)

    @property
    def thread(self) -> tuple[str, ...]:
        """The Message-IDs that it refers to, in order: of a long chain the first, which names the thread, and the last ones."""
        chain = tuple(dict.fromkeys((*self.references, *self.in_reply_to)))
        return chain if len(chain) <= MOST_OF_THREAD else (chain[0], *chain[1 - MOST_OF_THREAD :])


@dataclass(frozen=True)
class Found:
    """A file in a mail. `name` is only a name, and no two files of a mail have the same.

    `media_type` is what the sender says it is. The mail's HTML can refer to it as cid:`content_id` or by its `location`
    (RFC 2557), and where it does so the file is `inline`: it is part of the text, and needn't be listed beside it. `preview` is
    what it says, where it is a mail.
    """

    name: str
    content: bytes = field(repr=False)
    media_type: str = "application/octet-stream"
    content_id: str = ""
    location: str = ""
    inline: bool = False
    preview: Preview | None = None

    def described(self) -> dict[str, Any]:
        """All but the bytes, as plain values."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "content"}
        return plain | {"preview": asdict(self.preview) if self.preview else None}

    @classmethod
    def of(cls, described: dict[str, Any], content: bytes) -> "Found":
        """The file again. Raises TypeError or KeyError where that described none."""
        preview = described["preview"]
        return cls(content=content, **{**described, "preview": Preview(**preview) if preview else None})


def to_json(mail: Mail) -> dict[str, Any]:
    """Plain values, for the way through a pipe."""
    return asdict(mail) | {"keys": openpgp.to_json(mail.keys)}


def from_json(plain: dict[str, Any]) -> Mail:
    """The mail again. Raises TypeError or KeyError where `plain` was no mail."""
    report = plain["report"]
    return Mail(
        **{
            **plain,
            **{name: Address(**plain[name]) if plain[name] else None for name in ("sender", "wrote", "reply_to")},
            "to": tuple(Address(**a) for a in plain["to"]),
            "cc": tuple(Address(**a) for a in plain["cc"]),
            "folds": tuple((begin, end, why) for begin, end, why in plain["folds"]),
            "report": _report(report) if report else None,
            "seal": seals.from_json(plain["seal"]),
            "keys": openpgp.from_json(plain["keys"]),
            "cards": tuple(Card(**{**c, "answers": tuple(tuple(a) for a in c["answers"])}) for c in plain["cards"]),
            **{name: tuple(plain[name]) for name in ("delivered_to", "in_reply_to", "references", "results")},
        }
    )


def _report(plain: dict[str, Any]) -> Report:
    told = tuple(Told(**one) for one in plain["recipients"])
    return Report(ReportKind(plain["kind"]), tuple(plain["mail_ids"]), tuple(plain["return_paths"]), told)

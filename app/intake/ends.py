"""What a mailbox signs in with that is about to end: told a week before, while there is nothing amiss yet."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

AHEAD = timedelta(days=7)
_KINDS = {
    "sign_in_ends_at": ("sign-in", "Allow it again before that: atum mailbox set {name} --sign-in-again"),
    "client_secret_until": (
        "client secret",
        "Make another one at the provider, then: atum mailbox set {name} --client-secret --client-secret-until YYYY-MM-DD",
    ),
}


@dataclass(frozen=True)
class End:
    """Of what, in words."""

    mailbox: int
    name: str
    words: str


def about_to(mailboxes: Iterable[Mapping[str, Any]], *, now: datetime) -> list[End]:
    """What ends within a week, of mailboxes that are read (queries.mailbox_states); of each what ends first.

    Where nobody said when something ends, nothing is known here.
    """
    found = []
    for box in mailboxes:
        ends = sorted((box[kind], kind) for kind in _KINDS if box[kind] and box[kind] - now <= AHEAD)
        if ends and box["state"] != "paused":
            at, kind = ends[0]
            what, then = _KINDS[kind]
            when = f"{'ended' if at <= now else 'ends'} at {at:%Y-%m-%d %H:%M} UTC"
            words = f"The {what} of {box['name']} {when}, and then its mail does not come in any more."
            found.append(End(box["id"], box["name"], f"{words} {then.format(name=box['name'])}"))
    return found

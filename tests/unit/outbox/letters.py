"""A house and letters to try things with."""

from datetime import UTC, datetime
from typing import Any

from app.core.signing import Signer
from app.outbox.house import House
from app.outbox.models import Kind, Letter, State

WHEN = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def a_house(address: str = "support@desk.example", mail_host: str = "desk.example") -> House:
    """A desk of the tests."""
    return House("https://desk.example", "ATUM Desk", address, mail_host, Signer(b"k" * 32))


def a_letter(**different: Any) -> Letter:
    """Alice's answer to Carol on ticket 7, in no database."""
    values: dict[str, Any] = {
        "id": 1,
        "dedupe_key": "reply:9",
        "kind": Kind.REPLY,
        "state": State.SENDING,
        "ticket": 7,
        "message_id": 9,
        "to_address": "carol@acme.example",
        "to_name": "Carol",
        "from_name": "Alice",
        "subject": "Re: My printer burns [#7]",
        "text": "Pull the plug.\n\nThen call us.",
        "mail_id": "t.7.9.0123456789abcdef",
        "in_reply_to": "<first@acme.example>",
        "references": ["<first@acme.example>"],
        "created_at": WHEN,
        "attempts": 1,
        "doubts": 0,
    }
    return Letter(**{**values, **different})

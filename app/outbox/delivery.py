"""One letter on its way: taken out in one transaction, carried outside any, written down in another."""

import time
from typing import Protocol

from app.core.errors import NotFound
from app.core.log import about
from app.db.session import Database, DatabaseGone
from app.files.disk import Blobs
from app.files.models import Attachment
from app.outbox import actions, queries, rules
from app.outbox.compose import Enclosure, compose
from app.outbox.dkim import Signatures
from app.outbox.house import House
from app.outbox.models import Kind, Letter
from app.outbox.rules import Outcome, Verdict
from app.outbox.smtp import Account

_PATIENCE = (0.2, 1.0, 3.0, 5.0)  # seconds: as long as a database may take to start again


class Carrier(Protocol):
    """Whoever takes mail; `smtp.Line` is the one there is."""

    account: Account

    def deliver(self, senders: tuple[str, ...], recipient: str, content: bytes) -> Outcome: ...


def process_one(db: Database, house: House, carrier: Carrier, blobs: Blobs, signatures: Signatures | None = None) -> bool:
    """Send the next letter that is due; False when there is none, or the server is being left in peace."""
    relay = house.signer.sign("relay", carrier.account.described())
    with db.transaction() as s:
        letter = actions.claim(s, relay=relay)
        files = queries.enclosed(s, letter) if letter else ()
        written = queries.written(s, letter) if letter else {}
    if letter is None:
        return False
    with about(letter=letter.id):
        try:
            content = compose(letter, house, [_enclosure(blobs, file) for file in files], written=written).as_bytes()
            recipient = rules.wire_address(letter.to_address)
        except (NotFound, ValueError) as wrong:
            _record(db, letter, Outcome(Verdict.FAILED, str(wrong)), relay=None)
            return True
        if signatures:
            content = signatures.signed(content, house.sender(letter.from_address))
        _record(db, letter, carrier.deliver(_senders(letter, house), recipient, content), relay=relay)
        return True


def _record(db: Database, letter: Letter, outcome: Outcome, *, relay: str | None) -> None:
    """What is known of a letter is not given up because the database is away for a moment."""
    pauses = iter(_PATIENCE)
    while True:
        try:
            with db.transaction() as s:
                actions.record(s, letter.id, outcome, relay=relay)
            return
        except DatabaseGone:
            if (pause := next(pauses, None)) is None:
                raise
            time.sleep(pause)


def _senders(letter: Letter, house: House) -> tuple[str, ...]:
    """A return path that names the letter, for what a person wrote; what a machine writes has none, so that no machine answers
    it (RFC 3834 3.3). Not every server takes either.
    """
    sender = house.sender(letter.from_address)
    first = house.return_address(letter.id, letter.from_address) if letter.kind is Kind.REPLY else ""
    return (first, sender)


def _enclosure(blobs: Blobs, file: Attachment) -> Enclosure:
    return Enclosure(file.name, file.media_type, blobs.get(file.blob))

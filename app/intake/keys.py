"""OpenPGP keys: whose somebody says they are, and what that makes of signatures. A key is never believed by itself."""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Text, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from app.accounts.models import Person
from app.audit import actions as audit
from app.audit.models import Event
from app.core import text
from app.core.errors import Conflict, Invalid, NotFound
from app.db.session import Session
from app.intake.models import InboundMail, SenderKey
from app.intake.reader import Reader, Unreadable
from app.intake.rules.keys import MEDIA_TYPE, MOST_KEY, Confirmed, Key
from app.intake.rules.mail import Mail

MOST_AT_ONCE = 20  # that one mail's signatures can be by
NONE = "That is no OpenPGP public key. Paste it whole, from its BEGIN line to its END line."
SEVERAL = "Those are several keys. Bring them one by one."


def confirmed(c: Connection | Session, names: Sequence[str]) -> list[Confirmed]:
    """Those of the keys with these fingerprints or IDs that somebody confirmed, for all their addresses."""
    columns = select(SenderKey.address, SenderKey.fingerprint, SenderKey.content)
    stand = columns.where(SenderKey.withdrawn_at.is_(None), SenderKey.names.overlap(literal(list(names), ARRAY(Text))))
    return [Confirmed(*row) for row in c.execute(stand.order_by(SenderKey.id.desc()).limit(MOST_AT_ONCE))]


def read(reader: Reader, *contents: bytes) -> tuple[Key, ...]:
    """The keys in these texts, each once, as the limited child reads them: as a mail that brings them. Raises Invalid."""
    if any(len(content) > MOST_KEY for content in contents):
        raise Invalid(f"A key may have at most {MOST_KEY // 1024} KB. Export it without other people's signatures.")
    head = f"--key\nContent-Type: {MEDIA_TYPE}\nContent-Transfer-Encoding: base64\n\n".encode()
    parts = b"".join(head + base64.encodebytes(content) for content in contents)
    try:
        mail = reader.read(b'Content-Type: multipart/mixed; boundary="key"\n\n' + parts + b"--key--\n", lambda _: None)
    except Unreadable:
        return ()
    return mail.keys


def bring(s: Session, reader: Reader, address: str, content: str, *, by: tuple[int, str], now: datetime) -> SenderKey:
    """Confirm a key that a person has found out to be of whoever writes from this address. Raises Invalid and Conflict."""
    if not text.is_address(address):
        raise Invalid(f"{address!r} is not an e-mail address; write it like carol@example.com.")
    found = read(reader, content.encode())
    if len(found) != 1:
        raise Invalid(SEVERAL if found else NONE)
    return confirm(s, reader, found[0], address, by=by, now=now)


def confirm(
    s: Session, reader: Reader, key: Key, address: str, *, mail: int | None = None, by: tuple[int, str], now: datetime
) -> SenderKey:
    """From now on, signatures by this key are of whoever writes from this address. Raises Invalid, and Conflict where that is
    said already and the key says nothing new.
    """
    _refuse_worthless(key, now)
    address = text.address(address)
    same = (SenderKey.address == address, SenderKey.fingerprint == key.fingerprint, SenderKey.withdrawn_at.is_(None))
    row = s.scalar(select(SenderKey).where(*same).with_for_update())
    if row:
        together = read(reader, row.content, key.content)
        if len(together) != 1:
            raise Conflict(
                f"This key and the one that is confirmed for {address} can't be put together. Withdraw that one first."
            )
        [key] = together
        if key.content == row.content:
            raise Conflict(f"This key is confirmed for {address} already.")
        _refuse_worthless(key, now)
    row = row or SenderKey(address=address, fingerprint=key.fingerprint)
    row.names, row.people, row.content = list(key.names), list(key.people), key.content
    row.expires_at = datetime.fromisoformat(key.expires_at) if key.expires_at else None
    row.inbound_mail_id, row.confirmed_by_id, row.confirmed_at = mail, by[0], now
    s.add(row)
    s.flush()
    audit.record(s, Event.MAIL_KEY_CONFIRMED, now=now, by=by, address=address, fingerprint=key.fingerprint, mail=mail)
    return row


def withdraw(s: Session, id: int, *, by: tuple[int, str], now: datetime) -> None:
    """Signatures by this key count for nothing from now on. What was told of earlier ones stays. Raises NotFound."""
    row = s.get(SenderKey, id, with_for_update={"of": SenderKey})
    if row is None or row.withdrawn_at:
        raise NotFound(f"There is no confirmed key {id}.")
    row.withdrawn_at, row.withdrawn_by_id = now, by[0]
    audit.record(s, Event.MAIL_KEY_WITHDRAWN, now=now, by=by, address=row.address, fingerprint=row.fingerprint)


def tell_again(s: Session, id: int, mail: Mail) -> None:
    """What the signature of a mail of the ledger shows now that it was read again."""
    row = s.get_one(InboundMail, id)
    if mail.seal and not row.header_only:
        row.seal, row.seal_words = mail.seal.told(row.sender or "")


def listed(
    c: Connection | Session, *, after: int = 0, limit: int, id: int | None = None, names: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """The keys that are confirmed, in the order in which they came first, with who confirmed them; or those with these names."""
    columns = (
        SenderKey.id,
        SenderKey.address,
        SenderKey.fingerprint,
        SenderKey.people,
        SenderKey.expires_at,
        SenderKey.inbound_mail_id.label("mail"),
        SenderKey.confirmed_at,
        func.json_build_object("id", Person.id, "name", Person.name, "email", Person.email).label("confirmed_by"),
    )
    query = select(*columns).join(Person, Person.id == SenderKey.confirmed_by_id).where(SenderKey.withdrawn_at.is_(None))
    if id is not None:
        query = query.where(SenderKey.id == id)
    if names is not None:
        query = query.where(SenderKey.names.overlap(literal(list(names), ARRAY(Text))))
    return [dict(row) for row in c.execute(query.where(SenderKey.id > after).order_by(SenderKey.id).limit(limit)).mappings()]


def _refuse_worthless(key: Key, now: datetime) -> None:
    if key.revoked:
        raise Invalid("Its owner has taken this key back. Ask them for the one that they use now.")
    if key.weak:
        raise Invalid("Signatures by this key can be forged, or it was made in a way that can be. Ask its owner for a newer one.")
    if key.ran_out(now):
        raise Invalid(f"This key ran out on {key.expires_at or '':.10}. Ask its owner for the key as it is now.")

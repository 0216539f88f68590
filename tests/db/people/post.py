"""The letters of a test, and the links in them as their readers get them."""

import re

from sqlalchemy import select

from app.core.signing import Signer
from app.db.session import Session
from app.outbox.compose import compose
from app.outbox.house import House
from app.outbox.models import Letter

SIGNER = Signer(b"a key that only this test has, 32")
HOUSE = House("https://desk.example", "ATUM Desk", "support@desk.example", "desk.example", SIGNER)


def letters(s: Session, to: str) -> list[Letter]:
    """What was written to this address, oldest first."""
    return list(s.scalars(select(Letter).where(Letter.to_address == to).order_by(Letter.id)))


def tokens(s: Session, to: str, house: House = HOUSE) -> list[str]:
    """The tokens of the links that were mailed to this address, oldest first, read from the mails themselves."""
    found = []
    for letter in letters(s, to):
        body = compose(letter, house).get_body(("plain",))
        found += re.findall(r"/(?:invite|reset|confirm-email)/([a-z2-7]+)", str(body.get_content()) if body else "")
    return found

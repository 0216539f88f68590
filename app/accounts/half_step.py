"""Between the password and the code: who has shown the one, for five minutes, signed and not stored."""

from datetime import datetime, timedelta

from app.accounts.models import Person
from app.core import ids
from app.core.errors import NotSignedIn
from app.core.signing import Signer
from app.db.session import Session

LIFE = timedelta(minutes=5)
_PURPOSE, _BITS = "second step", 160


class TooLate(NotSignedIn):
    """That took longer than five minutes. Sign in again from the start."""

    slug = "half-step-over"


def taken(signer: Signer, person: Person, *, now: datetime) -> str:
    """What the form for the code carries. It is worth nothing without a code, nor after a change of the password."""
    ends = int((now + LIFE).timestamp())
    return f"{person.id}.{ends}.{signer.sign(_PURPOSE, _words(person, ends), bits=_BITS)}"


def owner(s: Session, signer: Signer, half: str, *, now: datetime) -> Person:
    """Who took this half step. Raises TooLate."""
    id, _, rest = half.partition(".")
    ends, _, signature = rest.partition(".")
    if not all(part.isascii() and part.isdigit() and len(part) <= 18 for part in (id, ends)) or len(signature) != _BITS // 5:
        raise TooLate
    person = s.get(Person, int(id))
    if person is None or person.disabled_at or now.timestamp() >= int(ends):
        raise TooLate
    if not signature.isascii() or not signer.matches(_PURPOSE, _words(person, int(ends)), signature):
        raise TooLate
    return person


def _words(person: Person, ends: int) -> str:
    return f"{person.id}.{ends}.{ids.fingerprint(person.password_hash or '').hex()}"

"""A mail, or a key that somebody brings, read for whoever is responsible for the desk: in the limited child, and nothing of it is
kept here.
"""

from dataclasses import dataclass
from functools import partial

from app.core.errors import NotFound
from app.db.session import Session
from app.files.pictures import Album
from app.intake import actions as intake
from app.intake import keys
from app.intake.reader import Reader, Unreadable
from app.intake.rules.mail import Found, Mail
from app.web import pictures
from app.web.desk import Desk

PATIENCE = 10.0  # seconds

READER = Reader(patience=PATIENCE)  # one at a time in each worker; its child goes when nobody reads


@dataclass(frozen=True)
class Looked:
    """What was read: the mail and its files, or in words why it could not be."""

    mail: Mail | None
    files: tuple[Found, ...] = ()
    problem: str = ""


def look(s: Session, house: Desk, id: int) -> Looked:
    """Read a mail of the ledger. Raises NotFound."""
    raw = intake.kept(s, house.settings, id)
    if raw is None:
        raise NotFound(f"There is no mail {id} in the ledger.")
    found: list[Found] = []
    try:
        return Looked(READER.read(raw, found.append, partial(keys.confirmed, s)), tuple(found))
    except Unreadable as wrong:
        return Looked(None, problem=str(wrong))


def page_of(looked: Looked) -> tuple[str, Album]:
    """The mail's HTML and the pictures it brought. Raises NotFound."""
    if looked.mail is None or looked.mail.html is None:
        raise NotFound("This mail has no HTML.")
    page = looked.mail.html
    brought = {file.content_id or file.location: partial(bytes, file.content) for file in looked.files if file.inline}
    return page, pictures.of_the_mail(page, brought)


def file_of(looked: Looked, number: int) -> Found:
    """Its file of this number, counted from 1. Raises NotFound."""
    if not 1 <= number <= len(looked.files):
        raise NotFound("This mail has no such file.")
    return looked.files[number - 1]

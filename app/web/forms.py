"""Forms of pages: the token that shows they are ours, the files they bring, and going back to them with words kept."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, File, Form, Request, Response, UploadFile

from app.accounts.identity import Identity
from app.accounts.models import Person
from app.core import text
from app.core.errors import Forbidden, Invalid
from app.files import actions as files
from app.files.actions import File as Kept
from app.web import pages
from app.web.desk import Desk, desk_of
from app.web.door import COOKIE, Route
from app.web.failures import FULL, no_room
from app.web.origin import SAFE, refuse_foreign

PURPOSE = "csrf"

Text = Annotated[str, Form()]
Uploads = Annotated[list[UploadFile] | None, File()]


class StrangeForm(Forbidden):
    """This form belongs to another session, or to none. Open its page again and send it from there."""

    slug = "strange-form"


def token(request: Request) -> str:
    """What a form of this session carries; nothing where there is no session."""
    cookie = request.cookies.get(COOKIE)
    return desk_of(request).signer.sign(PURPOSE, cookie) if cookie else ""


async def checked(request: Request, csrf: Text = "") -> None:
    """Raises ForeignOrigin or StrangeForm for a form that this session's own pages did not make.

    It touches neither the database nor the disk, so it may run on the event loop.
    """
    refuse_foreign(request)
    cookie = request.cookies.get(COOKIE)
    if cookie and not desk_of(request).signer.matches(PURPOSE, cookie, csrf):
        raise StrangeForm


class PageRoute(Route):
    """A route of pages: whatever it does beside showing is checked to come from a form of ours."""

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        if not SAFE.issuperset(options.get("methods") or {"GET"}):
            options["dependencies"] = [*(options.get("dependencies") or ()), Depends(checked)]
        super().__init__(path, endpoint, **options)


def page(request: Request, template: str, *, me: Person | Identity | None, status: int = 200, **context: Any) -> Response:
    """A page for `me`, whose forms carry the token and which says why something was refused."""
    return pages.page(request, template, status=status, **{"me": me, "csrf": token(request), "refusal": None, **context})


def kept(house: Desk, uploads: Sequence[UploadFile] | None) -> list[Kept]:
    """The files that came with a form, stored. A browser sends an empty one where none was chosen. Raises NoRoom."""
    chosen = [upload for upload in uploads or () if upload.filename or upload.size]
    try:
        return [files.keep(house.blobs, name=upload.filename, content=upload.file.read()) for upload in chosen]
    except OSError as wrong:
        if wrong.errno not in FULL:
            raise
        raise no_room(wrong) from wrong


def address(typed: str) -> str:
    """An e-mail address as somebody typed it. Raises Invalid."""
    if not text.is_address(typed):
        raise Invalid("That is not an e-mail address. Write it like name@example.com.")
    return typed.strip()

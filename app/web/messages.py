"""What hangs on a message and is no page: the mail as it was sent, and its files."""

from collections.abc import Iterator
from functools import partial

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from app.accounts.models import Person
from app.core import html
from app.core.errors import NotFound
from app.db.session import Session
from app.files.pictures import MOST_OF_ONE, Album
from app.tickets import queries
from app.web import pictures
from app.web.api import files
from app.web.desk import Desk
from app.web.door import Anyone, House, Tx
from app.web.forms import PageRoute

# The one document of the desk in which foreign markup stands. `sandbox` makes it a stranger to our origin, wherever it is opened;
# nothing in it runs and nothing is fetched by it. Links open in a window of their own, which knows nothing of ours.
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
POLICY = f"sandbox {SANDBOX}; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
PAPER = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A mail as it was sent</title><style>'
    "body{margin:12px;background:#fff;color:#1e2328;font:15px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}"
    "blockquote{margin:0 0 0 4px;padding-left:12px;border-left:2px solid #ccc}"
    "img{max-width:100%}img:not([src]){display:inline-block;min-width:24px;min-height:16px;vertical-align:middle;"
    "outline:1px dashed #857d6d;outline-offset:-1px;background:#f6f3ec}"
    "summary{color:#1d4f91;cursor:pointer;font-size:13px}details[open]>summary{margin-bottom:8px}pre{white-space:pre-wrap}"
    "a:hover::after,a:focus::after{content:' \\2192 'attr(href);font-size:12px;color:#565c64;overflow-wrap:anywhere}"
    ".desk{margin:0 0 12px;padding:6px 10px;border-left:4px solid #d9a441;background:#fbf1d7;font-size:13px}"
    "</style></head><body>"
)
MOST_LOADS = 30  # of pictures from elsewhere, by one person in a quarter of an hour
WINDOW = 900  # seconds
ENOUGH = "You have loaded many pictures from elsewhere. Wait a quarter of an hour, then load these."

router = APIRouter(route_class=PageRoute)
router.add_api_route("/attachments/{id:key}", files.download)


@router.get("/messages/{id:key}/html")
def as_sent(id: int, me: Anyone, s: Tx, house: House) -> Response:
    """A mail's HTML, as harmless as it was made when it came. Pictures from elsewhere are not shown."""
    page, album = _found(s, me, id, house)
    return document(page, album)


@router.post("/messages/{id:key}/html")
def with_pictures(id: int, me: Anyone, s: Tx, house: House) -> Response:
    """The same with pictures from elsewhere, for this once."""
    page, album = _found(s, me, id, house)
    return document_with_pictures(page, album, house, me)


def document(page: str, album: Album, *, note: str = "", status: int = 200) -> Response:
    """The document that shows a mail's page."""
    return HTMLResponse(PAPER + note + html.shown(page, album.get), status, headers=HEADERS)


def document_with_pictures(page: str, album: Album, house: Desk, me: Person) -> Response:
    """The same with what lies elsewhere: fetched while it is sent, when no connection to the database is held any more."""
    if house.counters.add(f"pictures:{me.id}", lasting=WINDOW) > MOST_LOADS:
        return document(page, album, note=f'<p class="desk">{ENOUGH}</p>', status=429)
    asked = pictures.guard(house.settings.atum_url)

    def pieces() -> Iterator[str]:
        yield PAPER
        wanted, more = pictures.elsewhere(page), Album(most=pictures.MOST_OF_ONE, most_of_all=pictures.MOST_OF_ALL)
        missing = len(wanted) - sum(more.add(address, content) for address, content in pictures.fetch(wanted, asked))
        if missing:
            yield f'<p class="desk">{missing} of {len(wanted)} pictures could not be fetched.</p>'
        yield html.shown(page, lambda address: album.get(address) or more.get(address))

    return StreamingResponse(pieces(), media_type="text/html; charset=utf-8", headers=HEADERS)


def _found(s: Session, me: Person, id: int, house: Desk) -> tuple[str, Album]:
    message = queries.message(s, me, id)
    if message is None or message.html is None:
        raise NotFound("There is no such mail here.")
    files = queries.attachments(s, [message]).get(id, [])
    small = {
        file.content_id: partial(house.blobs.get, file.blob) for file in files if file.content_id and file.size <= MOST_OF_ONE
    }
    return message.html, pictures.of_the_mail(message.html, small)

"""What hangs on a message and is no page: the mail as it was sent, and its files."""

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from app.core.errors import NotFound
from app.tickets import queries
from app.web.api import files
from app.web.door import Anyone, Route, Tx

# The one document of the desk in which foreign markup stands. `sandbox` makes it a stranger to our origin, wherever it is
# opened; nothing in it runs, and no picture is fetched from anywhere.
POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
PAPER = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A mail as it was sent</title><style>'
    "body{margin:12px;background:#fff;color:#1e2328;font:15px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}"
    "blockquote{margin:0 0 0 4px;padding-left:12px;border-left:2px solid #ccc}img{max-width:100%}"
    "</style></head><body>"
)

router = APIRouter(route_class=Route)
router.add_api_route("/attachments/{id:key}", files.download)


@router.get("/messages/{id:key}/html")
def as_sent(id: int, me: Anyone, s: Tx) -> Response:
    """A mail's HTML, as harmless as it was made when it came."""
    message = queries.message(s, me, id)
    if message is None or message.html is None:
        raise NotFound("There is no such mail here.")
    return HTMLResponse(PAPER + message.html, headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-store"})

"""Attachments, as downloads: what a browser may show of them is decided by their bytes, never by who sent them."""

from urllib.parse import quote

from fastapi import APIRouter, Response

from app.core.errors import NotFound
from app.files.rules import OTHER
from app.tickets import queries
from app.web.door import Anyone, House, Route, Tx

router = APIRouter(prefix="/api/v1/attachments", tags=["tickets"], route_class=Route)


@router.get("/{id}")
def download(id: int, me: Anyone, s: Tx, house: House) -> Response:
    """One file."""
    file = queries.attachment(s, me, id)
    if file is None:
        raise NotFound(f"There is no attachment {id} here.")
    shown = "attachment" if file.media_type == OTHER else "inline"
    return Response(
        house.blobs.get(file.blob),
        media_type=file.media_type,
        headers={
            "Content-Disposition": f"{shown}; filename*=UTF-8''{quote(file.name)}",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cache-Control": "private, no-store",
        },
    )

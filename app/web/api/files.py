"""Attachments: up with a message, and down again.

What a browser may show of a file is decided by its bytes, never by who sent it.
"""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, File, Form, Query, Request, Response, UploadFile

from app.accounts.rules import Verb, may
from app.core.errors import Forbidden, Invalid
from app.files.rules import OTHER, SHOWN
from app.tickets import attachments, mentions, places, queries
from app.tickets.models import Channel
from app.tickets.saying import Body, Source
from app.web.answers import Json
from app.web.api.tickets import speak
from app.web.door import Anyone, Asker, House, Now, Reader, Route, TicketToSpeak, Tx
from app.web.forms import kept
from app.web.gate import HEAD
from app.web.shapes import answers
from app.web.shapes import desk as shapes

router = APIRouter(prefix="/api/v1", tags=["tickets"], route_class=Route)
FILES_MOST = 50
DOWNLOAD = answers(None, 404, media=OTHER)
DOWNLOAD[200]["content"] |= {kind: {} for kind in SHOWN}
PARTS = frozenset({"files", "text", "internal"})


async def _known_parts(request: Request) -> None:
    """Raises Invalid for a part of the form that is none of ours. The form was read already; this only looks at it."""
    unknown = sorted(set(await request.form()) - PARTS)
    if unknown:
        raise Invalid(f"There is no part {unknown[0][:80]!r} in this form. There are: files, text, internal.")


@router.get("/attachments/{id}", response_class=Response, responses=DOWNLOAD)
def download(id: shapes.PathKey, me: Anyone, s: Tx, now: Now, house: House, request: Request) -> Response:
    """One file. That you read it is written in the audit."""
    file = attachments.read(s, id, by=me, now=now, noted=not request.scope.get(HEAD))
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


@router.get("/tickets/{number}/attachments", responses=answers(shapes.Attachments, 404))
def listing(
    number: int,
    me: Asker,
    c: Reader,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Json:
    """A ticket's files, oldest first. Those of notes are the staff's alone."""
    notes = may(me, Verb.SEE_NOTES, places.of(c, me, number))
    items, following = attachments.listing(c, number, notes=notes, limit=limit, cursor=cursor)
    return Json({"items": items, "next": following})


@router.post(
    "/tickets/{number}/attachments",
    status_code=201,
    dependencies=[Depends(_known_parts)],
    responses=answers(shapes.MessageWithFiles, 400, 404, 409, 412, 413, status=201),
)
def send(
    ticket: TicketToSpeak,
    me: Anyone,
    s: Tx,
    now: Now,
    house: House,
    files: Annotated[list[UploadFile], File(max_length=FILES_MOST, description="One part for each file")],
    text: Annotated[str, Form(max_length=1_000_000, description="What to say with them")] = "",
    internal: Annotated[bool, Form(description="Whether it is a note that no customer sees")] = False,
) -> Json:
    """Send files, as a message of their own: an answer, or an internal note."""
    if internal and not may(me, Verb.NOTE, ticket):
        raise Forbidden(f"Your role ({me.role}) may not write internal notes.")
    stored = kept(house, files)
    if not stored:
        raise Invalid("There is no file in this form. Send each as a part named files, with a file name.")
    source, gate = Source(Channel.API), house.settings.accept_gate
    said = speak(s, ticket, me, body=Body(text), source=source, internal=internal, files=stored, now=now, gate=gate)
    hung = queries.attachments(s, [said]).get(said.id, [])
    told = {
        "id": said.id,
        "ticket": said.ticket,
        "internal": said.internal,
        "text": said.text,
        "attachments": [attachments.told(file) for file in hung],
        "not_notified": mentions.not_notified(s, said),
        "created_at": said.created_at,
    }
    return Json(told, status_code=201)

"""Trying promises before they are saved, for programs."""

from dataclasses import asdict

from fastapi import APIRouter

from app.tickets import preview
from app.web import drafts
from app.web.answers import Json
from app.web.door import Manager, Now, Route, Tx
from app.web.shapes import answers
from app.web.shapes import previews as shapes

router = APIRouter(prefix="/api/v1/sla", tags=["desk"], route_class=Route)


@router.post("/preview", responses=answers(shapes.Preview, 404, 409))
def try_out(me: Manager, s: Tx, now: Now, body: shapes.Draft) -> Json:
    """What other policies and calendars would come to: what would be missed, and what due when. Nothing is saved."""
    return Json(asdict(preview.trial(s, drafts.saving(s, body, by=me.signature, now=now), days=body.days, now=now)))

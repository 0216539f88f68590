"""Service levels, for programs."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from app.tickets import evidence
from app.web.answers import Json
from app.web.door import AgentAsker, Reader, Route
from app.web.shapes import answers
from app.web.shapes import sla as shapes

router = APIRouter(prefix="/api/v1/sla", tags=["desk"], route_class=Route)


@router.get("/lateness", responses=answers(shapes.Lateness))
def lateness(me: AgentAsker, c: Reader, days: Annotated[int, Query(ge=1, le=31)] = 7) -> Json:
    """How late deadlines and warnings were noticed in the last days."""
    return Json(evidence.lateness(c, since=me.now - timedelta(days=days), until=me.now))

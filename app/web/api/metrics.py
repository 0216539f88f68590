"""The desk's figures, for Prometheus."""

from fastapi import APIRouter, Request, Response

from app.ops import metrics as figures
from app.ops.stores import Stores
from app.web.desk import desk_of
from app.web.door import AdminAsker, Reader, Route

router = APIRouter(prefix="/api/v1", tags=["metrics"], route_class=Route)
FORMAT = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})
def metrics(me: AdminAsker, c: Reader, request: Request) -> Response:
    """Counts and states in Prometheus' text format: requests, how late deadlines are noticed, what waits, how each part is."""
    desk = desk_of(request)
    stores = Stores(desk.settings, desk.db, desk.counters)
    return Response(figures.exposed(desk.settings, desk.watch.report(), stores), media_type=FORMAT)

"""The description of this API, for people who are signed in."""

from fastapi import APIRouter, Request

from app.web.answers import Json
from app.web.door import Anyone, Route

router = APIRouter(prefix="/api/v1", tags=["api"], route_class=Route)


@router.get("/openapi.json", include_in_schema=False)
def openapi(me: Anyone, request: Request) -> Json:
    """The OpenAPI document."""
    return Json(request.app.openapi())

"""Tags, for programs."""

from fastapi import APIRouter

from app.web.door import Route

router = APIRouter(prefix="/api/v1/tags", tags=["desk"], route_class=Route)

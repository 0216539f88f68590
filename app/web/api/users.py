"""People, for programs."""

from fastapi import APIRouter

from app.web.door import Route

router = APIRouter(prefix="/api/v1/users", tags=["people"], route_class=Route)

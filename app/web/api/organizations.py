"""Organizations, for programs."""

from fastapi import APIRouter

from app.web.door import Route

router = APIRouter(prefix="/api/v1/organizations", tags=["people"], route_class=Route)

"""One's own sessions, for programs."""

from fastapi import APIRouter

from app.web.door import Route

router = APIRouter(prefix="/api/v1/auth", tags=["account"], route_class=Route)

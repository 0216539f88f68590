"""API tokens, for programs."""

from fastapi import APIRouter

from app.web.door import Route

router = APIRouter(prefix="/api/v1/tokens", tags=["account"], route_class=Route)

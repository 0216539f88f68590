"""The audit, for programs."""

from fastapi import APIRouter

from app.web.door import Route

router = APIRouter(prefix="/api/v1/audit", tags=["audit"], route_class=Route)

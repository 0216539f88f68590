"""Reports, for programs."""

from fastapi import APIRouter

from app.web.door import Route

router = APIRouter(prefix="/api/v1/reports", tags=["reports"], route_class=Route)

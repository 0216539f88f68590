"""What happens, as it happens, for programs."""

from fastapi import APIRouter

from app.web.door import Route

router = APIRouter(prefix="/api/v1/events", tags=["tickets"], route_class=Route)

"""Who is looking at a ticket, for programs."""

from fastapi import APIRouter

from app.web.door import Route

router = APIRouter(prefix="/api/v1/tickets", tags=["tickets"], route_class=Route)

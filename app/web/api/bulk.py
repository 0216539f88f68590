"""Changing many tickets at once, for programs."""

from fastapi import APIRouter

from app.web.door import Route

router = APIRouter(prefix="/api/v1/tickets/bulk", tags=["tickets"], route_class=Route)

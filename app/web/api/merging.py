"""Merging, splitting and moving, for programs."""

from fastapi import APIRouter

from app.web.door import Route

router = APIRouter(prefix="/api/v1/tickets", tags=["tickets"], route_class=Route)

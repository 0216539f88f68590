"""Canned replies, for programs."""

from fastapi import APIRouter

from app.web.door import Route

router = APIRouter(prefix="/api/v1/canned-replies", tags=["desk"], route_class=Route)

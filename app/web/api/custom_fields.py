"""Custom fields, for programs."""

from fastapi import APIRouter

from app.web.door import Route

router = APIRouter(prefix="/api/v1/custom-fields", tags=["desk"], route_class=Route)

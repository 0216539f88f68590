"""Passkeys, for programs."""

from fastapi import APIRouter

from app.web.door import Route

router = APIRouter(prefix="/api/v1/auth/passkeys", tags=["account"], route_class=Route)

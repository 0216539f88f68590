"""What a role has to bring, for programs."""

from fastapi import APIRouter

from app.web.door import Route

router = APIRouter(prefix="/api/v1/role-policies", tags=["people"], route_class=Route)

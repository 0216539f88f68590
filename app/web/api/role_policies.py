"""What a role has to bring, for programs."""

from typing import Any

from fastapi import APIRouter

from app.accounts import role_policies
from app.accounts.rules import Role
from app.web.answers import Json
from app.web.door import Admin, Now, Route, Tx
from app.web.lists import Cursor, Limit, page
from app.web.shapes import answers
from app.web.shapes import sign_in as shapes

router = APIRouter(prefix="/api/v1/role-policies", tags=["people"], route_class=Route)


@router.get("", responses=answers(shapes.RolePolicies))
def listed(me: Admin, s: Tx, limit: Limit = 50, cursor: Cursor = None) -> Json:
    """For every role whether a second factor is required."""
    found = [_told(role, required) for role, required in role_policies.listed(s).items()]
    return Json(page(found, lambda policy: (policy["role"].rank,), limit=limit, cursor=cursor))


@router.put("/{role}", responses=answers(shapes.RolePolicy))
def change(role: Role, me: Admin, s: Tx, now: Now, body: shapes.RolePolicyChange) -> Json:
    """Require a second factor of everybody in a role, or no longer.

    Whoever is signed in without having one may do nothing else from then on than set one up.
    """
    role_policies.require_factor(s, role, body.second_factor_required, by=me, now=now)
    return Json(_told(role, body.second_factor_required))


def _told(role: Role, required: bool) -> dict[str, Any]:
    return {"role": role, "second_factor_required": required}

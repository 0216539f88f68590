"""What a role has to bring, for programs."""

from fastapi import APIRouter

from app.accounts import role_policies
from app.accounts.rules import Role
from app.web.answers import Json
from app.web.door import Admin, Now, Route, Tx
from app.web.shapes import answers
from app.web.shapes import sign_in as shapes

router = APIRouter(prefix="/api/v1/role-policies", tags=["people"], route_class=Route)


@router.get("", responses=answers(shapes.RolePolicies))
def listed(me: Admin, s: Tx) -> Json:
    """For every role whether a second factor is required."""
    found = role_policies.listed(s)
    return Json({"items": [_told(role, required) for role, required in found.items()], "next": None})


@router.put("/{role}", responses=answers(shapes.RolePolicy))
def change(role: Role, me: Admin, s: Tx, now: Now, body: shapes.RolePolicyChange) -> Json:
    """Require a second factor of everybody in a role, or no longer.

    Whoever is signed in without having one may do nothing else from then on than set one up.
    """
    role_policies.require_factor(s, role, body.second_factor_required, by=me, now=now)
    return Json(_told(role, body.second_factor_required))


def _told(role: Role, required: bool) -> dict[str, object]:
    return {"role": role, "second_factor_required": required}

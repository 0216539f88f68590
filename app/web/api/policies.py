"""Policies: what is promised to whom, for programs."""

from fastapi import APIRouter, Response

from app.core.errors import NotFound
from app.sla import policies as actions
from app.sla import queries
from app.web.answers import Json
from app.web.door import AgentAsker, Manager, Match, Now, Reader, Route, Tx
from app.web.drafts import given
from app.web.lists import Cursor, Limit, page
from app.web.shapes import answers
from app.web.shapes import policies as shapes
from app.web.stale import etag

router = APIRouter(prefix="/api/v1/sla", tags=["desk"], route_class=Route)


@router.get("/policies", responses=answers(shapes.Policies))
def policies(me: AgentAsker, c: Reader, limit: Limit = 50, cursor: Cursor = None) -> Json:
    """Every policy, in the order in which they are tried."""
    return Json(page(queries.listed(c), lambda policy: (policy["position"], policy["id"]), limit=limit, cursor=cursor))


@router.post("/policies", status_code=201, responses=answers(shapes.Policy, 409, status=201))
def add(me: Manager, s: Tx, now: Now, body: shapes.NewPolicy) -> Json:
    """A new policy. It is tried before the first one that fits every ticket; give another order for another place."""
    made = actions.add(s, given(s, body), by=me.signature, now=now)
    headers = {"Location": f"/api/v1/sla/policies/{made.id}", "ETag": etag(made.version)}
    return Json(queries.told(s.connection(), made.id), status_code=201, headers=headers)


@router.post("/policies/order", status_code=204, responses=answers(None, 409, status=204))
def order(me: Manager, s: Tx, now: Now, body: shapes.Order) -> Response:
    """Have all policies tried in this order. Clocks that run go to the policy that fits then."""
    actions.order(s, body.order, by=me.signature, now=now)
    return Response(status_code=204)


@router.get("/policies/{id}", responses=answers(shapes.Policy, 404))
def show(id: shapes.PathKey, me: AgentAsker, c: Reader) -> Json:
    """One policy. Its version is its entity tag."""
    found = next((policy for policy in queries.listed(c) if policy["id"] == id), None)
    if found is None:
        raise NotFound(f"There is no policy {id}.")
    return Json(found, headers={"ETag": etag(found["version"])})


@router.patch("/policies/{id}", responses=answers(shapes.Policy, 404, 409, 412))
def change(id: shapes.PathKey, me: Manager, s: Tx, now: Now, match: Match, body: shapes.PolicyChange) -> Json:
    """Change what a policy promises, and to whom. Clocks that run are reckoned again with it, from their own start."""
    policy = actions.held(s, id)
    match.check(policy.version)
    actions.change(s, policy, given(s, body), by=me.signature, now=now)
    s.flush()
    return Json(queries.told(s.connection(), id), headers={"ETag": etag(policy.version)})


@router.delete("/policies/{id}", status_code=204, responses=answers(None, 404, 412, status=204))
def remove(id: shapes.PathKey, me: Manager, s: Tx, now: Now, match: Match) -> Response:
    """Delete a policy. Clocks that run under it go to the one that fits their ticket then, or are cancelled."""
    policy = actions.held(s, id)
    match.check(policy.version)
    actions.remove(s, policy, by=me.signature, now=now)
    return Response(status_code=204)

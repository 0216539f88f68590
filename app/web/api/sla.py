"""Service levels, for programs."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query

from app.core.errors import NotFound
from app.sla import actions as sla
from app.sla import queries
from app.sla.models import Policy
from app.tickets import evidence
from app.web.answers import Json
from app.web.door import AgentAsker, Manager, Match, Now, Reader, Route, Tx
from app.web.lists import Cursor, Limit, page
from app.web.shapes import answers
from app.web.shapes import sla as shapes
from app.web.stale import etag

router = APIRouter(prefix="/api/v1/sla", tags=["desk"], route_class=Route)


@router.get("/policies", responses=answers(shapes.Policies))
def policies(me: AgentAsker, c: Reader, limit: Limit = 50, cursor: Cursor = None) -> Json:
    """Every policy, in the order in which they are tried."""
    return Json(page(queries.listed(c), lambda policy: (policy["position"], policy["id"]), limit=limit, cursor=cursor))


@router.patch("/policies/{id}", responses=answers(shapes.Policy, 404, 412))
def change(id: int, me: Manager, s: Tx, now: Now, match: Match, body: shapes.PolicyChange) -> Json:
    """Change a policy's targets. Clocks that run are reckoned again with them. Its version is its entity tag."""
    policy = s.get(Policy, id, with_for_update=True)
    if policy is None:
        raise NotFound(f"There is no policy {id}.")
    match.check(policy.version)
    targets: dict[str, Any] = {metric: dict(by_priority) for metric, by_priority in body.targets.items()}
    sla.set_targets(s, policy, by=me.signature, now=now, targets=targets, starts=body.starts)
    return Json(queries.told(s, policy), headers={"ETag": etag(policy.version)})


@router.get("/lateness", responses=answers(shapes.Lateness))
def lateness(me: AgentAsker, c: Reader, days: Annotated[int, Query(ge=1, le=31)] = 7) -> Json:
    """How late deadlines and warnings were noticed in the last days."""
    return Json(evidence.lateness(c, since=me.now - timedelta(days=days), until=me.now))

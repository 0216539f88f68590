"""What people say of policies and calendars, as the actions take it. Nothing of HTTP: the command line tries drafts, too."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from app.db.session import Session
from app.hours import actions as hours
from app.hours import queries as calendar_queries
from app.sla import calendars, policies
from app.tickets import audience, matches
from app.web.shapes.policies import PolicyChange
from app.web.shapes.previews import Draft


def given(s: Session, body: PolicyChange) -> dict[str, Any]:
    """What was said, and nothing else."""
    said = {name: value for name, value in body.model_dump(mode="json", exclude_unset=True).items() if value is not None}
    if "match" in said:
        said["match"] = matches.checked(s, said["match"])
    if body.steps is not None:
        said["steps"] = audience.checked(s, [step.rung for step in body.steps])
    return said


def saving(s: Session, draft: Draft, *, by: tuple[int, str], now: datetime) -> Callable[[], None]:
    """What would save the draft, its calendars as if they had always been so."""

    def save() -> None:
        for other in draft.calendars:
            calendar = hours.held(s, other.id)
            said = calendar_queries.whole(calendar_queries.holding(calendar_queries.pieces(s, other.id), now))
            spec = said | other.model_dump(exclude={"id"}, exclude_none=True)
            calendars.change(s, calendar, spec, by=by, now=now, effective_from=hours.EVER, retroactive=True)
        for policy in draft.policies:
            said = {name: value for name, value in given(s, policy).items() if name != "id"}
            if policy.id is None:
                policies.add(s, said, by=by, now=now)
            else:
                policies.change(s, policies.held(s, policy.id), said, by=by, now=now)
        s.flush()

    return save

"""Calendars that promises are measured by: what may be said of them, and which clocks have to be looked at again."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, select

from app.core.errors import Conflict, Invalid
from app.db.session import Session
from app.hours import actions as hours
from app.hours import queries as calendars
from app.hours.actions import By
from app.hours.models import Calendar
from app.hours.rules import NeverReached
from app.sla import rebuild
from app.sla.models import Policy, Step, Target
from app.sla.rules.thresholds import farthest


class InUse(Conflict):
    """A policy goes by this calendar. Give its targets and its ladder another one first."""

    slug = "calendar-in-use"


def change(
    s: Session,
    calendar: Calendar,
    spec: Mapping[str, Any],
    *,
    by: By,
    now: datetime,
    effective_from: datetime | None = None,
    retroactive: bool = False,
    why: str = "",
) -> None:
    """Say something else of a calendar. Raises Invalid where a promise could not be kept by it, or it can't be."""
    if hours.change(s, calendar, spec, by=by, now=now, effective_from=effective_from, retroactive=retroactive, why=why):
        _refuse_unreachable(s, calendar, effective_from or now)
        rebuild.begin(s, everything=False, now=now)


def remove(s: Session, calendar: Calendar, *, by: By, now: datetime) -> None:
    """Offer a calendar no more. Raises InUse while a policy's present targets or ladder go by it."""
    if names := _measuring(s, calendar.id):
        raise InUse(f"{', '.join(names)} goes by this calendar. Give its targets and its ladder another one first.")
    hours.remove(s, calendar, by=by, now=now)


def renew_zones(s: Session, *, now: datetime) -> list[int]:
    """What is to be done where the rules of time zones may have changed, so when a program starts."""
    renewed = hours.renew_zones(s, now=now)
    if renewed:
        rebuild.begin(s, everything=False, now=now)
    return renewed


def _present() -> ColumnElement[bool]:
    return and_(Target.policy_id == Policy.id, Target.version == Policy.version, Policy.deleted_at.is_(None))


def _measuring(s: Session, calendar: int) -> list[str]:
    """The policies whose present targets are measured by a calendar, or whose ladder tells in its hours."""
    measured = select(Target.policy_id).join(Policy, _present()).where(Target.calendar_id == calendar)
    rungs = and_(Step.policy_id == Policy.id, Step.version == Policy.version, Policy.deleted_at.is_(None))
    telling = select(Step.policy_id).join(Policy, rungs).where(Step.calendar_id == calendar)
    return list(s.scalars(select(Policy.name).where(Policy.id.in_(measured.union(telling))).order_by(Policy.name)))


def _refuse_unreachable(s: Session, calendar: Calendar, since: datetime) -> None:
    promised = select(Target.seconds, Target.thresholds).join(Policy, _present()).where(Target.calendar_id == calendar.id)
    lengths = [farthest(names, timedelta(seconds=seconds)) for seconds, names in s.execute(promised)]
    if not lengths:
        return
    try:
        calendars.refuse_unreachable(s, calendar.id, since, max(lengths))
    except NeverReached as wrong:
        raise Invalid(str(wrong)) from None

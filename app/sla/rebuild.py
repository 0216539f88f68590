"""Reckoning open clocks again after promises changed, some hundreds at a time, while deadlines go on.

A rebuild is a row with a cursor: what is killed in the middle goes on there. A clock that somebody holds is passed over and
looked at again at the end, so that nobody waits for anybody. What falls due before its turn is reckoned again by the sweep.
"""

import logging
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, Text, cast, func, not_, select, tuple_

from app.db.session import Session
from app.db.session import now as database_now
from app.hours.models import CalendarVersion
from app.sla import queries, rows, rules
from app.sla.models import Clock, Policy, Rebuild
from app.sla.plans import FactsOf, plans_of
from app.sla.rules import Outcome, State

WAKE = "sla_wake"  # the channel that workers listen on
CHUNK = 500  # clocks of one transaction
MARGIN = 10_000  # more clocks than are being made at any moment

log = logging.getLogger(__name__)


def wake(s: Session) -> None:
    """Have the workers look, when this transaction is committed."""
    s.execute(select(func.pg_notify(WAKE, "")))


def begin(s: Session, *, everything: bool, now: datetime) -> None:
    """Have open clocks reckoned again: those under outdated promises, or `everything`, because another policy may fit.

    It takes the place of one that isn't done yet.
    """
    before = s.scalars(_unfinished().with_for_update()).all()
    for each in before:
        each.ended_at = now
    wanted = everything or any(each.everything for each in before)
    s.add(Rebuild(everything=wanted, cursor=0, passed=[], seen=0, changed=0, begun_at=now))
    s.flush()
    wake(s)


def begin_where_asked(s: Session, fact: str, *, now: datetime) -> None:
    """The same for everything, if some policy depends on this fact."""
    if s.scalar(select(Policy.id).where(Policy.active, func.jsonb_exists(Policy.match, fact)).limit(1)) is not None:
        begin(s, everything=True, now=now)


def step(s: Session, facts: FactsOf, *, limit: int = CHUNK) -> bool:
    """Reckon the next clocks again; whether there are more to come now. Of several workers one does it."""
    job = s.scalar(_unfinished().limit(1).with_for_update(skip_locked=True))
    if job is None:
        return False
    if job.fence is None:
        job.fence, job.again_from = _snapshot(s, "max"), max((s.scalar(select(func.max(Clock.id))) or 0) - MARGIN, 0)
    ids = s.scalars(_wanted(s, job).where(Clock.id > job.cursor).order_by(Clock.id).limit(limit)).all()
    done = _reckon(s, job, ids or job.passed[:limit], facts)
    if ids:
        job.cursor, job.passed = ids[-1], sorted({*job.passed, *ids} - done)
        return True
    job.passed = [id for id in job.passed if id not in done]
    return bool(done) or _ends(s, job)


def _ends(s: Session, job: Rebuild) -> bool:
    """At the end of the walk, what was being made when the promises changed may have come behind its back, under the old ones.
    When whoever was at work then is done, the newest clocks are looked at once more.
    """
    if job.passed or job.fence is None or _snapshot(s, "min") < job.fence:
        return False
    if job.again_from is not None:
        job.cursor, job.again_from = job.again_from, None
        return True
    job.ended_at = database_now(s)
    log.info("clocks were reckoned again after promises changed", extra={"clocks": job.seen, "changed": job.changed})
    return False


def _snapshot(s: Session, end: str) -> int:
    """The number of the oldest transaction at work (`min`), or of the next to begin (`max`)."""
    bound = {"min": func.pg_snapshot_xmin, "max": func.pg_snapshot_xmax}[end]
    return int(s.scalars(select(cast(bound(func.pg_current_snapshot()), Text))).one())


def _unfinished() -> Select[Rebuild]:
    return select(Rebuild).where(Rebuild.ended_at.is_(None)).order_by(Rebuild.id).execution_options(populate_existing=True)


def _wanted(s: Session, job: Rebuild) -> Select[int]:
    """Those that are open, or would be if a policy fitted, and, but for `everything`, not under the newest version of a policy
    and of a calendar.
    """
    suspended = (Clock.outcome == Outcome.NO_POLICY) & (Clock.state != State.CANCELLED)
    opened = select(Clock.id).where(Clock.outcome.is_(None) | suspended)
    if job.everything:
        return opened
    versions = [(row.id, row.version) for row in s.execute(select(Policy.id, Policy.version).where(Policy.deleted_at.is_(None)))]
    newest = list(s.scalars(select(func.max(CalendarVersion.id)).group_by(CalendarVersion.calendar_id)))
    current = tuple_(Clock.policy_id, Clock.policy_version).in_(versions) & Clock.calendar_version_id.in_(newest)
    return opened.where(not_(current))


def _reckon(s: Session, job: Rebuild, ids: Sequence[int], facts: FactsOf) -> set[int]:
    """Which of these clocks were looked at; the others somebody holds."""
    held = select(Clock).where(Clock.id.in_(ids)).order_by(Clock.id).with_for_update(skip_locked=True)
    found = s.scalars(held.execution_options(populate_existing=True)).all()
    now = database_now(s)
    plans = plans_of(s, found, facts) if found else {}
    for row, known in zip(found, queries.values(s, found), strict=True):
        clock = _retargeted(row, known, plans[row.ticket].goals.get(row.metric), now)
        if clock != known:
            rows.write(s, row, clock, known.segments)
            job.changed += 1
    s.flush()
    job.seen += len(found)
    return {row.id for row in found}


def _retargeted(row: Clock, known: rules.Clock, goal: rules.Goal | None, now: datetime) -> rules.Clock:
    """A clock that can't be reckoned stays as it is: the sweep will come upon it, and say so."""
    try:
        return rules.retarget(known, goal, now)
    except (ArithmeticError, LookupError, ValueError):
        log.exception("a clock can't be reckoned again", extra={"ticket": row.ticket, "clock": row.id})
        return known

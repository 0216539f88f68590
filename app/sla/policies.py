"""What a desk promises: making policies, changing them, and the order in which they are tried. Nothing here commits.

Whoever changes one waits for those who are at it. Every edit is a new version of all that the policy promises; what was promised
before stays written down for the clocks that ended under it. The workers then reckon again what runs (`rebuild`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.audit import actions as audit
from app.audit.models import Event
from app.core import text
from app.core.errors import Conflict, Invalid, NotFound
from app.core.priority import Priority
from app.db import locks
from app.db.session import Session
from app.hours import queries as calendars
from app.hours.models import Calendar
from app.hours.rules import NeverReached
from app.sla import defaults, ladder, queries, rebuild
from app.sla.models import Policy, Target
from app.sla.rules import REOPEN_WINDOW, WAITING, Merging, Metric, Reopening, Start
from app.sla.rules.ladder import Rung
from app.sla.rules.policies import FIELD, NAMES
from app.sla.rules.thresholds import BREACH, BadThreshold, farthest, normal
from app.sla.rules.thresholds import MOST as MOST_THRESHOLDS

MOST = 100  # policies
MOST_WORDS = 100  # of one fact
LONGEST = 100  # characters of a name
LONGEST_TARGET = 10 * 365 * defaults.DAY  # seconds
LONGEST_WINDOW = 365 * defaults.DAY  # seconds
Key = tuple[Metric, Priority]
Signature = tuple[int, str]
Terms = dict[str, Any]  # of a target: seconds, calendar_id, pauses, thresholds


class PolicyNameTaken(Conflict):
    """There is a policy with this name already. Choose another."""

    slug = "policy-name-taken"


class OtherPolicies(Conflict):
    """These are not the policies that there are. Read the list again, and name each of them once."""

    slug = "other-policies"


def held(s: Session, id: int) -> Policy:
    """One to change, after whoever is changing any. Raises NotFound."""
    locks.take_in_transaction(s, "policies")
    policy = s.get(Policy, id, populate_existing=True)
    if policy is None or policy.deleted_at:
        raise NotFound(f"There is no policy {id}.")
    return policy


def add(s: Session, given: Mapping[str, Any], *, by: Signature, now: datetime) -> Policy:
    """A new policy, tried before the first one that fits every ticket. Raises Invalid, PolicyNameTaken."""
    locks.take_in_transaction(s, "policies")
    others = queries.policies(s)
    if len(others) >= MOST:
        raise Invalid(f"There are {MOST} policies already. Delete one that is of no use any more.")
    policy = Policy(position=0, version=1, active=True, starts=Start.ACCEPTED, match={}, changed_at=now)
    policy.reopening, policy.reopen_window, policy.merging = Reopening.RESUME, REOPEN_WINDOW, Merging.UNCHANGED
    _take(s, policy, given)
    at = next((number for number, other in enumerate(others) if not other.match), len(others))
    _number([*others[:at], policy, *others[at:]])
    s.add(policy)
    s.flush()
    _write(s, policy, _targets(s, [], given.get("targets", {}), now))
    _climb(s, policy, given.get("steps", defaults.LADDER))
    _tell(s, policy, {}, by=by, now=now, did="made")
    rebuild.begin(s, everything=True, now=now)
    return policy


def change(s: Session, policy: Policy, given: Mapping[str, Any], *, by: Signature, now: datetime) -> None:
    """Change what is given, on a policy that is `held`; what isn't stays. Raises Invalid, PolicyNameTaken.

    Clocks that run are reckoned again from their own start, and go to the policy that fits their ticket now.
    """
    before, old = queries.told(s.connection(), policy.id), queries.targets(s, policy)
    _take(s, policy, given)
    modified = s.is_modified(policy) or "steps" in given
    targets = _targets(s, old, given.get("targets", {}), now)
    matched = policy.match != before["match"] or policy.active is not before["active"]
    if not modified and targets == {(t.metric, t.priority): _terms(t) for t in old}:
        return
    policy.version, policy.changed_at = policy.version + 1, now
    _write(s, policy, targets)
    _climb(s, policy, given.get("steps", ladder.rungs_of(s, policy.id, policy.version - 1)))
    _tell(s, policy, before, by=by, now=now, did="changed")
    rebuild.begin(s, everything=matched, now=now)


def remove(s: Session, policy: Policy, *, by: Signature, now: datetime) -> None:
    """Promise nothing more by a policy that is `held`. What runs under it goes to the one that fits then, or is cancelled."""
    policy.deleted_at, policy.active = now, False
    audit.record(s, Event.SLA_POLICY_CHANGED, now=now, by=by, policy=policy.name, version=policy.version, did="deleted")
    rebuild.begin(s, everything=True, now=now)


def order(s: Session, ids: Sequence[int], *, by: Signature, now: datetime) -> None:
    """Have them tried in this order. Raises OtherPolicies where these are not all of them."""
    locks.take_in_transaction(s, "policies")
    known = {policy.id: policy for policy in queries.policies(s)}
    if sorted(ids) != sorted(known):
        raise OtherPolicies
    before = [policy.name for policy in known.values()]
    wanted = [known[id] for id in ids]
    after = [policy.name for policy in wanted]
    if after == before:
        return
    _number(wanted)
    audit.record(s, Event.SLA_POLICY_CHANGED, now=now, by=by, did="ordered", before=before, after=after)
    rebuild.begin(s, everything=True, now=now)


def checked_match(match: Mapping[str, Sequence[Any]]) -> dict[str, list[str]]:
    """Conditions as they are stored: each fact with the words of which one has to be true. Raises Invalid."""
    found = {}
    for name, words in match.items():
        if name not in NAMES and not (name.startswith(FIELD) and name != FIELD):
            raise Invalid(f"A policy can't depend on {name[:60]!r}. It can on: {', '.join(NAMES)}, {FIELD} and a field's key.")
        if not 1 <= len(words) <= MOST_WORDS:
            raise Invalid(f"{name} takes 1 to {MOST_WORDS} words. Leave it out where anything will do.")
        found[name] = list(dict.fromkeys(str(word) for word in words))
    return found


def _take(s: Session, policy: Policy, given: Mapping[str, Any]) -> None:
    """Everything but the targets."""
    if "name" in given:
        policy.name = _free(s, policy, given["name"])
    if "match" in given:
        match = checked_match(given["match"])
        policy.match = match if match != policy.match else policy.match
    if "active" in given:
        policy.active = given["active"]
    for name, kind in (("starts", Start), ("reopening", Reopening), ("merging", Merging)):
        if name in given:
            setattr(policy, name, kind(given[name]))
    if "reopen_window" in given:
        if not 0 <= given["reopen_window"] <= LONGEST_WINDOW:
            raise Invalid(f"A window to reopen in is 0 to {LONGEST_WINDOW} seconds.")
        policy.reopen_window = timedelta(seconds=given["reopen_window"])


def _free(s: Session, policy: Policy, raw: str) -> str:
    name = text.one_line(raw, most=LONGEST)
    if not name:
        raise Invalid("A policy has a name with at least one character that can be seen.")
    with s.no_autoflush:
        taken = s.scalar(select(Policy.id).where(Policy.name == name, Policy.deleted_at.is_(None)))
    if taken not in {None, policy.id}:
        raise PolicyNameTaken
    return name


def _number(policies: Sequence[Policy]) -> None:
    for position, policy in enumerate(policies, start=1):
        policy.position = position


def _terms(target: Target) -> Terms:
    return {name: getattr(target, name) for name in queries.TERMS}


def _targets(s: Session, old: Sequence[Target], given: Mapping[str, Mapping[str, Any]], now: datetime) -> dict[Key, Terms]:
    """What is promised from now on. A number is one of seconds; what isn't said of a target stays, and None is no promise."""
    found = {(t.metric, t.priority): _terms(t) for t in old}
    for raw_metric, by_priority in given.items():
        for raw_priority, said in by_priority.items():
            key = _key(raw_metric, raw_priority)
            if said is None:
                found.pop(key, None)
                continue
            more = {"seconds": said} if isinstance(said, int) else {n: v for n, v in said.items() if v is not None}
            found[key] = _checked(key, {**found.get(key, _usual(s, key)), **more})
    longest: dict[int, timedelta] = {}
    for terms in found.values():
        length = farthest(terms["thresholds"], timedelta(seconds=terms["seconds"]))
        longest[terms["calendar_id"]] = max(length, longest.get(terms["calendar_id"], length))
    _refuse_calendars(s, longest, now)
    return found


def _key(metric: str, priority: str) -> Key:
    if metric not in list(Metric):
        raise Invalid(f"There is no metric {metric!r}: use one of {', '.join(Metric)}.")
    if priority not in list(Priority):
        raise Invalid(f"There is no priority {priority!r}: use one of {', '.join(Priority)}.")
    return Metric(metric), Priority(priority)


def _usual(s: Session, key: Key) -> Terms:
    """What a target has that nobody said anything about."""
    calendar = s.scalar(select(Calendar.id).where(Calendar.removed_at.is_(None)).order_by(Calendar.id).limit(1))
    return {"calendar_id": calendar, "pauses": defaults.PAUSES.get(key[0], []), "thresholds": defaults.THRESHOLDS}


def _checked(key: Key, terms: Terms) -> Terms:
    where = f"{key[0]} for {key[1]}"
    if not 1 <= terms.get("seconds", 0) <= LONGEST_TARGET:
        raise Invalid(f"{where}: {terms.get('seconds')} is not a number of seconds from 1 to {LONGEST_TARGET}.")
    if not set(terms["pauses"]) <= {WAITING}:
        raise Invalid(f"{where}: a clock stands still in {WAITING} or in no status.")
    try:
        thresholds = list(dict.fromkeys(normal(each) for each in terms["thresholds"]))
    except BadThreshold as bad:
        raise Invalid(f"{where}: {bad}.") from None
    thresholds = [each for each in thresholds if each != BREACH]
    if len(thresholds) > MOST_THRESHOLDS:
        raise Invalid(f"{where}: there are at most {MOST_THRESHOLDS} thresholds besides the breach.")
    return {**terms, "pauses": sorted(set(terms["pauses"])), "thresholds": thresholds}


def _refuse_calendars(s: Session, longest: Mapping[int, timedelta], now: datetime) -> None:
    """There has to be each calendar, and the farthest threshold that is measured by it has to be reached."""
    known = set(s.scalars(select(Calendar.id).where(Calendar.id.in_(longest), Calendar.removed_at.is_(None))))
    if unknown := longest.keys() - known:
        raise Invalid(f"There is no calendar {min(unknown)}. List them at /api/v1/sla/calendars.")
    try:
        for calendar, length in longest.items():
            calendars.refuse_unreachable(s, calendar, now, length)
    except NeverReached as wrong:
        raise Invalid(str(wrong)) from None


def _write(s: Session, policy: Policy, targets: Mapping[Key, Terms]) -> None:
    s.flush()
    for (metric, priority), terms in targets.items():
        s.add(Target(policy_id=policy.id, version=policy.version, metric=metric, priority=priority, **terms))
    s.flush()


def _climb(s: Session, policy: Policy, rungs: Sequence[Rung]) -> None:
    told: dict[Metric, set[str]] = {metric: set() for metric in Metric}
    for target in queries.targets(s, policy):
        told[target.metric] |= set(target.thresholds)
    ladder.set_steps(s, policy.id, policy.version, ladder.checked(s, rungs, told))


def _tell(s: Session, policy: Policy, before: Mapping[str, Any], *, by: Signature, now: datetime, did: str) -> None:
    s.flush()
    was, is_now = _flat(before), _flat(queries.told(s.connection(), policy.id))
    changes = {name: [was.get(name), is_now.get(name)] for name in was | is_now if was.get(name) != is_now.get(name)}
    changes.pop("version", None)
    audit.record(
        s, Event.SLA_POLICY_CHANGED, now=now, by=by, policy=policy.name, version=policy.version, did=did, changes=changes
    )


def _flat(told: Mapping[str, Any]) -> dict[str, Any]:
    targets = told.get("targets", {})
    each = {f"{metric}.{priority}": terms for metric, by_priority in targets.items() for priority, terms in by_priority.items()}
    return {name: value for name, value in told.items() if name not in {"id", "targets"}} | each

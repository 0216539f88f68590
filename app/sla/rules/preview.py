"""What a ticket's life so far would have come to under other promises."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.sla.rules.clock import Clock, Segment, fire
from app.sla.rules.timeline import Plan, together
from app.sla.rules.words import Metric, Moment, Outcome, State

Key = tuple[Metric, int]  # a metric and its cycle


@dataclass(frozen=True)
class Instant:
    """What happened to a ticket at one instant. `older` is the life of the resolution of another that joined or parted then."""

    at: datetime
    moments: tuple[Moment, ...]
    older: tuple[Segment, ...] = ()


class Verdict(StrEnum):
    """How a promise stands: kept, missed (done late, or not yet done), still to be kept, standing still, or off."""

    MET = "met"
    MISSED = "missed"
    RUNNING = "running"
    PAUSED = "paused"
    OFF = "off"


@dataclass(frozen=True)
class Standing:
    """One promise: what became of it by now, and when it was or is due."""

    verdict: Verdict
    due_at: datetime | None


@dataclass(frozen=True)
class Difference:
    """One promise as it stands under the promises of today and under others; None where there is none."""

    metric: Metric
    cycle: int
    today: Standing | None
    then: Standing | None


def standings(life: Iterable[Instant], plan: Plan, now: datetime) -> dict[Key, Standing]:
    """How every promise of a ticket stands at `now` if all its life had been under `plan`."""
    return {(clock.metric, clock.cycle): _standing(fire(clock, now)[0]) for clock in _clocks(life, plan)}


def differences(today: Mapping[Key, Standing], then: Mapping[Key, Standing]) -> list[Difference]:
    """The promises that stand differently, by metric and cycle."""
    keys = sorted(today.keys() | then.keys())
    found = (Difference(*key, today.get(key), then.get(key)) for key in keys)
    return [each for each in found if each.today != each.then]


def _clocks(life: Iterable[Instant], plan: Plan) -> Iterator[Clock]:
    latest: dict[Metric, Clock] = {}
    for instant in life:
        following = together(latest, instant.moments, instant.at, plan, instant.older)
        for metric, clock in latest.items():
            if following[metric].cycle != clock.cycle:
                yield following[metric].previous or clock
        latest = following
    yield from latest.values()


def _standing(clock: Clock) -> Standing:
    return Standing(_verdict(clock), clock.breached_at or clock.due_at)


def _verdict(clock: Clock) -> Verdict:
    if clock.breached_at:
        return Verdict.MISSED
    if clock.open:
        return Verdict.PAUSED if clock.state is State.PAUSED else Verdict.RUNNING
    return Verdict.MET if clock.outcome is Outcome.MET else Verdict.OFF

"""Deadlines of a calendar in Berlin in the nights in which clocks there are changed, while the desk's programs are killed,
stopped, emptied and restarted, and its own clock is put: every program of the container sees it.

Where PostgreSQL is away, deadlines fall meanwhile: that is a matter of the clock, not of how fast the machine is.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from operator import itemgetter
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.appliance.driver import Appliance, eventually
from tests.appliance.promises import SETTINGS, Desk, Group, clocked, known, missed, proved
from tests.unit.hours.counting import Counted, Spec, Walls

BERLIN = "Europe/Berlin"
# The beginning of one interval and the end of the other lie in the hour that is left out in spring and comes twice in autumn.
WEEK = [[["00:00", "01:45"], ["02:30", "06:00"]]] * 7
MINUTES = {"urgent": 10, "high": 30, "medium": 60, "low": 120}
# When the tickets of a night are opened, in minutes from the change: before it, and in the repeated hour or right after the gap.
OPENED = {"spring": (-30, 5), "autumn": (-80, -20)}
# Programs with an environment of their own get the library all the same; but for Redis, whose allocator it stops.
EVERYTHING = """
ENV LD_PRELOAD=/libfaketime.so.1 FAKETIME_TIMESTAMP_FILE=/clock/now FAKETIME_NO_CACHE=1 FAKETIME_DISABLE_SHM=1 \
    FAKETIME_DONT_FAKE_MONOTONIC=1
RUN sed -i 's/^exec env -i /&$([ $user = redis ] || env | grep -E "^(LD_PRELOAD|FAKETIME)") /' /opt/atum/image/as
"""
FLUSH = ("env", "-u", "LD_PRELOAD", "redis-cli", "-s", "/run/redis/redis.sock", "FLUSHALL")
CTL = ("supervisorctl", "-c", "/run/atum/conf/supervisor/supervisord.conf")
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
EVER = datetime.max.replace(tzinfo=UTC)


class Clocked(Desk):
    """A desk of which everything sees the time of a file."""

    def __init__(self, appliance: Appliance, clock: Path) -> None:
        super().__init__(appliance)
        self._clock = clock

    def rows(self, query: str) -> list[list[str]]:
        return self.it.sql(query)

    def put_clock(self, to: datetime) -> None:
        """It goes on from there."""
        fresh = self._clock.with_suffix(".new")
        fresh.write_text(f"{to.timestamp() - time.time():+.3f}\n")
        fresh.replace(self._clock)

    def supervise(self, *words: str) -> None:
        ran = self.it.run(*CTL, *words)
        assert "ERROR" not in ran.output, ran.output

    def told_by(self, at: datetime) -> None:
        """Wait until all that was due is known, on a clock that shows it."""

        def known_now() -> bool:
            now = self.now()
            return now >= at and known(self).keys() >= missed(self, deadline, now).keys()

        eventually(known_now, within=90, otherwise=lambda: f"{missed(self, deadline, self.now()).keys() - known(self).keys()}")


Fault = Callable[[Clocked, datetime], None]  # it has the clock come to an instant, and what falls by then is told


def nothing(desk: Clocked, at: datetime) -> None:
    desk.put_clock(at - SECOND)
    desk.told_by(at)


def redis_is_emptied(desk: Clocked, at: datetime) -> None:
    desk.put_clock(at - SECOND)
    assert desk.it.run(*FLUSH, user="app").output == "OK"
    desk.told_by(at)


def redis_is_stopped(desk: Clocked, at: datetime) -> None:
    desk.supervise("stop", "state:redis")
    desk.put_clock(at)
    desk.told_by(at)
    desk.supervise("start", "state:redis")


def postgresql_is_restarted(desk: Clocked, at: datetime) -> None:
    desk.put_clock(at)
    desk.supervise("restart", "state:postgres")
    eventually(desk.answers, within=60)
    desk.told_by(at)


def postgresql_is_stopped_at_once(desk: Clocked, at: datetime) -> None:
    """QUIT is its immediate shutdown: it recovers from its log when supervisord starts it again."""
    before = desk.it.signal("postgres", 3)
    desk.put_clock(at)
    desk.it.until_replaced("postgres", before, within=60)
    eventually(desk.answers, within=60)
    desk.told_by(at)


def postgresql_is_away(desk: Clocked, at: datetime) -> None:
    desk.supervise("stop", "state:postgres")
    desk.put_clock(at)
    desk.supervise("start", "state:postgres")
    eventually(desk.answers, within=60)
    desk.told_by(at)


def a_worker_is_killed(desk: Clocked, at: datetime) -> None:
    desk.put_clock(at)
    desk.it.until_replaced("sla-worker", desk.it.signal("sla-worker"), within=60)
    desk.told_by(at)


FAULTS: tuple[Fault, ...] = (
    postgresql_is_away,
    redis_is_stopped,
    postgresql_is_stopped_at_once,
    a_worker_is_killed,
    redis_is_emptied,
    postgresql_is_restarted,
)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Clocked]:
    image = clocked("atum-desk-by-night:test", EVERYTHING)
    clock = tmp_path / "clock" / "now"
    clock.parent.mkdir()
    clock.write_text("+0\n")
    for folder in (clock.parent, *clock.parents[1:3]):
        folder.chmod(0o755)
    appliance = Appliance(tmp_path, settings=SETTINGS, image=image, more=f'volumes: ["{clock.parent}:/clock:ro"]')
    try:
        desk = Clocked(appliance.up(), clock)
        hours = desk.root.post("/sla/calendars", {"name": "Nights", "zone": BERLIN, "week": WEEK})["id"]
        waits = {priority: {"seconds": 60 * minutes, "calendar_id": hours} for priority, minutes in MINUTES.items()}
        desk.promise({"first_response": waits, "next_response": waits, "resolution": dict.fromkeys(MINUTES)})
        yield desk
    finally:
        appliance.down()


def changes(after: datetime) -> dict[str, datetime]:
    """The next instants at which clocks in Berlin are put forward and back."""
    found: dict[str, datetime] = {}
    hours = (after.replace(minute=0, second=0, microsecond=0) + timedelta(hours=n) for n in range(48, 400 * 24))
    for hour in hours:
        by = hour.astimezone(ZoneInfo(BERLIN)).utcoffset() or timedelta(0)
        before = (hour - SECOND).astimezone(ZoneInfo(BERLIN)).utcoffset() or timedelta(0)
        if by != before:
            found.setdefault("spring" if by > before else "autumn", hour)
    return found


@cache
def counted(day: str) -> Counted:
    """Every minute of some days from that one on."""
    spec: Spec = {"week": WEEK, "closed": [], "instead": []}
    return Counted(Walls(BERLIN, day, 3), [(0, spec)])


def deadline(priority: str, since: datetime, share: float) -> datetime:
    found = counted((since - timedelta(days=1)).date().isoformat()).deadline(since, share * timedelta(minutes=MINUTES[priority]))
    assert found is not None
    return found


@dataclass
class Plan:
    """Which nights, how many tickets of which priorities at a time, and how often each fault met a deadline."""

    seasons: tuple[str, ...]
    priorities: tuple[str, ...]
    many: int
    met: Counter[Fault] = field(default_factory=lambda: Counter(dict.fromkeys(FAULTS, 0)))

    def next_fault(self) -> Fault:
        """Each as often as the others."""
        [(fault, _)] = self.met.most_common()[-1:]
        self.met[fault] += 1
        return fault


SMOKE = Plan(("autumn",), ("urgent", "medium"), 1)
ALL = Plan(("spring", "autumn"), tuple(MINUTES), 5)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("plan", [SMOKE, pytest.param(ALL, marks=pytest.mark.slow)], ids=["a night", "both nights"])
def test_when_clocks_are_changed_every_deadline_is_told_exactly_once_whatever_happens(desk: Clocked, plan: Plan) -> None:
    groups: list[Group] = []
    for season, change in sorted(changes(desk.now()).items(), key=itemgetter(1)):
        if season in plan.seasons:
            a_night(desk, groups, OPENED[season], change, plan)
    an_hour_there_and_back(desk, groups, plan)
    assert min(plan.met.values()) > 0
    proved(desk, groups, deadline)


def a_night(desk: Clocked, groups: list[Group], opened: tuple[int, int], change: datetime, plan: Plan) -> None:
    """Tickets at two times; every deadline falls during some fault, but for those of the very change, which comes by itself."""
    for part, at in enumerate(sorted([change, *(change + timedelta(minutes=minutes) for minutes in opened)])):
        if part:
            through(desk, at, plan)
        if at == change:
            nothing(desk, at)
        else:
            asked(desk, groups, at, plan)
    desk.second("STOP")  # wherever it is, for longer than anybody would wait for it
    through(desk, EVER, plan)
    desk.second("CONT")


def an_hour_there_and_back(desk: Clocked, groups: list[Group], plan: Plan) -> None:
    """What is told early stays told, and what was opened in the hour that is taken back is due when that hour is over again."""
    before = desk.now()
    asked(desk, groups, before, plan)
    desk.put_clock(before + HOUR)
    desk.told_by(before + HOUR)
    asked(desk, groups, before + HOUR, plan)
    told = known(desk)
    desk.put_clock(before)
    eventually(lambda: desk.now() < before + HOUR / 2, within=30)
    asked(desk, groups, before, plan)
    assert known(desk) == told
    through(desk, EVER, plan)


def asked(desk: Clocked, groups: list[Group], at: datetime, plan: Plan) -> None:
    """Tickets of each priority; and of those that were answered some are asked about again."""
    desk.put_clock(at)
    eventually(lambda: desk.now() >= at, within=30)
    desk.sign_in_again()
    before = groups[-len(plan.priorities) :]
    for group in before:
        desk.answer(group.answered[0])
    fresh = [desk.open(plan.many, priority=priority) for priority in plan.priorities]
    groups += fresh
    for group in before + fresh:
        desk.ask(group.answered[0])


def through(desk: Clocked, until: datetime, plan: Plan) -> None:
    """All that is due before an instant. Deadlines that lie together fall together, each time during another fault."""
    now = desk.now()
    instants = sorted(at for at in missed(desk, deadline, until).values() if now < at < until)
    while instants:
        last = max(at for at in instants if at - instants[0] < timedelta(minutes=1))
        instants = [at for at in instants if at > last]
        plan.next_fault()(desk, last)

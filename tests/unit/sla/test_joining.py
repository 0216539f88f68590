"""What becomes of a resolution when an older ticket becomes part of the one it is of, and when that is one of its own again."""

from dataclasses import replace

from app.sla.rules import Merging, Metric, Moment, Segment, Stretch, after
from tests.unit.sla.promises import HOUR
from tests.unit.sla.test_timeline import PLAN, at, live

RESOLUTION = Metric.RESOLUTION
EARLIEST = replace(PLAN, merging=Merging.EARLIEST)
OLDER = (Segment(at(-6), at(-5), Stretch.RUN), Segment(at(-5), at(-1), Stretch.PAUSE), Segment(at(-1), at(3), Stretch.RUN))


def test_an_older_ticket_that_joins_brings_what_ran_there_until_this_one_began() -> None:
    own = live((Moment.ACCEPTED, 0 * HOUR))
    joined = after(own, Moment.JOINED, at(3), EARLIEST, OLDER)[RESOLUTION]
    assert (joined.started_at, joined.consumed, joined.due_at) == (at(-6), 2 * HOUR, at(6))
    assert after(own, Moment.JOINED, at(3), PLAN, OLDER) == own
    assert after(own, Moment.JOINED, at(3), EARLIEST, (Segment(at(0), at(3), Stretch.RUN),)) == own


def test_when_it_parts_all_is_as_before_and_what_never_counted_from_it_stays() -> None:
    own = live((Moment.ACCEPTED, 0 * HOUR), (Moment.PAUSED, HOUR), (Moment.RESUMED, 2 * HOUR))
    joined = after(own, Moment.JOINED, at(3), EARLIEST, OLDER)
    assert after(joined, Moment.PARTED, at(0), EARLIEST, OLDER) == own
    assert after(own, Moment.PARTED, at(0), EARLIEST, OLDER) == own

"""When somebody is told, and when again."""

from datetime import UTC

import pytest

from app.hours.rules import Always, hours
from app.sla.rules import Metric
from app.sla.rules.ladder import BadStep, Rung, following, opening
from tests.unit.sla.promises import HOUR, MINUTE, MONDAY

OFFICE = hours(UTC, [[["09:00", "17:00"]]] * 5 + [[], []])
EVENING, TUESDAY = MONDAY + 4 * HOUR, MONDAY + 19 * HOUR


def test_they_are_told_at_once_while_it_is_open_and_else_at_the_next_opening() -> None:
    assert [opening(OFFICE, at) for at in (MONDAY, EVENING, TUESDAY)] == [MONDAY, TUESDAY, TUESDAY]
    assert opening(Always(), EVENING) == EVENING
    assert opening(OFFICE, MONDAY + 3 * HOUR) == TUESDAY, "at the very end it is closed"


def test_they_are_told_again_in_the_hours_of_the_step_until_that_was_enough() -> None:
    assert following(1, 3, HOUR, OFFICE, MONDAY) == MONDAY + HOUR
    assert following(2, 3, HOUR, OFFICE, MONDAY + 2.5 * HOUR) == TUESDAY
    assert following(3, 3, HOUR, OFFICE, MONDAY) is None
    assert following(1, 1, None, OFFICE, MONDAY) is None


@pytest.mark.parametrize(
    ("rung", "reason"),
    [
        (Rung(Metric.RESOLUTION, "100%", ("managers",) * 21), "at most 20"),
        (Rung(Metric.RESOLUTION, "100%", ("person:0",)), "nobody to tell"),
        (Rung(Metric.RESOLUTION, "100%", ("bob@desk.example\r\nBcc: mallory@evil.example",)), "nobody to tell"),
        (Rung(Metric.RESOLUTION, "100%", ("managers",), repeat=MINUTE, most=101), "at most 100 times"),
        (Rung(Metric.RESOLUTION, "100%", ("managers",), repeat=MINUTE, most=0), "at least once"),
        (Rung(Metric.RESOLUTION, "100%", ("managers",), repeat=169 * HOUR, most=2), "seven days at the latest"),
    ],
)
def test_what_can_not_be_a_step_is_refused_with_the_reason(rung: Rung, reason: str) -> None:
    with pytest.raises(BadStep, match=reason):
        rung.check()

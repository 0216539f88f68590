"""How often an authority is asked: seldom enough for the strictest, and remembered whatever happens."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from app.ops import tries
from app.ops.tries import Tries

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
OF = "https://acme.example/directory desk.example"


def failing(times: int, *, said: str = "no", chance: float = 0.0, asked: bool = False) -> list[datetime]:
    """When it is asked, as soon as it may be, each time in vain."""
    so_far, now, at = Tries(OF), NOW, []
    for _ in range(times):
        now = max(tries.may_at(so_far, now, asked=asked), now)
        so_far = tries.failed(so_far, said, now, chance=chance)
        at.append(now)
    return at


def waits(at: list[datetime]) -> list[timedelta]:
    return [later - earlier for earlier, later in pairwise(at)]


def test_each_wait_is_twice_the_one_before_up_to_half_a_day() -> None:
    found = waits(failing(16))
    assert found[:3] == [MINUTE, 2 * MINUTE, 4 * MINUTE]
    assert found[6:11] == [64 * MINUTE, 128 * MINUTE, 256 * MINUTE, 512 * MINUTE, 12 * HOUR]
    assert found[-1] == 12 * HOUR


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_no_hour_sees_more_than_four_failures_not_even_when_somebody_is_impatient(asked: bool, chance: float) -> None:
    at = failing(30, asked=asked, chance=chance)
    assert all(sum(begin <= each < begin + HOUR for each in at) <= tries.IN_AN_HOUR for begin in at)


def test_those_who_failed_together_do_not_come_back_together() -> None:
    assert waits(failing(2, chance=1.0)) == [1.25 * MINUTE]


def test_an_authority_that_says_it_is_asked_too_often_is_left_alone_for_an_hour() -> None:
    assert waits(failing(2, said="too many failed authorizations (rateLimited)")) == [HOUR]


def test_what_is_known_outlives_a_restart_and_is_of_these_settings_alone(tmp_path: Path) -> None:
    file = tmp_path / "tries.json"
    assert tries.read(file, OF) == Tries(OF)
    known = tries.failed(Tries(OF), "no", NOW, chance=0.5)
    file.write_bytes(tries.text(known))
    assert tries.read(file, OF) == known
    assert tries.read(file, "https://acme.example/directory other.example") == Tries(
        "https://acme.example/directory other.example"
    )


@pytest.mark.parametrize("rubbish", ["", "[]", "{}", '{"of": 3}', '{"of": "x", "next_at": "soon"}', '{"of": "x", "lately": 5}'])
def test_a_file_that_is_rubbish_is_none(tmp_path: Path, rubbish: str) -> None:
    (tmp_path / "tries.json").write_text(rubbish)
    assert tries.read(tmp_path / "tries.json", OF) == Tries(OF)


def test_a_success_forgets_the_failures() -> None:
    known = tries.failed(Tries(OF), "no", NOW, chance=0.0)
    assert tries.succeeded(known, NOW + HOUR) == Tries(OF, (NOW + HOUR).isoformat())


def test_a_clock_that_was_put_back_keeps_nobody_waiting_for_long() -> None:
    known = tries.failed(Tries(OF), "no", NOW, chance=0.0)
    assert tries.may_at(known, NOW - timedelta(days=400), asked=False) <= NOW - timedelta(days=399)

"""What ends the container, what is only restarted, and what is left alone."""

import pytest

from image.watch import DEATHS, GAP, MISSES, SILENCE, WITHIN, Life, Verdict, on_death, on_fatal


def alive(pid: int = 7) -> Life:
    life = Life()
    life.began(pid)
    return life


def verdicts(life: Life, *looks: tuple[float, float, float | None], first: float = 1000.0) -> list[bool]:
    """Of looks at (seconds since the first one, the heartbeat's time, the ready mark's)."""
    return [life.stuck(beat, ready, first + after) for after, beat, ready in looks]


def test_the_fifth_death_within_two_minutes_ends_the_container() -> None:
    life = alive()
    verdicts = [on_death("redis", life, now=n * 20.0) for n in range(DEATHS)]
    assert verdicts[:-1] == [None] * (DEATHS - 1)
    assert verdicts[-1] == Verdict(70, "redis", "it died 5 times within 120 s")


def test_five_deaths_over_a_longer_time_do_not() -> None:
    life = alive()
    assert all(on_death("redis", life, now=n * (WITHIN / (DEATHS - 1) + 0.1)) is None for n in range(20))


def test_boot_has_only_one_try() -> None:
    assert on_death("boot", alive(), now=1.0) == Verdict(70, "boot", "it ended without saying why")


def test_a_program_that_cannot_be_started_ends_the_container() -> None:
    assert on_fatal("nginx") == Verdict(70, "nginx", "it could not be started")


def test_a_heartbeat_may_be_missing_for_thirty_seconds() -> None:
    assert verdicts(alive(), *((5.0 * n, 1.0, 1.0) for n in range(7))) == [False] * 6 + [True]
    assert SILENCE == 5.0 * 6


@pytest.mark.parametrize("put", [3600.0, -3600.0, 20_000_000.0])
def test_whoever_puts_the_clock_stops_nobody(put: float) -> None:
    """The first heartbeats after that bear another time, and those before it seem old, or of times to come."""
    life, beats = alive(), [1000.0, 1005.0, 1005.0, 1010.0 + put, 1015.0 + put]
    assert not any(verdicts(life, *((5.0 * n, beat, 1.0) for n, beat in enumerate(beats)), first=77.0))
    assert verdicts(life, *((25.0 + 5 * n, beats[-1], 1.0) for n in range(6)), first=77.0) == [False] * 5 + [True]


def test_while_nobody_looked_nobody_was_silent() -> None:
    """A machine that slept, or a container that was paused: its programs may come round first."""
    assert verdicts(alive(), (0.0, 1.0, 1.0), (9000.0, 1.0, 1.0), (9000.1, 1.0, 1.0), (9000.2, 1.0, 1.0)) == [False] * 4
    assert GAP < SILENCE


@pytest.mark.parametrize("ready", [None, 80.0])
def test_silence_counts_from_when_the_desk_is_ready(ready: float | None) -> None:
    early = verdicts(alive(), *((5.0 * n, 1.0, None) for n in range(50)), (250.0, 1.0, ready), (255.0, 1.0, ready))
    assert not any(early)


def test_a_new_process_is_not_judged_by_the_last_ones_heartbeat() -> None:
    life = alive(7)
    verdicts(life, *((5.0 * n, 1.0, 1.0) for n in range(6)))
    life.began(8)
    assert verdicts(life, *((35.0 + 5 * n, 1.0, 1.0) for n in range(7))) == [False] * 6 + [True]


def test_a_dead_program_is_not_stuck() -> None:
    life = alive()
    life.died(1.0)
    assert not any(verdicts(life, *((5.0 * n, 1.0, 1.0) for n in range(20))))


def test_only_misses_in_a_row_count() -> None:
    life = alive()
    outcomes = [life.missed(answered) for answered in (False, False, True, False, False, False)]
    assert outcomes == [False] * 5 + [True]
    assert MISSES == 3


def test_a_new_process_starts_with_a_clean_record() -> None:
    life = alive()
    life.missed(False)
    life.missed(False)
    life.began(8)
    assert not life.missed(False)

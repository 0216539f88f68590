"""What ends the container, what is only restarted, and what is left alone."""

import pytest

from image.watch import DEATHS, MISSES, SILENCE, WITHIN, Life, Verdict, on_death, on_fatal


def alive(pid: int = 7, since: float = 0.0) -> Life:
    life = Life()
    life.began(pid, since)
    return life


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


@pytest.mark.parametrize(
    ("since", "beat", "ready", "stuck"),
    [
        (0.0, 100.0 - SILENCE, 0.0, False),
        (0.0, 99.9 - SILENCE, 0.0, True),
        (80.0, 10.0, 0.0, False),  # the mark is an earlier life's
        (0.0, 10.0, 80.0, False),  # the desk was not ready before
        (0.0, 10.0, None, False),  # nor is it now
    ],
)
def test_a_heartbeat_may_be_missing_for_thirty_seconds_of_a_ready_desk(
    since: float, beat: float, ready: float | None, stuck: bool
) -> None:
    assert alive(since=since).stuck(beat, ready, now=100.0) is stuck


def test_a_dead_program_is_not_stuck() -> None:
    life = alive()
    life.died(1.0)
    assert not life.stuck(0.0, 0.0, now=1000.0)


def test_only_misses_in_a_row_count() -> None:
    life = alive()
    outcomes = [life.missed(answered) for answered in (False, False, True, False, False, False)]
    assert outcomes == [False] * 5 + [True]
    assert MISSES == 3


def test_a_new_process_starts_with_a_clean_record() -> None:
    life = alive()
    life.missed(False)
    life.missed(False)
    life.began(8, 10.0)
    assert not life.missed(False)

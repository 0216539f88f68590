"""Counting tries in a Redis that is there."""

import pickle
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from app.db.redis import Counters


@pytest.fixture
def key() -> str:
    return f"tries:{uuid.uuid4().hex}"


def test_a_hundred_at_once_are_counted_to_a_hundred_by_whomever(redis_url: str, key: str) -> None:
    workers = [Counters(redis_url) for _ in range(4)]
    with ThreadPoolExecutor(16) as pool:
        counts = list(pool.map(lambda n: workers[n % 4].add(key, lasting=60), range(100)))
    assert sorted(counts) == list(range(1, 101))


def test_a_count_ends_by_itself_however_often_it_is_raised(redis_url: str, key: str) -> None:
    counters = Counters(redis_url)
    assert [counters.add(key, lasting=1) for _ in range(3)] == [1, 2, 3]
    time.sleep(1.1)
    assert counters.add(key, lasting=1) == 1


def test_success_forgets_and_a_good_try_is_taken_back(redis_url: str, key: str) -> None:
    counters = Counters(redis_url)
    counters.add(key, lasting=60)
    counters.add(key, lasting=60)
    counters.take_back(key)
    assert counters.add(key, lasting=60) == 2
    counters.forget(key)
    assert counters.add(key, lasting=60) == 1


@pytest.mark.parametrize("planted", [b"abc", pickle.dumps({"role": "admin"}), [b"a", b"list"]], ids=["word", "pickle", "list"])
def test_a_value_planted_in_redis_is_never_more_than_no_number(redis_url: str, key: str, planted: bytes | list[bytes]) -> None:
    """Whatever it is, this process counts by itself then, so limits stay limits; nothing is ever unpacked."""
    server = redis.Redis.from_url(redis_url)
    if isinstance(planted, list):
        server.rpush(key, *planted)
    else:
        server.set(key, planted)
    assert [Counters(redis_url).add(key, lasting=60) for _ in range(1)] == [1]
    counters = Counters(redis_url)
    assert [counters.add(key, lasting=60) for _ in range(3)] == [1, 2, 3]

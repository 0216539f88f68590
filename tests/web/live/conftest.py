"""Open streams, and a real Redis: the image's own, started once, or TEST_REDIS_URL."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from app.accounts.models import Person
from app.accounts.rules import Door
from tests.conftest import IMAGE
from tests.web.conftest import Web
from tests.web.live.listener import Listener

Listen = Callable[..., Listener]


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a Redis that keeps nothing."""
    if given := os.environ.get("TEST_REDIS_URL"):
        yield given
        return
    run = ["docker", "run", "--rm", "-d", "--no-healthcheck", "--user", "redis", "-p", "127.0.0.1::6379", "--entrypoint"]
    server = ["redis-server", IMAGE, "--save", "", "--protected-mode", "no"]
    container = subprocess.run([*run, *server], check=True, capture_output=True, text=True).stdout.strip()
    try:
        port = subprocess.run(["docker", "port", container, "6379"], check=True, capture_output=True, text=True).stdout
        url = f"redis://127.0.0.1:{port.strip().rpartition(':')[2]}/0"
        _wait_for(url)
        yield url
    finally:
        subprocess.run(["docker", "kill", container], check=False, capture_output=True)


def _wait_for(url: str) -> None:
    for _ in range(100):
        try:
            redis.Redis.from_url(url).ping()
        except redis.RedisError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("Redis did not come up within 10 s")


@pytest.fixture
def listen(web: Web) -> Iterator[Listen]:
    """listen(person) is an open stream, closed when the test ends."""
    opened: list[Listener] = []

    def open(person: Person | None = None, **headers: str) -> Listener:
        if person is not None and "Cookie" not in headers:
            headers["Authorization"] = f"Bearer {web.token(person, Door.API)}"
        opened.append(Listener(web.app, headers).__enter__())
        return opened[-1]

    yield open
    for each in opened:
        each.__exit__(None, None, None)
    web.app.state.live.end()
    web.app.state.live.wait()

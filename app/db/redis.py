"""Redis counts and may forget: whoever asks gets a sensible answer when it is gone."""

import logging
import time
from typing import cast

import redis

PATIENCE = 0.25  # seconds
PAUSE = 5.0  # seconds without asking again after it failed

log = logging.getLogger(__name__)


class Counters:
    """Counts that run out by themselves. While Redis is gone this process counts alone, so limits stay limits."""

    def __init__(self, dsn: str) -> None:
        self._redis = redis.Redis.from_url(dsn, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
        self._own: dict[str, tuple[int, float]] = {}
        self._silent_until = 0.0

    def alive(self) -> bool:
        """Whether Redis answers."""
        try:
            return bool(self._redis.ping())
        except redis.RedisError:
            return False

    def add(self, key: str, *, lasting: int) -> int:
        """Count one more under `key`, which is forgotten `lasting` seconds after its first count; answers the count."""
        if time.monotonic() >= self._silent_until:
            try:
                with self._redis.pipeline() as pipe:
                    pipe.set(key, 0, ex=lasting, nx=True)
                    pipe.incr(key)
                    return cast(int, pipe.execute()[1])
            except redis.RedisError as wrong:
                self._silent_until = time.monotonic() + PAUSE
                log.warning("Redis does not answer; counting in this process", extra={"reason": str(wrong)})
        return self._add_here(key, lasting)

    def forget(self, key: str) -> None:
        """Start again from nothing."""
        self._own.pop(key, None)
        try:
            self._redis.delete(key)
        except redis.RedisError:
            self._silent_until = time.monotonic() + PAUSE

    def _add_here(self, key: str, lasting: int) -> int:
        now = time.monotonic()
        if len(self._own) > 10_000:
            self._own = {k: v for k, v in self._own.items() if v[1] > now}
        count, until = self._own.get(key, (0, 0.0))
        self._own[key] = (count + 1, until) if until > now else (1, now + lasting)
        return self._own[key][0]

"""Redis counts and may forget: whoever asks gets a sensible answer when it is gone."""

import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, cast

import redis

PATIENCE = 0.25  # seconds
PAUSE = 5.0  # seconds without asking again after it failed

log = logging.getLogger(__name__)


class Counters:
    """Counts that run out by themselves. While Redis is gone this process counts alone, so limits stay limits."""

    def __init__(self, dsn: str) -> None:
        self._redis = redis.Redis.from_url(dsn, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
        self._own: dict[str, tuple[int, float]] = {}
        self._alone = threading.Lock()
        self._silent_until = 0.0

    def alive(self) -> bool:
        """Whether Redis answers."""
        try:
            return bool(self._redis.ping())
        except redis.RedisError:
            return False

    def told(self) -> dict[str, Any] | None:
        """What Redis says of itself; nothing where it does not answer."""
        try:
            return self._redis.info()
        except redis.RedisError:
            return None

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

    def take_back(self, key: str) -> None:
        """Count one less: that one was all right."""
        with self._alone:
            if key in self._own:
                count, until = self._own[key]
                self._own[key] = (max(0, count - 1), until)
        with contextlib.suppress(redis.RedisError):
            if time.monotonic() >= self._silent_until and self._redis.exists(key):
                self._redis.decr(key)

    def forget(self, key: str) -> None:
        """Start again from nothing."""
        self._own.pop(key, None)
        try:
            self._redis.delete(key)
        except redis.RedisError:
            self._silent_until = time.monotonic() + PAUSE

    def _add_here(self, key: str, lasting: int) -> int:
        now = time.monotonic()
        with self._alone:
            if len(self._own) > 10_000:
                self._own = {k: v for k, v in self._own.items() if v[1] > now}
            count, until = self._own.get(key, (0, 0.0))
            self._own[key] = (count + 1, until) if until > now else (1, now + lasting)
            return self._own[key][0]


class Board:
    """Notes that run out by themselves, a few under each key. While Redis is gone there are none."""

    def __init__(self, dsn: str) -> None:
        self._redis = redis.Redis.from_url(dsn, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
        self._silent_until = 0.0

    def read(self, key: str) -> dict[str, dict[str, Any]]:
        """Every note under `key` by its name."""
        found = self._try(lambda: self._redis.hgetall(key)) or {}
        return {name.decode(): _note(raw) for name, raw in found.items() if name.isdigit()}

    def pin(self, key: str, name: str, note: dict[str, Any], *, lasting: int) -> bool:
        """Leave a note; all under `key` are forgotten `lasting` seconds after the last. Whether it hangs there."""

        def pin() -> bool:
            with self._redis.pipeline() as pipe:
                pipe.hset(key, name, json.dumps(note))
                pipe.expire(key, lasting)
                pipe.execute()
            return True

        return bool(self._try(pin))

    def take_off(self, key: str, name: str) -> bool:
        """Whether there was such a note."""
        return bool(self._try(lambda: self._redis.hdel(key, name)))

    def _try(self, ask: Callable[[], Any]) -> Any:
        if time.monotonic() < self._silent_until:
            return None
        try:
            return ask()
        except redis.RedisError as wrong:
            self._silent_until = time.monotonic() + PAUSE
            log.warning("Redis does not answer; nobody is told who is there", extra={"reason": str(wrong)})
            return None


def _note(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

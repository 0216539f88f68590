"""No more hashes at once than there is memory for, however many ask."""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.accounts import passwords


class Slow:
    """A hasher that notes how many of it work at once."""

    def __init__(self, takes: float = 0.02) -> None:
        self.now, self.most, self.takes = 0, 0, takes

    def hash(self, _password: str) -> str:
        self.now += 1
        self.most = max(self.most, self.now)
        time.sleep(self.takes)
        self.now -= 1
        return "hash"


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    made = Slow()
    monkeypatch.setattr(passwords, "_hasher", made)
    return made


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    passwords.share(tmp_path)
    yield tmp_path
    passwords._places.clear()


def all_at_once(count: int) -> list[str]:
    said: list[str] = []

    def one() -> None:
        try:
            said.append(passwords.hashed("x"))
        except passwords.Busy as busy:
            said.append(busy.slug)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said


def test_a_process_makes_one_hash_at_a_time(slow: Slow) -> None:
    assert all_at_once(passwords.QUEUE) == ["hash"] * passwords.QUEUE
    assert slow.most == 1


def test_a_flood_of_sign_ins_is_told_to_come_back_and_the_next_one_gets_in(slow: Slow) -> None:
    said = all_at_once(40)
    assert said.count("hash") >= passwords.QUEUE
    assert said.count("busy") == 40 - said.count("hash") > 0
    assert slow.most == 1
    assert passwords.hashed("x") == "hash"


def test_a_fifth_process_waits_for_one_of_the_four_places(slow: Slow, shared: Path) -> None:
    others = [os.open(shared / f"hashing-{place}", os.O_RDWR | os.O_CREAT) for place in range(passwords.AT_ONCE)]
    for held in others:
        fcntl.flock(held, fcntl.LOCK_EX)
    waiting = threading.Thread(target=passwords.hashed, args=("x",))
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    assert slow.most == 0
    for held in others:  # as when their processes die
        os.close(held)
    waiting.join(5)
    assert slow.most == 1


def test_a_free_place_is_taken_without_waiting(slow: Slow, shared: Path) -> None:
    held = os.open(shared / "hashing-0", os.O_RDWR | os.O_CREAT)
    fcntl.flock(held, fcntl.LOCK_EX)
    assert passwords.hashed("x") == "hash"
    os.close(held)


def test_nobodys_password_is_compared_like_somebodys(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(passwords._hasher.__class__, "verify", lambda _, stored, __: asked.append(stored))
    assert passwords.matches("x", None) is False
    assert asked[0].startswith("$argon2id$v=19$m=47104,t=2,p=1$")

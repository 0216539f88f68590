"""The shell that waits for a certificate to be replaced, its seconds shortened and what it starts told apart."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

WATCH = Path(__file__).parents[3] / "image" / "certificates"


class Watched:
    """Two files, and each look that was had at them: what they held then."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._looks = folder, folder / "looks"
        self.put("one")
        for name, script in {
            "sleep": 'exec /bin/sleep "$(( $1 ))e-2"',
            "look": f'[ "$*" = "-m app.ops.certificates again" ] && cat {self.folder}/tls.* | tr "\\n" " " >>{self._looks}\n'
            f"echo >>{self._looks}; cat {self.folder}/answer",
        }.items():
            (folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (folder / name).chmod(0o755)
        self.answer("21600")
        self._looks.touch()

    def put(self, text: str) -> None:
        for name in ("tls.crt", "tls.key"):
            (self.folder / name).write_text(text + "\n")

    def answer(self, seconds: str) -> None:
        (self.folder / "answer").write_text(seconds + "\n")

    @property
    def looks(self) -> list[str]:
        return [line.strip() for line in self._looks.read_text().splitlines()]

    def until(self, looks: list[str]) -> None:
        self._wait(lambda: self.looks[: len(looks)] == looks)
        time.sleep(0.3)  # and no more than these
        assert self.looks == looks

    def _wait(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + 5
        while not true():
            assert time.monotonic() < end, self.looks
            time.sleep(0.01)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    found = Watched(tmp_path)
    environ = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "TLS_CERT": str(tmp_path / "tls.crt"),
        "TLS_KEY": str(tmp_path / "tls.key"),
    }
    with subprocess.Popen([WATCH, str(tmp_path / "look"), str(tmp_path)], env=environ) as shell:
        found.until(["one one"])
        yield found
        shell.kill()


def test_a_new_pair_is_looked_at_once_it_is_whole(watched: Watched) -> None:
    (watched.folder / "tls.crt").write_text("two\n")
    (watched.folder / "tls.key").write_text("two\n")
    watched.until(["one one", "two two"])


def test_what_was_mended_without_another_content_is_looked_at_too(watched: Watched) -> None:
    (watched.folder / "tls.key").chmod(0o600)
    watched.until(["one one", "one one"])


def test_a_folder_that_was_exchanged_under_a_link_is_a_new_pair(watched: Watched) -> None:
    """Kubernetes swaps `..data`, to which the files' own links lead."""
    for name in ("1", "2"):
        (watched.folder / name).mkdir()
        for file in ("tls.crt", "tls.key"):
            (watched.folder / name / file).write_text(f"{name}\n")
    (watched.folder / "..data").symlink_to("1")
    for file in ("tls.crt", "tls.key"):
        (watched.folder / f"{file}.new").symlink_to(f"..data/{file}")
        (watched.folder / f"{file}.new").rename(watched.folder / file)
    watched.until(["one one", "1 1"])
    (watched.folder / "..data_tmp").symlink_to("2")
    (watched.folder / "..data_tmp").rename(watched.folder / "..data")
    watched.until(["one one", "1 1", "2 2"])


def test_a_look_says_when_the_next_one_is(watched: Watched) -> None:
    watched.answer("5")
    watched.put("two")
    watched._wait(lambda: watched.looks[:4] == ["one one", "two two", "two two", "two two"])


@pytest.mark.parametrize("nonsense", ["", "-5"])
def test_a_look_that_fails_is_had_again_a_minute_later(watched: Watched, nonsense: str) -> None:
    watched.answer(nonsense)
    watched.put("two")
    watched._wait(lambda: len(watched.looks) > 2)

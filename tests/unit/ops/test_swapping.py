"""Whenever a restore is cut short, the secrets are those of the desk before or those of the restored one, whole."""

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app import config
from app.ops.backup import swapping

NOW = datetime(2026, 12, 1, 2, tzinfo=UTC)

ME = (os.geteuid(), os.getegid())


class PowerCut(Exception):
    """It happens now."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/secret_key").write_text("old")
    return tmp_path


def key(data: Path, folder: str = "secrets") -> str:
    return (data / folder / "secret_key").read_text()


def prepared(data: Path) -> None:
    swapping.make_room(data, lambda _: ME)
    (data / "secrets.next/secret_key").write_text("new")


def test_what_was_laid_ready_and_not_decided_is_let_go_of_by_the_next_start(data: Path) -> None:
    prepared(data)
    assert swapping.folders(data) == []
    assert key(data) == "old"
    assert sorted(path.name for path in data.iterdir()) == ["secrets"]


def test_what_was_decided_is_taken_and_the_one_before_is_kept_until_it_is_forgotten(data: Path) -> None:
    prepared(data)
    swapping.decide(data, NOW)
    assert swapping.folders(data) == ["secrets"]
    assert (key(data), key(data, "secrets.before-restore")) == ("new", "old")
    assert swapping.folders(data) == []
    assert swapping.decided(data) == "2026-12-01T02:00:00+00:00"
    swapping.forget(data)
    assert key(data) == "new"
    assert not (data / "secrets.before-restore").exists()


def test_a_start_says_that_it_finishes_a_restore(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = config.load({"DATA_DIR": str(data)}, secrets=data / "none")
    assert (swapping.main(settings), capsys.readouterr().out) == (0, "")
    prepared(data)
    swapping.decide(data, NOW)
    assert swapping.main(settings) == 0
    assert "decided on 2026-12-01T02:00:00+00:00 is being finished: secrets" in capsys.readouterr().out
    assert key(data) == "new"


def test_the_next_restore_begins_undecided_and_keeps_only_the_desk_right_before_it(data: Path) -> None:
    for _ in range(2):
        prepared(data)
        assert swapping.decided(data) is None
        swapping.decide(data, NOW)
        swapping.folders(data)
    assert (key(data), key(data, "secrets.before-restore")) == ("new", "new")


@pytest.mark.parametrize("renames", range(4))
def test_cut_short_before_any_renaming_the_next_start_ends_with_one_of_the_two(
    data: Path, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    with monkeypatch.context() as power:
        cut_after(power, renames)
        with suppress(PowerCut):
            prepared(data)
            swapping.decide(data, NOW)
            swapping.folders(data)
    decided = swapping.decided(data) is not None
    swapping.folders(data)
    assert key(data) == ("new" if decided else "old")
    assert not (data / "secrets.next").exists()


def cut_after(power: pytest.MonkeyPatch, renames: int) -> None:
    """The power fails instead of the renaming after so many."""
    left = [renames]

    def cut(real: Callable[[Path, Path], Path]) -> Callable[[Path, Path], Path]:
        def rename(path: Path, target: Path) -> Path:
            if not left[0]:
                raise PowerCut
            left[0] -= 1
            return real(path, target)

        return rename

    power.setattr(Path, "rename", cut(Path.rename))
    power.setattr(Path, "replace", cut(Path.replace))

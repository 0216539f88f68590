"""When the disk counts as full."""

import os
from pathlib import Path
from typing import Any

import pytest

from app.files import room

GB = 10**9 // 4096


def disk(monkeypatch: pytest.MonkeyPatch, **different: int) -> None:
    """A disk of 100 GB, half full, unless it is said to be different. In blocks of 4 KB."""
    values: dict[str, Any] = {"f_bsize": 4096, "f_frsize": 4096, "f_blocks": 100 * GB, "f_bfree": 50 * GB, "f_bavail": 50 * GB}
    values |= {"f_files": 1_000_000, "f_ffree": 500_000, "f_favail": 500_000, "f_flag": 0, "f_namemax": 255} | different
    monkeypatch.setattr(os, "statvfs", lambda _folder: os.statvfs_result(tuple(values.values())))


@pytest.mark.parametrize(
    ("different", "short"),
    [
        ({}, False),
        ({"f_bavail": GB + 1}, False),
        ({"f_bavail": GB - 1}, True),
        ({"f_bavail": 0, "f_bfree": 2 * GB}, True),  # what is left is root's
        ({"f_blocks": GB, "f_bavail": GB // 10}, False),  # of a small disk a twentieth is kept back
        ({"f_blocks": GB, "f_bavail": GB // 21}, True),
        ({"f_favail": 999}, True),
        ({"f_files": 0, "f_favail": 0}, False),  # a disk that doesn't count files
        ({"f_flag": os.ST_RDONLY}, True),
    ],
)
def test_the_end_of_the_disk_is_kept_back(monkeypatch: pytest.MonkeyPatch, different: dict[str, int], *, short: bool) -> None:
    disk(monkeypatch, **different)
    assert room.is_short(Path("/data")) is short


def test_a_folder_that_was_never_made_is_on_no_full_disk(tmp_path: Path) -> None:
    assert room.is_short(tmp_path / "none") is False

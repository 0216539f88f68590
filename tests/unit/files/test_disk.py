"""Blobs on disk: there as soon as they are named, whatever happens to the machine."""

import os
from pathlib import Path

import pytest

from app.core import ids
from app.core.errors import NotFound
from app.files.disk import Blobs


def test_what_is_put_is_got_by_the_hash_of_what_it_is(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")
    name = blobs.put(b"a picture")
    assert name == ids.sha256(b"a picture")
    assert blobs.get(name) == b"a picture"
    assert blobs.put(b"a picture") == name
    assert [path.name for path in blobs.root.rglob("*") if path.is_file()] == [name]


def test_a_name_that_is_nobody_s_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        Blobs(tmp_path).get("0" * 64)


def test_every_folder_on_the_way_to_a_blob_is_on_the_disk_before_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name lies in the folder above: without that, a power cut takes the blob away under the row that names it."""
    synced: list[Path] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        real(handle)
        synced.append(Path(f"/proc/self/fd/{handle}").readlink())

    monkeypatch.setattr(os, "fsync", fsync)
    blobs = Blobs(tmp_path / "blobs")
    path = blobs.path(blobs.put(b"a picture"))
    file, *folders = synced
    assert file.parent == blobs.root
    assert folders == [path.parent, path.parent.parent, blobs.root]


def test_what_the_disk_refuses_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        Blobs(tmp_path).put(b"a picture")
    assert list(tmp_path.rglob("*")) == []


def test_what_is_there_already_may_be_of_somebody_who_was_killed_before_it_was_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = Blobs(tmp_path / "blobs")
    path = blobs.path(blobs.put(b"a picture"))
    synced: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(Path(f"/proc/self/fd/{handle}").readlink()))
    blobs.put(b"a picture")
    assert synced == [path.parent, path.parent.parent, blobs.root]


def test_what_is_put_once_more_is_as_new_as_what_is_put_for_the_first_time(tmp_path: Path) -> None:
    """Or it would be taken for forgotten while its row is being written."""
    blobs = Blobs(tmp_path / "blobs")
    path = blobs.path(blobs.put(b"a picture"))
    os.utime(path, (1_000, 1_000))
    assert list(blobs.untouched(1_001)) == [path]
    blobs.put(b"a picture")
    assert list(blobs.untouched(1_001)) == []

"""The volume's folders end up with their owners, whatever state they are found in."""

import errno
import os
import stat
from pathlib import Path

import pytest

from app.config import load
from app.ops import storage
from app.ops.storage import Place, Unusable, alone, prepare, probe, run_time, spools, volume

ME = (os.geteuid(), os.getegid())
APP = (5002, 5002)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="giving files away needs root")


def modes(root: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in root.iterdir()}


def owner(path: Path) -> tuple[int, int]:
    return path.lstat().st_uid, path.lstat().st_gid


def test_an_empty_volume_gets_all_its_folders_closed_to_others(tmp_path: Path) -> None:
    prepare(volume(tmp_path / "data"), lambda _user: ME)
    assert modes(tmp_path / "data") == dict.fromkeys(("postgres", "redis", "files", "mail", "secrets", "tls", "backups"), 0o700)


def test_what_is_on_the_volume_stays(tmp_path: Path) -> None:
    prepare(volume(tmp_path), lambda _user: ME)
    (tmp_path / "files/blob").write_text("x")
    prepare(volume(tmp_path), lambda _user: ME)
    assert (tmp_path / "files/blob").read_text() == "x"


def test_what_is_not_kept_begins_empty(tmp_path: Path) -> None:
    place = Place(tmp_path / "run", "root", 0o755)
    prepare([place], lambda _user: ME)
    (tmp_path / "run/verdict.json").write_text("old")
    prepare([place], lambda _user: ME)
    assert list((tmp_path / "run").iterdir()) == []


def test_the_run_directory_is_made_parents_first() -> None:
    places = [place.path for place in run_time(load({}))]
    assert all(parent not in places[n:] for n, path in enumerate(places) for parent in path.parents)


def test_uploads_wait_in_folders_that_each_begin_empty_and_closed_to_others(tmp_path: Path) -> None:
    prepare(spools(load({"DATA_DIR": str(tmp_path)})), lambda _user: ME)
    for name in ("nginx/body/0000000001", "api/half", "else"):
        (tmp_path / "tmp" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "tmp" / name).write_text("left behind")
    prepare(spools(load({"DATA_DIR": str(tmp_path)})), lambda _user: ME)
    assert modes(tmp_path) == {"tmp": 0o755}
    assert modes(tmp_path / "tmp") == {"nginx": 0o700, "api": 0o700, "rehearsal": 0o700}
    assert not [each for folder in (tmp_path / "tmp").iterdir() for each in folder.iterdir()]


def test_each_spool_is_its_programs_own_and_the_app_finds_its() -> None:
    settings = load({})
    assert {place.path: place.user for place in spools(settings)} == {
        Path("/data/tmp"): "root", Path("/data/tmp/nginx"): "nginx", Path("/data/tmp/api"): "app",
        Path("/data/tmp/rehearsal"): "app",
    }  # fmt: skip
    assert settings.uploads == Path("/data/tmp/api")


def test_a_link_is_taken_away_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    kept = tmp_path / "files"
    kept.mkdir(mode=0o750)
    (kept / "blob").write_text("x")
    before = kept.stat()
    data = tmp_path / "data"
    (data / "tmp/api/deep").mkdir(parents=True)
    (data / "tmp/nginx").symlink_to(kept)
    (data / "tmp/api/deep/folder").symlink_to(kept)
    (data / "tmp/api/file").symlink_to(kept / "blob")
    prepare(spools(load({"DATA_DIR": str(data)})), lambda _user: ME)
    assert [(path.is_symlink(), list(path.iterdir())) for path in sorted((data / "tmp").iterdir())] == [(False, [])] * 3
    for folder in (data / "tmp").iterdir():
        folder.rmdir()
    (data / "tmp").rmdir()
    (data / "tmp").symlink_to(kept)
    prepare(spools(load({"DATA_DIR": str(data)})), lambda _user: ME)
    assert not (data / "tmp").is_symlink()
    assert [path.name for path in kept.iterdir()] == ["blob"]
    assert (kept / "blob").read_text() == "x"
    assert (kept.stat().st_mode, kept.stat().st_uid) == (before.st_mode, before.st_uid)


def test_a_file_where_a_folder_belongs_is_taken_away(tmp_path: Path) -> None:
    (tmp_path / "tmp").write_text("x")
    prepare(spools(load({"DATA_DIR": str(tmp_path)})), lambda _user: ME)
    assert modes(tmp_path / "tmp") == {"nginx": 0o700, "api": 0o700, "rehearsal": 0o700}


def test_what_is_emptied_keeps_its_place(tmp_path: Path) -> None:
    """It may be a disk of its own, mounted there."""
    (tmp_path / "tmp/api").mkdir(parents=True)
    before = (tmp_path / "tmp").stat().st_ino
    prepare(spools(load({"DATA_DIR": str(tmp_path)})), lambda _user: ME)
    assert (tmp_path / "tmp").stat().st_ino == before


def test_a_volume_that_another_container_uses_is_left_alone(tmp_path: Path) -> None:
    with alone(tmp_path):
        pass
    with alone(tmp_path), pytest.raises(Unusable, match="Another container is using the volume"), alone(tmp_path):
        pytest.fail("both had it")


@needs_root
def test_a_folder_of_somebody_else_is_given_to_its_owner_with_all_that_is_in_it(tmp_path: Path) -> None:
    deep = tmp_path / "files/a/b"
    deep.mkdir(parents=True)
    (deep / "blob").write_text("x")
    (deep / "link").symlink_to("/etc/passwd")
    before = owner(Path("/etc/passwd"))
    prepare([Place(tmp_path / "files", "app", 0o700, kept=True, whole=True)], lambda _user: APP)
    assert {owner(path) for path in (tmp_path / "files", deep, deep / "blob", deep / "link")} == {APP}
    assert owner(Path("/etc/passwd")) == before


@needs_root
def test_a_right_top_is_not_looked_into(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir(mode=0o700)
    (files / "blob").write_text("x")
    os.chown(files, *APP)
    prepare([Place(files, "app", 0o700, kept=True, whole=True)], lambda _user: APP)
    assert owner(files / "blob") == ME


@needs_root
def test_what_was_interrupted_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = tmp_path / "files"
    (files / "a").mkdir(parents=True)
    os.chown(files, 1000, 1000)
    os.chown(files / "a", 1000, 1000)
    place = Place(files, "app", 0o700, kept=True, whole=True)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("app.ops.storage.os.scandir", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare([place], lambda _user: APP)
    monkeypatch.undo()
    assert owner(files) != APP
    prepare([place], lambda _user: APP)
    assert {owner(files), owner(files / "a")} == {APP}


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EPERM, "chown -R 5002:5002"),
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "the volume is read-only. Mount it at /data without :ro"),
    ],
)
def test_a_volume_that_cannot_be_used_is_told_with_what_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(storage, "system_owner", lambda _user: APP)
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(Unusable) as unusable:
        prepare([Place(tmp_path / "files", "app", 0o700, kept=True)], lambda _user: ME)
    assert str(unusable.value).startswith(f"{tmp_path / 'files'}: ")
    assert words in str(unusable.value)


def test_a_volume_that_takes_no_byte_is_found_before_it_matters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    probe(tmp_path)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("app.ops.storage.os.fsync", full)
    with pytest.raises(Unusable, match="the disk is full"):
        probe(tmp_path)


def test_root_is_told_which_powers_it_lacks() -> None:
    storage.powers("Uid:\t0\nCapEff:\t00000000000004e1\n")
    with pytest.raises(Unusable, match="lacks the capabilities CHOWN, NET_BIND_SERVICE"):
        storage.powers("Uid:\t0\nCapEff:\t00000000000000e0\n")


def test_who_is_not_root_owns_everything_and_leaves_the_top_of_a_volume_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.ops.storage.os.geteuid", lambda: 12345)
    assert {storage.system_owner(user) for user in ("root", "app", "root:nginx")} == {(12345, os.getegid())}
    assert tmp_path not in {place.path for place in volume(tmp_path)}
    modes_of = {place.path.name: place.mode for place in run_time(load({}))}
    assert modes_of["postgresql"] == 0o700

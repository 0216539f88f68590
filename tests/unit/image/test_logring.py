"""The last lines of the log are kept, so many bytes of them and no more, and only for who may read them."""

import json
import os
import stat
from pathlib import Path

import pytest

from image.logpump import Pump
from image.logring import NEWER, OLDER, Ring


def kept(folder: Path) -> list[str]:
    return [line for name in (OLDER, NEWER) if (folder / name).exists() for line in (folder / name).read_text().splitlines()]


def test_what_was_said_before_it_has_a_place_is_kept_too(tmp_path: Path) -> None:
    ring = Ring()
    ring.put("before")
    ring.keep_in(tmp_path / "kept", os.getgid())
    ring.put("after")
    assert kept(tmp_path / "kept") == ["before", "after"]
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o750
    assert stat.S_IMODE((tmp_path / "kept" / NEWER).stat().st_mode) == 0o640


def test_it_never_grows_beyond_its_two_files_and_keeps_the_last_lines_whole(tmp_path: Path) -> None:
    ring = Ring(half=1000)
    ring.keep_in(tmp_path / "kept", os.getgid())
    lines = [f"line {n:04}" for n in range(1050)]
    for line in lines:
        ring.put(line)
        assert sum(path.stat().st_size for path in (tmp_path / "kept").iterdir()) <= 2000
    found = kept(tmp_path / "kept")
    assert len(found) == 150
    assert found == lines[-len(found) :]


def test_where_nothing_can_be_kept_the_log_goes_on(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    ring = Ring()
    ring.put("before")
    ring.keep_in(tmp_path / "kept", os.getgid())
    ring.put("after")


@pytest.mark.parametrize("form", ["json", "text"])
def test_it_keeps_records_as_json_however_the_log_is_written(tmp_path: Path, form: str) -> None:
    reader, writer = os.pipe()
    pump = Pump(writer, level="info", form=form)
    pump.ring.keep_in(tmp_path / "kept", os.getgid())
    pump.say("ready", port=443)
    pump.say("not wanted", level="debug")
    pump.add_fifo(str(tmp_path / "nginx"), "nginx", finished=True)
    (tmp_path / "nginx").write_text('{"ts":"2026-03-01T12:00:00+00:00","level":"info","proc":"nginx","msg":"GET / 200"}\n')
    pump.close()
    os.close(writer)
    os.close(reader)
    records = [json.loads(line) for line in kept(tmp_path / "kept")]
    assert [(record["proc"], record["msg"]) for record in records] == [("launcher", "ready"), ("nginx", "GET / 200")]
    assert records[0]["port"] == 443

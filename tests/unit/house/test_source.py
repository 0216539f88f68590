import subprocess
from pathlib import Path

import pytest

from scripts.house.source import Source, read_all


@pytest.mark.parametrize(
    ("path", "text", "language"),
    [
        ("app/config.py", "", "python"),
        ("image/launcher", "#!/usr/bin/env python3\n", "python"),
        ("image/listener", "#!/opt/venv/bin/python3.13 -I\n", "python"),
        ("scripts/setup", "#!/usr/bin/env bash\n", "shell"),
        ("image/boot.d/10-check", "#!/bin/sh -e\n", "shell"),
        ("image/build/packages.sh", "", "shell"),
        ("demo/mail/Dockerfile", "FROM x\n", "docker"),
        ("README.md", "# Title\n#!/bin/sh\n", ""),
    ],
)
def test_it_tells_a_files_language(path: str, text: str, language: str) -> None:
    assert Source(path, text).language == language


def test_a_folder_is_not_a_name_that_begins_alike() -> None:
    assert Source("app/entry/loop.py", "").within("app/entry/")
    assert not Source("app/entry_points.py", "").within("app/entry/")
    assert not Source("app/config.pyi", "").within("app/config.py")


def test_it_reads_what_git_knows_or_would_take(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("ignored.py\n")
    (tmp_path / "ignored.py").write_text("")
    (tmp_path / "new.py").write_text("x = 1")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff")
    (tmp_path / "gone.py").write_text("")
    subprocess.run(["git", "add", "gone.py"], cwd=tmp_path, check=True)
    (tmp_path / "gone.py").unlink()
    assert [source.path for source in read_all(tmp_path)] == [".gitignore", "new.py"]

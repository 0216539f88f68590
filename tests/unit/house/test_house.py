import subprocess
from pathlib import Path

import pytest

from scripts.house import __main__ as house


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / "app").mkdir()
    monkeypatch.setattr(house, "ROOT", tmp_path)
    return tmp_path


def test_every_rule_opens_with_the_harm_it_prevents() -> None:
    assert all((rule.__doc__ or "").startswith("Harm: ") for rule in house.RULES.values())


def test_every_rule_has_tests_of_its_own() -> None:
    tested = {path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("test_*.py")}
    assert house.RULES.keys() <= tested


def test_a_broken_rule_is_told_by_place_and_name_and_fails(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "app" / "sla.py").write_text("\ns.commit()\n")
    assert house.main([]) == 1
    assert capsys.readouterr().out.startswith("app/sla.py:2 commit commit at the door only")


def test_a_clean_checkout_passes(checkout: Path) -> None:
    (checkout / "app" / "sla.py").write_text("s.flush()\n")
    assert house.main([]) == 0


def test_it_lists_the_files_of_one_language(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "app" / "sla.py").write_text("")
    (checkout / "start").write_text("#!/bin/sh\n")
    assert house.main(["--list", "shell"]) == 0
    assert house.main(["--list", "docker"]) == 0
    assert capsys.readouterr().out == "start\0"

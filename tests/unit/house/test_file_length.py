import pytest

from scripts.house.rules import file_length
from tests.unit.house.trial import lines_found

LONG = "x = 1\n" * 401


@pytest.mark.parametrize(
    "path",
    [
        "app/config.py",
        "scripts/house/clock.py",
        "tests/unit/test_x.py",
        "app/web/templates/a.html",
        "app/web/static/a.css",
    ],
)
def test_it_refuses_a_file_of_401_lines(path: str) -> None:
    assert lines_found(file_length, LONG, at=path) == [401]


def test_it_refuses_a_long_script_without_a_suffix() -> None:
    assert lines_found(file_length, "#!/usr/bin/env bash\n" + LONG, at="image/launcher") == [402]


def test_it_accepts_400_lines() -> None:
    assert lines_found(file_length, "x = 1\n" * 400) == []


@pytest.mark.parametrize("path", ["app/web/static/vendor/htmx.js", "tests/mail/letters/long.eml", "docs/asvs.csv"])
def test_it_accepts_long_files_that_nobody_here_reads_as_code(path: str) -> None:
    assert lines_found(file_length, LONG, at=path) == []

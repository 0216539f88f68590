"""A cluster is made where there never was one, and nowhere else; one of another major is not touched."""

import subprocess
from pathlib import Path

import pytest

from tests.unit.image.scripts import IMAGE

MAJOR = "17"


def check(data: Path, mark: str = "") -> tuple[int, str]:
    command = [str(IMAGE / "postgres"), "check", str(data / "postgres"), mark]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stderr


def cluster(folder: Path, major: str) -> None:
    """As initdb leaves one: every database in it has such a file as well."""
    for place in (folder, folder / "base" / "1", folder / "base" / "5"):
        place.mkdir(parents=True, exist_ok=True)
        (place / "PG_VERSION").write_text(f"{major}\n")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "postgres").mkdir()
    return tmp_path


def test_an_empty_folder_is_one_to_make_a_cluster_in_and_so_is_one_that_was_begun(data: Path) -> None:
    assert check(data) == (0, "")
    cluster(data / "postgres" / "unfinished", MAJOR)
    (data / "postgres" / "lost+found").mkdir()
    assert check(data) == (0, "")


@pytest.mark.parametrize("beside", [None, "16", "old/9.6"])
def test_our_own_cluster_is_taken_also_beside_what_was_left_of_an_earlier_one(data: Path, beside: str | None) -> None:
    cluster(data / "postgres" / MAJOR, MAJOR)
    if beside:
        cluster(data / "postgres" / beside, "16")
    assert check(data, "the mark") == (0, "")


@pytest.mark.parametrize(
    ("place", "major"),
    [("postgres", "16"), ("postgres/16", "16"), ("postgres/18/docker", "18"), ("postgres.old/16", "16"), ("postgresql", "15")],
)
def test_a_cluster_of_another_major_is_refused_with_65_wherever_it_lies(data: Path, place: str, major: str) -> None:
    cluster(data / place, major)
    code, words = check(data)
    assert code == 65
    assert f"{data / place} was made by PostgreSQL {major}, and this image has {MAJOR}. Nothing was touched." in words


def test_one_of_a_later_major_is_refused_also_beside_our_own_that_is_older(data: Path) -> None:
    cluster(data / "postgres" / MAJOR, MAJOR)
    cluster(data / "postgres" / "18", "18")
    code, words = check(data)
    assert (code, "was made by PostgreSQL 18" in words) == (65, True)


@pytest.mark.parametrize("place", ["postgres", "postgres.old/17", "postgres/17.bak"])
def test_one_of_ours_that_lies_elsewhere_is_not_buried_under_a_new_one(data: Path, place: str) -> None:
    cluster(data / place, MAJOR)
    code, words = check(data)
    assert (code, f"A database lies in {data / place}" in words) == (66, True)


def test_none_is_made_where_there_is_something_or_where_there_was_one(data: Path) -> None:
    code, words = check(data, "/data/secrets/.database_made")
    assert (code, "remove /data/secrets/.database_made" in words) == (66, True)
    (data / "postgres" / "what.is.this").touch()
    code, words = check(data)
    assert (code, "what.is.this" in words) == (66, True)

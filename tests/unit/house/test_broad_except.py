import pytest

from scripts.house.rules import broad_except
from tests.unit.house.trial import lines_found


def attempt(clause: str) -> str:
    return f"try:\n    parse(mail)\n{clause}:\n    pass"


@pytest.mark.parametrize(
    "clause",
    [
        "except",
        "except Exception",
        "except BaseException as error",
        "except (ValueError, Exception)",
        "except builtins.Exception",
        "except* Exception",
    ],
)
def test_it_refuses_to_catch_everything(clause: str) -> None:
    assert lines_found(broad_except, attempt(clause)) == [3]


@pytest.mark.parametrize("clause", ["except ValueError", "except (KeyError, errors.TransitionRefused) as refused"])
def test_it_accepts_errors_by_name(clause: str) -> None:
    assert lines_found(broad_except, attempt(clause)) == []


@pytest.mark.parametrize("path", ["app/entry/loop.py", "image/launcher.py"])
def test_it_accepts_a_loop_that_has_to_outlive_its_task(path: str) -> None:
    assert lines_found(broad_except, attempt("except Exception"), at=path) == []


def test_it_refuses_it_in_a_file_that_only_begins_like_the_entry() -> None:
    assert lines_found(broad_except, attempt("except Exception"), at="app/entry_points.py") == [3]

import pytest

from scripts.house.rules import local_import
from tests.unit.house.trial import lines_found


@pytest.mark.parametrize(
    "code",
    [
        "def close():\n    import json",
        "async def stream():\n    from app import sla",
        "class Desk:\n    def close(self):\n        import json",
        "def outer():\n    if late: import json",
    ],
)
def test_it_refuses_an_import_within_a_function(code: str) -> None:
    assert len(lines_found(local_import, code)) == 1


def test_it_names_an_import_in_a_nested_function_once() -> None:
    code = """
    def outer():
        def inner():
            import json
    """
    assert lines_found(local_import, code) == [3]


@pytest.mark.parametrize(
    "code", ["import json", "if TYPE_CHECKING:\n    import json", "class Desk:\n    import json", "def f(): pass"]
)
def test_it_accepts_an_import_that_runs_with_the_module(code: str) -> None:
    assert lines_found(local_import, code) == []

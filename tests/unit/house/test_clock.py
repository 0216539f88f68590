import pytest

from scripts.house.rules import clock
from tests.unit.house.trial import lines_found


@pytest.mark.parametrize(
    "code",
    [
        "import datetime\nat = datetime.datetime.now(datetime.UTC)",
        "import datetime as d\nat = d.date.today()",
        "from datetime import datetime\nat = datetime.now(UTC)",
        "from datetime import datetime as moment\nat = moment.utcnow()",
        "from datetime import date\nat = date.today()",
        "import time\nat = time.time()",
        "from time import time\nat = time()",
        "from datetime import datetime\ncolumn(default=datetime.now)",
    ],
)
def test_it_refuses_the_wall_clock_under_any_name(code: str) -> None:
    assert lines_found(clock, code) == [2]


@pytest.mark.parametrize(
    "code",
    [
        "import time\nbegan = time.monotonic()",
        "from datetime import datetime\nat = datetime.fromisoformat(text)",
        "from app.core import clock\nat = clock.now()",
        "def due(now): return now",
        "self.time.time()",
    ],
)
def test_it_accepts_lengths_and_moments_that_were_handed_in(code: str) -> None:
    assert lines_found(clock, code) == []


@pytest.mark.parametrize("path", ["app/core/clock.py", "tests/unit/core/test_clock.py"])
def test_it_accepts_the_wall_clock_in_the_clock_and_in_tests(path: str) -> None:
    assert lines_found(clock, "import time\nat = time.time()", at=path) == []

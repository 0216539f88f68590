import pytest

from scripts.house.rules import environment
from tests.unit.house.trial import lines_found


@pytest.mark.parametrize(
    "code",
    [
        "import os\nhost = os.environ['IMAP_HOST']",
        "import os\nhost = os.getenv('IMAP_HOST')",
        "from os import environ\nhost = environ.get('IMAP_HOST')",
        "from os import getenv as setting\nhost = setting('IMAP_HOST')",
        "import os as system\nhost = dict(system.environ)",
    ],
)
def test_it_refuses_a_setting_read_outside_the_settings(code: str) -> None:
    assert lines_found(environment, code) == [2]


@pytest.mark.parametrize("code", ["import os\nos.fsync(3)", "environ = {}\nenviron['a'] = 1", "settings.environ"])
def test_it_accepts_the_rest_of_os_and_names_that_only_look_alike(code: str) -> None:
    assert lines_found(environment, code) == []


@pytest.mark.parametrize("path", ["app/config.py", "image/launcher.py", "tests/unit/test_config.py"])
def test_it_accepts_the_environment_in_the_settings_and_outside_the_package(path: str) -> None:
    assert lines_found(environment, "import os\nos.environ", at=path) == []

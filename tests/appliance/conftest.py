"""Desks to test: one that all tests may look at, and new ones for tests that break things."""

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.appliance.canaries import Canaries
from tests.appliance.client import Client
from tests.appliance.driver import ADMIN, Appliance

IMAGES = ("atum-desk", "atum-desk-mail")
PUBLIC = "desk.example"
TALKATIVE = {
    "LOG_LEVEL": "debug", "ATUM_URL": f"https://{PUBLIC}",
    "LOGIN_RATE": "50r/s", "LOGIN_BURST": "100", "API_RATE": "100r/s", "API_BURST": "300",
}  # fmt: skip
ALICE, BOB = "alice@desk.example", "bob@desk.example"
Make = Callable[..., Appliance]

_running: list[Appliance] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these need Docker, and a boot may take its time."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.appliance)
            if not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(300))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """What the desks said goes beside a failure."""
    report = yield
    if report.failed:
        for desk in _running:
            report.sections.append((f"log of {desk.project}", "\n".join(desk.logs().splitlines()[-120:])))
    return report


@pytest.fixture(scope="session", autouse=True)
def images() -> None:
    """The images as the checkout has them; made by scripts/image, which scripts/test calls."""
    client = docker.from_env()
    for name in IMAGES:
        try:
            client.images.get(name)
        except docker.errors.ImageNotFound:
            pytest.exit(f"There is no image {name}. Run scripts/image first, or scripts/test, which does.", returncode=2)


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """One desk with its mail server, for tests that leave it as well as they found it."""
    yield from kept(Appliance(tmp_path_factory.mktemp("desk")), lambda one: one.up())


@pytest.fixture(scope="session")
def canaries() -> Canaries:
    """Secrets that were told to the desk that is attacked."""
    return Canaries()


@pytest.fixture(scope="session")
def attacked(tmp_path_factory: pytest.TempPathFactory, canaries: Canaries) -> Iterator[Appliance]:
    """A desk that says all it can say and lets one visitor ask much, whose first mailbox refuses its password."""
    secret = {"IMAP_PASSWORD": canaries("the mailbox's password"), "ADMIN_PASSWORD": canaries("the administrator's password")}
    yield from kept(Appliance(tmp_path_factory.mktemp("attacked"), settings=TALKATIVE | secret), lambda one: one.up())


@pytest.fixture(scope="session")
def boss(attacked: Appliance) -> Client:
    """Its administrator, signed in."""
    return attacked.signed_in(ADMIN, attacked.settings["ADMIN_PASSWORD"])


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """New desks: `make(settings=…, mail=…, more=…)`, not started yet, gone afterwards."""
    made: list[Appliance] = []

    def one(**options: Any) -> Appliance:
        made.append(Appliance(tmp_path, **options))
        _running.append(made[-1])
        return made[-1]

    yield one
    for each in made:
        each.down()
        _running.remove(each)


@pytest.fixture(scope="session")
def root(desk: Appliance) -> Client:
    """The administrator, signed in."""
    return desk.signed_in()


@pytest.fixture(scope="session")
def alice(desk: Appliance) -> Client:
    """An agent, signed in."""
    return desk.add(ALICE, "agent")


@pytest.fixture(scope="session")
def bob(desk: Appliance) -> Client:
    """A manager, signed in."""
    return desk.add(BOB, "manager")


def kept(one: Appliance, begin: Callable[[Appliance], object]) -> Iterator[Appliance]:
    """A desk for several tests: begun, told of beside a failure, gone afterwards."""
    _running.append(one)
    try:
        begin(one)
        yield one
    finally:
        one.down()
        _running.remove(one)

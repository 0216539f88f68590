"""What every answer carries, whoever gives it."""

import docker
import pytest

from app import __version__
from tests.appliance.driver import Appliance

WANTED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@pytest.mark.parametrize(
    "path", ["/", "/sign-in", "/nowhere", "/static/desk.css", "/static/nothing", "/api/v1/tickets", "/api/v1/health"]
)
def test_every_answer_has_the_headers_that_protect_it(desk: Appliance, path: str) -> None:
    with desk.client() as client:
        headers = client.http.get(path).headers
    assert {name: headers.get(name) for name in WANTED} == WANTED
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    assert "permissions-policy" in headers
    assert headers["server"] == "nginx"
    for name, values in headers.items():
        assert name == "set-cookie" or len(headers.get_list(name)) == 1, (name, values)


def test_the_image_says_what_it_is() -> None:
    labels = docker.from_env().images.get("atum-desk").labels
    told = {name.removeprefix("org.opencontainers.image."): value for name, value in labels.items()}
    assert told["title"] == "ATUM Desk"
    assert told["version"] == __version__
    assert told["licenses"] == "Apache-2.0"
    assert all(told.values()), told

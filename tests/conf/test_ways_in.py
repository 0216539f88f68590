"""Every way in that is open to strangers has nginx' limit on tries, however its path is written."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest

from app import config
from app.web import describe
from app.web.app import create
from app.web.origin import SAFE
from tests.conf.conftest import Render
from tests.conf.nginx import Directive, read
from tests.conf.test_nginx import desk, limits, locations


def normal(path: str) -> str:
    """A path as nginx reads it before it looks for a location: decoded, slashes merged, dots resolved."""
    parts: list[str] = []
    path = unquote(path)
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in {"", "."}:
            parts.append(part)
    return "/" + "/".join(parts) + ("/" if path.endswith("/") and parts else "")


def place(found: dict[str, Directive], path: str) -> Directive:
    """The location that nginx takes: an exact one, else the longest prefix."""
    if exact := found.get(f"= {path}"):
        return exact
    names = [name for name in found if name.removeprefix("^~ ").startswith("/") and path.startswith(name.removeprefix("^~ "))]
    return found[max(names, key=len)]


def ways_in(tmp_path: Path) -> list[str]:
    """The paths of all routes that strangers may send something to."""
    settings = config.load({"DATA_DIR": str(tmp_path), "RUN_DIR": str(tmp_path)}, secrets=tmp_path / "none")
    wired: Any = SimpleNamespace(settings=settings)
    routes = describe.routes(create(wired))
    return [
        r.path_format.replace("{token}", "x") for r in routes if not describe.rules_of(r) and not set(r.methods or ()) <= SAFE
    ]


def limited(location: Directive) -> bool:
    return any("atum_login_limit" in each for each in limits(location))


def test_every_way_in_is_limited(rendered: Render, tmp_path: Path) -> None:
    found = locations(desk(read(rendered())))
    open_to_all = ways_in(tmp_path)
    assert {"/sign-in", "/forgot", "/reset/x", "/api/v1/auth/login", "/api/v1/auth/refresh"} <= set(open_to_all)
    assert [path for path in open_to_all if not limited(place(found, path))] == []


@pytest.mark.parametrize(
    "way",
    ["/{0}", "{0}", "{0}/", "/./{0}", "/x/..{0}", "{1}", "{2}", "/api/..{0}"],
    ids=lambda way: str(way).strip("{}") or "way",
)
def test_no_other_way_to_write_it_goes_round_the_limit(rendered: Render, tmp_path: Path, way: str) -> None:
    found = locations(desk(read(rendered())))
    for path in ways_in(tmp_path):
        encoded, whole = path.replace("i", "%69").replace("o", "%6F"), path.replace("/", "%2F").replace("%2F", "/", 1)
        written = way.format(path, encoded, whole)
        assert limited(place(found, normal(written))), written

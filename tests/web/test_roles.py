"""The matrix of roles: every route, tried by everybody, against the table in roles.csv.

A cell is 2xx, 3xx, `sign-in` for who is sent there, or the status of the refusal. After a change of routes or rights
`pytest tests/web/test_roles.py --write-roles` writes the table anew; read its difference before you keep it.
"""

import csv
import difflib
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from httpx2 import Response

from app.web import describe
from tests.web.conftest import Web
from tests.web.trial import opened

pytestmark = pytest.mark.db
TABLE = Path(__file__).with_name("roles.csv")
WHO = (
    "nobody", "customer", "colleague", "customer_admin", "mallory", "other_team", "reader", "agent", "lead", "manager", "admin",
)  # fmt: skip
Table = dict[tuple[str, str], list[str]]


def known() -> Table:
    with TABLE.open(newline="") as lines:
        return {(row["method"], row["path"]): [row[who] for who in WHO] for row in csv.DictReader(lines)}


def written(table: Table) -> str:
    lines = [",".join(["method", "path", *WHO])]
    lines += [",".join([method, path, *cells]) for (method, path), cells in table.items()]
    return "\n".join(lines) + "\n"


def every(web: Web) -> Iterator[tuple[str, APIRoute]]:
    for route in describe.routes(web.app):
        for method in sorted(route.methods or ()):
            yield method, route


def cell(answer: Response) -> str:
    if answer.status_code == 303:
        return "sign-in" if answer.headers["location"].startswith("/sign-in") else "3xx"
    return "2xx" if answer.is_success else str(answer.status_code)


def test_every_route_has_a_line_in_the_table_and_every_line_a_route(web: Web, pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("--write-roles"):
        pytest.skip("the table is being written")
    assert set(known()) == {(method, route.path_format) for method, route in every(web)}


def test_everybody_may_what_the_table_says_and_nothing_else(
    web: Web, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(web, monkeypatch) as trial:
        found = {(method, route.path_format): [cell(trial(method, route, who)) for who in WHO] for method, route in every(web)}
    if pytestconfig.getoption("--write-roles"):
        TABLE.write_text(written(found))
    told, here = (sorted(written(table).splitlines()) for table in (known(), found))
    wrong = [*difflib.unified_diff(told, here, "roles.csv", "found", n=0)]
    assert not wrong, "\n".join(wrong)


def test_nobody_is_told_that_something_broke(web: Web) -> None:
    assert not [line for line, cells in known().items() if set(cells) & {"500", "502"}]


def test_a_line_shows_who_may_not_only_who_may_not() -> None:
    """A refusal proves nothing where nobody gets through; the first set-up is over for ever once there is an administrator."""
    closed = {line for line, cells in known().items() if not {"2xx", "3xx"} & set(cells)}
    assert closed == {("GET", "/setup/{token}"), ("POST", "/setup/{token}")}


def test_what_is_open_to_strangers_is_what_lets_people_in(web: Web) -> None:
    ours = {route.path_format for _, route in every(web) if not describe.rules_of(route)}
    assert {path for (_, path), cells in known().items() if cells[0] == "2xx"} <= ours


def test_of_what_belongs_to_another_organization_nobody_learns_that_it_exists(web: Web) -> None:
    ticket = [(line, cells) for line, cells in known().items() if "{number}" in line[1]]
    assert ticket
    for line, cells in ticket:
        assert cells[WHO.index("mallory")] in {"404", "403"}, line
        assert cells[WHO.index("mallory")] == cells[WHO.index("colleague")], line
        assert cells[WHO.index("other_team")] == "404", line

"""SQL, patterns and paths where words belong: nothing typed is ever part of a statement, and nothing breaks or waits."""

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.routing import APIRoute

from app.web import describe
from app.web.origin import SAFE
from tests.web.attacks.attackers import put
from tests.web.attacks.places import grouped
from tests.web.browser import SAME_ORIGIN
from tests.web.conftest import Web
from tests.web.furniture import headers
from tests.web.trial import Trial, opened, page, plain

pytestmark = pytest.mark.db
MARK = "zq7"  # stands in every probe, and in no statement of ours
PROBES = (  # for SQL, our own placeholders, to_tsquery, paths in JSON and arrays; and for quotation marks and LIKE
    f'{MARK}\'; SELECT pg_sleep(5); -- :v0 %(v)s %s {{where}} {{staff}} & ! | <-> :* ( $.a ? (@ > 1) {{{{7*7}}}} {{"a": [',
    f"\\\"{MARK}') OR (SELECT 1 FROM pg_sleep(5)) IS NOT NULL OR ('1'='1%{MARK}_%\\",
    f"{MARK} tag:{MARK} field.{MARK}:{MARK} field.{MARK}>1 {MARK}*",  # and what the language of searches lets through
)
SHAPES: tuple[Any, ...] = ([[1]], {"$ne": MARK}, "{1,2}", 2**63, 10**400, float("nan"), None)
PATIENCE = 4.0  # seconds, where a probe asks for five


@pytest.fixture
def trial(web: Web, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trial]:
    with opened(web, monkeypatch) as made:
        yield made


def test_what_is_typed_is_no_sql_in_any_parameter_field_or_place(trial: Trial, statements: list[str]) -> None:
    tried, seen, wrong = 0, 0, list[str]()
    for method, route in calls(trial):
        for name, request in every_probe(trial, method, route):
            statements.clear()
            wrong += [f"{name}: {each}" for each in harms(trial, request, statements)]
            tried, seen = tried + 1, seen + len(statements)
    assert not wrong, "\n".join(wrong)
    assert tried > 600
    assert seen > 2 * tried  # the statements were looked at


def test_what_is_none_of_the_shapes_is_refused_in_words(trial: Trial) -> None:
    tried, wrong = 0, list[str]()
    for method, route in calls(trial):
        for name, body in bodies(trial, method, plain(route), SHAPES):
            content = json.dumps(body)
            wrong += [f"{name}: {each}" for each in harms(trial, asked(trial, method, route) | as_json(content), [])]
            tried += 1
    assert not wrong, "\n".join(wrong)
    assert tried > 400


def test_a_wildcard_is_a_letter_like_others(trial: Trial) -> None:
    found = dict[str, int]()
    for method, route in calls(trial):
        for each in parameters(trial, method, route):
            path = plain(route)
            if each["name"] not in {"q", "prefix"} or path.endswith(("/tickets", ".csv", "/search", "/suggestions")):
                continue  # what has a language of its own has its own *, and tests of it
            url = trial.found.path(method, path)
            for letter in ("%", "_", "\\", "%%%", "_____"):
                answer = send(
                    trial, {"method": "GET", "url": f"{url}?{each['name']}={quote(letter)}", "headers": known(trial, path)}
                )
                assert (answer.status_code, answer.json()["items"]) == (200, []), (path, letter)
            found[path] = len(send(trial, {"method": "GET", "url": url, "headers": known(trial, path)}).json()["items"])
    assert len(found) >= 5
    assert all(found.values()), found


def calls(trial: Trial) -> Iterator[tuple[str, APIRoute]]:
    """Every call."""
    for route in describe.routes(trial.app):
        yield from ((method, route) for method in sorted(route.methods or ()))


def every_probe(trial: Trial, method: str, route: APIRoute) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every request with a probe somewhere: in the path, after it, as a name of a parameter, in a form, in a body."""
    path = plain(route)
    base = asked(trial, method, route)
    url = base["url"].partition("?")[0]
    for probe in PROBES:
        for place, part in enumerate(path.split("/")):
            if part.startswith("{"):
                parts = [*url.split("/")[:place], quote(probe, safe=""), *url.split("/")[place + 1 :]]
                yield f"{method} {path} {part}={probe}", base | {"url": "/".join(parts)}
        for name in [each["name"] for each in parameters(trial, method, route)]:
            yield f"{method} {path} ?{name}={probe}", base | {"url": f"{url}?{name}={quote(probe)}"}
        if probe is PROBES[0]:  # as a parameter's name
            yield f"{method} {path} ?{probe}", base | {"url": f"{url}?sort{quote(probe)}=1&order={quote(probe)}"}
        for name in base.get("data", {}):
            if name != "csrf":
                yield f"{method} {path} form {name}={probe}", base | {"data": base["data"] | {name: probe}}
    for name, body in bodies(trial, method, path, PROBES, typed=("string",)):
        yield f"{method} {path} {name}", base | as_json(json.dumps(body))


def bodies(
    trial: Trial, method: str, path: str, values: tuple[Any, ...], typed: tuple[str, ...] = ()
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every body with one of these values at one place: where texts stand, or everywhere."""
    told = trial.document["paths"].get(path, {}).get(method.lower(), {}).get("requestBody", {}).get("content", {})
    if "application/json" not in told:
        return
    for name, schemas in grouped(trial.document, told["application/json"]["schema"]).items():
        free = any(each.get("type") in {None, "object"} for each in schemas)
        if typed and not free and not any(each.get("type") in typed for each in schemas):
            continue
        for value in values:
            for inside in ({str(value): value}, {"id": value}) if free and typed else (value,):
                _, body = trial.body(method, path)
                put(body, name, inside)
                yield f"{method} {path} {name}={str(inside)[:60]}", body


def parameters(trial: Trial, method: str, route: APIRoute) -> list[dict[str, Any]]:
    """What may stand after a path."""
    path = plain(route)
    if path in trial.document["paths"]:
        told = trial.document["paths"][path][method.lower()].get("parameters", ())
        return [each for each in told if each["in"] == "query"]
    return [{"name": each.name} for each in route.dependant.query_params]


def asked(trial: Trial, method: str, route: APIRoute) -> dict[str, Any]:
    """The request as it is documented."""
    path = plain(route)
    given = {} if method in SAFE else trial.brought(method, path, "admin")
    return {"method": method, "url": trial.url(method, path), "headers": known(trial, path), **given}


def known(trial: Trial, path: str) -> dict[str, str]:
    return headers(trial.found, "admin", page=page(path)) | (SAME_ORIGIN if page(path) else {})


def as_json(content: str) -> dict[str, Any]:
    return {"json": None, "content": content}


def send(trial: Trial, request: dict[str, Any]) -> Any:
    if request.get("content") is not None:
        request = request | {"headers": request["headers"] | {"Content-Type": "application/json"}}
    with trial.db.again():
        return trial.send(**{name: each for name, each in request.items() if each is not None})


def harms(trial: Trial, request: dict[str, Any], statements: list[str]) -> Iterator[str]:
    """Everything that must not be."""
    began = time.monotonic()
    answer = send(trial, request)
    if answer.status_code >= 500:
        yield f"{answer.status_code}"
    if time.monotonic() - began > PATIENCE:
        yield f"took {time.monotonic() - began:.1f} s"
    yield from (f"in a statement: {each[:200]}" for each in statements if MARK in each or "pg_sleep" in each)

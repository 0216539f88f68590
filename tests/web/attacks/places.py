"""Every place of a request that can name a thing: in the path, after it, in a form, and however deep in a body.

A place that can name something and isn't told of here is `UNKNOWN`, which a test refuses with the place's name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from fastapi.routing import APIRoute

from app.web import manual
from app.web.origin import SAFE
from tests.web.trial import page, plain

UNKNOWN, HARMLESS = "unknown", "harmless"
Json = dict[str, Any]

# What each name in a path, a query or a body stands for; `{id}` is what the word before it in the path says.
KINDS = {
    **dict.fromkeys(("number", "other", "ticket", "tickets[]", "into", "to"), "tickets"),
    **dict.fromkeys(("person_id", "assignee_id", "actor_id", "assignee"), "people"),
    **dict.fromkeys(("email", "address", "requester"), "addresses"),
    **dict.fromkeys(("tag", "prefix", "add_tags[]", "remove_tags[]", "tags[]"), "tags"),
    "organization_id": "organizations", "team_id": "teams", "domain": "domains", "token": "links", "refresh_token": "links",
    "half": "links", "q": "words", "query": "words", "cursor": "cursors", "fields": "fields", "credential": "credentials",
    **dict.fromkeys(("body", "text", "note", "reply", "subject"), "mentions"),
}  # fmt: skip
HARMLESS_NAMES = {  # how much and in which order, plain words, one's own secrets, and durations
    "limit", "sort", "zone", "expand", "area", "period", "position", "days", "snooze_minutes", "targets", "shortcut",
    "key", "label", "title", "name", "description", "notes", "reason", "choices[]", "username", "password", "old",
    "new", "again", "otp", "grant_type", "next", "then", "accept", "kind", "files", "files[]", "csrf", "status", "send_at",
    "put_in_copy", "part",
    "host", "port", "folder", "processed_folder", "client_id", "client_secret", "tenant", "trusts[]", "mailbox_id",  # managers
    "forwarders[]", "fingerprint",
    # of policies, calendars and webhooks, which managers make who see everything
    "match", "reopen_window", "threshold", "recipients[]", "calendar_id", "repeat_minutes", "most", "order[]", "id", "url",
    "week[][][]", "hours[][]", "date", "every", "country", "years", "subdivision", "language",
}  # fmt: skip
HARMLESS_PATHS = ("relation", "role", "area")


@dataclass(frozen=True)
class Place:
    """One place: `where` it is, its name with what it is part of, and the kind of thing that it names."""

    where: Literal["path", "query", "body", "form"]
    name: str
    kind: str

    @property
    def last(self) -> str:
        return self.name.rpartition(".")[2]


def places(document: Json, method: str, route: APIRoute) -> Iterator[Place]:
    """Every place of a call that names something."""
    return (each for each in every(document, method, route) if each.kind != HARMLESS)


def every(document: Json, method: str, route: APIRoute) -> Iterator[Place]:
    """Every place of a call, those that name nothing too."""
    path = plain(route)
    parts = path.split("/")
    for before, part in pairwise(parts):
        if part.startswith("{"):
            yield Place("path", part.strip("{}"), _of_path(part.strip("{}"), before, parts))
    if page(path) or path not in document["paths"]:
        yield from _of_a_page(route, method)
        return
    operation = document["paths"][path][method.lower()]
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query":
            schema = manual.resolved(document, parameter.get("schema", {}))
            yield Place("query", parameter["name"], _kind(parameter["name"], [*leaves(document, schema)]))
    for told in operation.get("requestBody", {}).get("content", {}).values():
        for name, schemas in grouped(document, told["schema"]).items():
            yield Place("body", name, _kind(name.rpartition(".")[2], [("", each) for each in schemas]))


def grouped(document: Json, schema: Json) -> dict[str, list[Json]]:
    """The leaves of a body by their names: `change.add_tags[]`."""
    found: dict[str, list[Json]] = {}
    for name, leaf in leaves(document, schema):
        found.setdefault(name, []).append(leaf)
    return found


def leaves(document: Json, schema: Json, name: str = "") -> Iterator[tuple[str, Json]]:
    """Whatever a value can be that is not made of others; null is nothing."""
    schema = manual.resolved(document, schema)
    if several := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        for each in several:
            yield from leaves(document, each, name)
    elif schema.get("properties"):
        for key, each in schema["properties"].items():
            yield from leaves(document, each, f"{name}.{key}".lstrip("."))
    elif schema.get("type") == "array":
        yield from leaves(document, schema.get("items", {}), f"{name}[]")
    elif schema.get("type") != "null":
        yield name, schema


def _of_path(name: str, before: str, parts: list[str]) -> str:
    if name in HARMLESS_PATHS:
        return HARMLESS
    if name == "name":
        return before
    return (
        {"setup": HARMLESS}.get(before, KINDS.get(name, HARMLESS if name in HARMLESS_NAMES else UNKNOWN))
        if name != "id"
        else before
    )


def _kind(name: str, found: list[tuple[str, Json]]) -> str:
    if name in KINDS:
        return KINDS[name]
    plain_values = all(_says_itself(schema) for _, schema in found)
    return HARMLESS if plain_values or name in HARMLESS_NAMES else UNKNOWN


def _says_itself(schema: Json) -> bool:
    """Whether its values are words of ours, a box to tick, or a time."""
    listed = "enum" in schema or "const" in schema or schema.get("type") == "boolean"
    return listed or schema.get("format") in {"date", "date-time"}


def _of_a_page(route: APIRoute, method: str) -> Iterator[Place]:
    asked = [("query", each) for each in route.dependant.query_params]
    asked += [("form", each) for each in route.dependant.body_params] if method not in SAFE else []
    for where, each in asked:
        listed = each.field_info.annotation is not str and not str(each.field_info.annotation).startswith("str |")
        known = HARMLESS if listed or each.name in HARMLESS_NAMES else UNKNOWN
        yield Place("query" if where == "query" else "form", each.name, KINDS.get(each.name, known))

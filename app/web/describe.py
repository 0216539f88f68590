"""The OpenAPI document: what the routes say of themselves, with what holds for all of them."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from app import __version__
from app.accounts.rules import Role, Scope
from app.web.door import COOKIE
from app.web.origin import SAFE
from app.web.shapes import ProblemDocument, answers

Json = dict[str, Any]

ABOUT = """
Everything the pages do can be done here. Send `Authorization: Bearer …` with the access token of a session
(`POST /api/v1/auth/login`) or with an API token (`POST /api/v1/tokens`).

A refusal is a problem document (RFC 9457) whose `type` is stable; /api/docs/problems lists them all. Fields that are not known
are refused. What is not yours to see does not exist: it is 404, never 403.

Lists answer `items` and `next`, a cursor that is null at the end; give it back as `cursor`. Times are ISO 8601 with their zone.
Words that tell times, and days that are asked for without a zone, go by your own (`PATCH /api/v1/auth/me`), or else the desk's.

Send `Idempotency-Key` with a request that must not act twice: the same request with the same key is answered as before, for a
day. What has a revision answers it as `ETag`; send it back as `If-Match`, and a change that would overwrite somebody's is
refused (412).

How much a program may ask is said in `RateLimit-Policy`; 429 says in `Retry-After` when to come back.
""".strip()

AREAS = {
    "tickets": "Tickets, what is said on them, and what is done to them.",
    "people": "People, their organizations and teams.",
    "desk": "What the desk is set up with: service levels, replies, macros, views, tags, fields.",
    "reports": "How it goes, in figures.",
    "audit": "Everything that ever happened.",
    "metrics": "Figures for Prometheus.",
    "account": "Signing in, and what belongs to one's own account.",
    "health": "Whether the desk is well.",
    "api": "This description.",
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A key of your own for this one thing: sent again, it acts once and is answered the same.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}
_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag you read; when it is no longer that, nothing is done and the answer is 412.",
    "schema": {"type": "string", "pattern": r'^(\*|"[0-9]{1,18}")$'},
}
_HEADERS: Json = {
    "ETag": {"description": "The revision, for If-Match.", "schema": {"type": "string"}},
    "RateLimit-Policy": {
        "description": 'How much may be asked, like "api";q=10;w=1: ten requests a second.',
        "schema": {"type": "string"},
    },
    "Retry-After": {"description": "Seconds until it is worth trying again.", "schema": {"type": "integer"}},
    "WWW-Authenticate": {"description": "Bearer", "schema": {"type": "string"}},
}
_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A session's access token, or an API token."},
    "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "A browser that is signed in."},
}
_ROLES = {
    Role.CUSTOMER: "Everybody who is signed in may.",
    Role.CUSTOMER_ADMIN: "Customer admins and the staff may.",
    Role.AGENT: "Agents and above may.",
    Role.MANAGER: "Managers and administrators may.",
    Role.ADMIN: "Administrators may.",
}
_FROM = {int: {"format": "int64"}}


def document(app: FastAPI) -> Json:
    """The whole document, made once for each application."""
    made: Json | None = getattr(app.state, "described", None)
    if made is None:
        made = app.state.described = _made(app)
    return made


def routes(app: FastAPI) -> Iterator[APIRoute]:
    """Every route there is, in order."""
    waiting: list[Any] = list(app.router.routes)
    while waiting:
        route = waiting.pop(0)
        waiting = list(getattr(getattr(route, "original_router", None), "routes", [])) + waiting
        if isinstance(route, APIRoute):
            yield route


def rules_of(route: APIRoute) -> set[str]:
    """Who may pass, by the route's own word; nobody is asked anything where it is empty."""
    return set(getattr(route, "rules", ())) - {"anybody"}


def _made(app: FastAPI) -> Json:
    told = get_openapi(
        title=app.title,
        version=__version__,
        description=ABOUT,
        routes=app.routes,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        servers=[{"url": app.state.desk.settings.atum_url}],
    )
    for route in routes(app):
        for method in route.methods or ():
            operation = told["paths"].get(route.path_format, {}).get(method.lower())
            if operation is not None:
                _finish(operation, route, method)
    used = {tag for path in told["paths"].values() for operation in path.values() for tag in operation.get("tags", ())}
    told["tags"] = [{"name": name, "description": words} for name, words in AREAS.items() if name in used]
    told["security"] = [{name: []} for name in _SECURITY]
    _add_components(told)
    return told


def _add_components(told: Json) -> None:
    components = told.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["ProblemDocument"] = ProblemDocument.model_json_schema()
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components["schemas"] = dict(sorted(schemas.items()))
    components["securitySchemes"] = deepcopy(_SECURITY)
    components["headers"] = deepcopy(_HEADERS)


def _finish(operation: Json, route: APIRoute, method: str) -> None:
    open_to_all, changes = not rules_of(route), method not in SAFE
    _say(operation, route, method)
    parameters = operation.setdefault("parameters", [])
    for each in parameters:
        _narrow(each)
    if open_to_all:
        operation["security"] = []
    elif changes:
        parameters.append(deepcopy(_KEY))
    if changes and "412" in operation["responses"]:
        parameters.append(deepcopy(_MATCH))
    if not parameters:
        del operation["parameters"]
    _answer(operation, changes=changes)


def _say(operation: Json, route: APIRoute, method: str) -> None:
    first, _, rest = (operation.get("description") or route.name).partition("\n")
    operation["summary"] = first.strip().rstrip(".")
    said = [rest.strip(), _who(route), _scope(route, method)]
    operation["description"] = "\n\n".join(each for each in said if each)


def _who(route: APIRoute) -> str:
    rules = rules_of(route)
    if not rules:
        return "No sign-in is needed."
    roles = [role for role in Role if role.value in rules]
    said = [_ROLES[roles[-1]]] if roles else []
    return " ".join(said + [f"You must be allowed to {verb}." for verb in sorted(rules - set(Role))])


def _scope(route: APIRoute, method: str) -> str:
    scope = f"{getattr(route, 'area', None)}:{'read' if method in SAFE else 'write'}"
    if not rules_of(route):
        return ""
    return f"An API token needs the scope `{scope}`." if scope in set(Scope) else "API tokens can't do this."


def _narrow(parameter: Json) -> None:
    """A row's number has a least and a most, which the converters and the database agree on."""
    schema = parameter.get("schema", {})
    if parameter["in"] == "path" and schema.get("type") == "integer":
        schema.update(_FROM[int])


def _answer(operation: Json, *, changes: bool) -> None:
    told = operation["responses"]
    if "HTTPValidationError" in str(told.get("422")):
        del told["422"]
    refusals = [413] if changes else []
    if "requestBody" in operation:
        refusals.append(400)  # a body that is not what its type says
    for status, answer in answers(None, *refusals).items():
        if status != 200:
            told.setdefault(str(status), answer)
    for status, answer in told.items():
        content = answer.get("content", {})
        if len(content) > 1 and not content.get("application/json", {}).get("schema"):
            content.pop("application/json", None)  # what the framework takes for granted
        if "text/event-stream" in content:
            content["text/event-stream"] = {}  # events, of which each is JSON: 3.1 has no word for that
        names = ["RateLimit-Policy"]
        names += ["ETag"] if "412" in told and status[0] == "2" and status != "204" else []
        names += ["Retry-After"] if status in {"429", "503"} else []
        names += ["WWW-Authenticate"] if status == "401" else []
        answer.setdefault("headers", {}).update({name: {"$ref": f"#/components/headers/{name}"} for name in names})
    operation["responses"] = dict(sorted(told.items()))

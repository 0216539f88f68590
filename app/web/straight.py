"""The short way to a route that takes nothing but its URL and perhaps a JSON body: a value for each parameter, and in.

FastAPI looks at every parameter's type anew for each request, which costs a list of tickets as much as a query does. Here that is
done once. Whatever is not as it should be goes FastAPI's own way and gets its answer there.
"""

import inspect
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from fastapi import Request, Response
from fastapi.params import Form
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic_core import from_json
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Check = Callable[..., tuple[Any, list[Any]]]


class NotSo(Exception):
    """Something is missing, or not what it should be."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of the URL. `many` takes every value of its name."""

    name: str
    alias: str
    check: Check
    required: bool
    many: bool
    default: Callable[[], Any]

    def of(self, given: QueryParams | dict[str, Any]) -> Any:
        """Its value in what was given. Raises NotSo."""
        found = given.getlist(self.alias) if self.many and isinstance(given, QueryParams) else given.get(self.alias)
        if found is None or (self.many and not found):
            if self.required:
                raise NotSo
            return self.default()
        return _checked(self.check, found)


def handler(route: APIRoute, ordinary: Handler) -> Handler:
    """How a route is called: straight, or where it takes something else or makes no response itself, as ever."""
    if not _is_plain(route):
        return ordinary
    takes, endpoint = route.dependant, route.endpoint
    path, query, body = _parameters(takes.path_params), _parameters(takes.query_params), route.body_field
    request_name = takes.request_param_name

    async def straight(request: Request) -> Response:
        try:
            values = {each.name: each.of(request.path_params) for each in path}
            if query:
                given = request.query_params
                values |= {each.name: each.of(given) for each in query}
            if body:
                values[body.name] = _checked(body.validate, await _json(request))
        except NotSo:
            return await ordinary(request)
        if request_name:
            values[request_name] = request
        answer: Response = await endpoint(**values)
        return answer

    return straight


def _is_plain(route: APIRoute) -> bool:
    takes = route.dependant
    others = (takes.header_params, takes.cookie_params, takes.dependencies, takes.background_tasks_param_name)
    shaped = any(_is(BaseModel, field.field_info.annotation) for field in takes.query_params)
    if any(others) or takes.response_param_name or shaped:
        return False
    form = route.body_field is not None and isinstance(route.body_field.field_info, Form)
    embedded = [field.name for field in takes.body_params] != ([route.body_field.name] if route.body_field else [])
    return not form and not embedded and _is(Response, inspect.signature(route.endpoint, eval_str=True).return_annotation)


def _parameters(fields: Sequence[Any]) -> list[Parameter]:
    return [
        Parameter(
            name=field.name,
            alias=field.alias,
            check=field.validate,
            required=field.field_info.is_required(),
            many=any(get_origin(kind) is list for kind in (field.field_info.annotation, *get_args(field.field_info.annotation))),
            default=field.get_default,
        )
        for field in fields
    ]


async def _json(request: Request) -> Any:
    """What the body says; it stays with the request for whoever reads it again. Raises NotSo."""
    if request.headers.get("content-type") != "application/json":
        raise NotSo
    try:
        said = from_json(await request.body())
    except (ValueError, ClientDisconnect):
        raise NotSo from None
    if said is None:
        raise NotSo
    return said


def _checked(check: Check, given: Any) -> Any:
    value, wrong = check(given, {}, loc=())
    if wrong:
        raise NotSo
    return value


def _is(kind: type, annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, kind)

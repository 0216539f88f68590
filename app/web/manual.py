"""What the documentation pages show of the OpenAPI document: calls that can be copied, and answers that can be expected."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from app.core.errors import DeskError

Json = dict[str, Any]
_DEEP = 6  # levels of an example
_PLAIN = {"string": "…", "integer": 1, "number": 1.5, "boolean": False, "null": None}
_FORMATS = {"date-time": "2026-11-24T09:00:00Z", "date": "2026-11-24", "binary": "…"}


@dataclass(frozen=True)
class Call:
    """One operation, as a page shows it."""

    name: str
    method: str
    path: str
    area: str
    summary: str
    description: str
    parameters: list[Json]
    curl: str
    answers: list[tuple[str, str, str]]  # status, words, example


@dataclass(frozen=True)
class Kind:
    """One type of problem."""

    slug: str
    status: int
    meaning: str


def calls(document: Json) -> list[Call]:
    """Every operation."""
    return [
        _call(document, path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def problems() -> list[Kind]:
    """Every type of problem that the desk answers with, by slug."""
    return sorted({kind.slug: kind for kind in reversed(refusals())}.values(), key=lambda kind: kind.slug)


def refusals() -> list[Kind]:
    """The same, in the order in which they are told."""
    ours = [Kind(each.slug, each.status, _first_line(each)) for each in _refusals(DeskError) if each is not DeskError]
    return [*ours, *BY_THE_FRAMEWORK]


BY_THE_FRAMEWORK = (
    Kind("broken", 500, "Something broke on our side. It was logged, and nothing was changed."),
    Kind("malformed", 400, "The request is not what its Content-Type says."),
    Kind("method-not-allowed", 405, "This address does not answer to that method; Allow says to which it does."),
    Kind("too-large", 413, "The request is larger than the desk takes."),
)


def curl(document: Json, path: str, method: str, operation: Json) -> str:
    """A call that works as it stands, once $TOKEN and what stands in the path are set."""
    url = document["servers"][0]["url"] + path
    for each in operation.get("parameters", ()):
        if each["in"] == "path":
            url = url.replace(f"{{{each['name']}}}", f"${each['name'].upper()}")
    lines = ["curl" + ("" if method == "get" else f" -X {method.upper()}") + f' "{url}{query(document, operation)}"']
    if "text/event-stream" in str(operation["responses"].get("200")):
        lines[0] = lines[0].replace("curl", "curl -N", 1)
    if operation.get("security") != []:
        lines.append('-H "Authorization: Bearer $TOKEN"')
    return " \\\n  ".join([*lines, *_body(document, operation)])


def query(document: Json, operation: Json) -> str:
    """What stands after the path: whatever must, and what has an example."""
    worth = [each for each in operation.get("parameters", ()) if _worth_asking(each)]
    asked = [f"{each['name']}={value}" for each in worth for value in _query(document, each)]
    return ("?" if asked else "") + "&".join(asked)


def sample(document: Json, schema: Json, deep: int = 0) -> Any:
    """Something that fits the schema: its example, or the plainest there is."""
    schema = resolved(document, schema)
    if schema.get("examples"):
        return schema["examples"][0]
    for key in ("default", "const", "example"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    for several in ("anyOf", "oneOf", "allOf"):
        if schema.get(several):
            return sample(document, schema[several][0], deep)
    if schema.get("type") == "array":
        return [sample(document, schema.get("items", {}), deep + 1)] if deep < _DEEP else []
    if schema.get("type") == "object":
        properties = schema.get("properties", {}) if deep < _DEEP else {}
        return {name: sample(document, each, deep + 1) for name, each in properties.items()}
    return _FORMATS.get(schema.get("format", ""), _PLAIN.get(schema.get("type", "")))


def _call(document: Json, path: str, method: str, operation: Json) -> Call:
    return Call(
        name=f"{method}{path.removeprefix('/api/v1').replace('/', '-').replace('{', '').replace('}', '')}",
        method=method.upper(),
        path=path,
        area=operation["tags"][0],
        summary=operation["summary"],
        description=operation["description"],
        parameters=[each | {"kind": _kind(document, each.get("schema", {}))} for each in operation.get("parameters", ())],
        curl=curl(document, path, method, operation),
        answers=[(status, told["description"], _shown(document, told)) for status, told in operation["responses"].items()],
    )


def _kind(document: Json, schema: Json) -> str:
    schema = resolved(document, schema)
    if "anyOf" in schema:
        return " or ".join(_kind(document, each) for each in schema["anyOf"] if each.get("type") != "null")
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"several of: {_kind(document, schema.get('items', {}))}"
    bounds = [f"{words} {schema[key]}" for key, words in (("minimum", "from"), ("maximum", "to")) if key in schema]
    return " ".join([schema.get("format", "") or schema.get("type", ""), *bounds]).replace("int64", "number")


def _shown(document: Json, told: Json) -> str:
    schema = told.get("content", {}).get("application/json", {}).get("schema")
    return written(sample(document, schema)) if schema else ""


def _worth_asking(parameter: Json) -> bool:
    return parameter["in"] == "query" and bool(parameter.get("required") or _given(parameter))


def _given(parameter: Json) -> Any:
    schema = parameter.get("schema", {})
    return parameter.get("example") or next(iter(parameter.get("examples") or schema.get("examples") or ()), None)


def _query(document: Json, parameter: Json) -> list[str]:
    """What it is given: of a list each value by itself."""
    given = _given(parameter) or sample(document, parameter.get("schema", {}))
    return [quote(str(value), safe="/:,>=*@+") for value in (given if isinstance(given, list) else [given])]


def _body(document: Json, operation: Json) -> Iterator[str]:
    for kind, told in operation.get("requestBody", {}).get("content", {}).items():
        schema = resolved(document, told.get("schema", {}))
        if kind == "application/json":
            yield "-H 'Content-Type: application/json'"
            yield f"-d {_quoted(written(sample(document, told['schema'])))}"
            return
        option = "--data-urlencode" if kind == "application/x-www-form-urlencoded" else "-F"
        for name, each in schema.get("properties", {}).items():
            if name in schema.get("required", ()) or resolved(document, each).get("examples"):
                value = "@report.pdf" if _is_file(document, each) else sample(document, each)
                yield f"{option} {_quoted(f'{name}={value}')}"


def _is_file(document: Json, schema: Json) -> bool:
    schema = resolved(document, schema)
    if schema.get("type") == "array":
        return _is_file(document, schema["items"])
    return schema.get("format") == "binary" or "contentMediaType" in schema


def resolved(document: Json, schema: Json) -> Json:
    """A schema with what it refers to."""
    if "$ref" in schema:
        return schema | resolved(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    return schema


def written(value: Any) -> str:
    """JSON as a page shows it."""
    short = json.dumps(value, ensure_ascii=False)
    return short if len(short) < 80 else json.dumps(value, ensure_ascii=False, indent=2)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _refusals(root: type[DeskError]) -> Iterator[type[DeskError]]:
    if "slug" in vars(root):
        yield root
    for each in root.__subclasses__():
        yield from _refusals(each)


def _first_line(kind: type[DeskError]) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]

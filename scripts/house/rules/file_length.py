"""Harm: past a few screens nobody reads a file whole any more, and the next change is made without knowing the rest.

150 lines are aimed at; at 400 the file is split.
"""

from collections.abc import Iterator

from scripts.house.source import Source

LIMIT = 400
CODE = {"python", "shell", "html", "docker"}
SUFFIXES = (".css", ".js", ".sql", ".conf")


def check(source: Source) -> Iterator[tuple[int, str]]:
    """A source file of our own over the limit. What others wrote and we carry is theirs; a migration is history."""
    if not source.within("app/", "image/", "conf/", "scripts/", "tests/", "demo/"):
        return
    if "/vendor/" in source.path or source.within("app/migrations/versions/"):
        return
    lines = len(source.text.splitlines())
    if lines > LIMIT and (source.language in CODE or source.path.endswith(SUFFIXES)):
        yield lines, f"{lines} lines; split it by what changes together (limit {LIMIT})"

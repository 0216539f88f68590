"""Harm: a setting read where it is used is a setting nobody can check before the start.

It has a second default, ignores NAME_FILE and /run/secrets, and its bad value is found at night by the one line that
needed it. So app/config.py reads the environment, all of it, once, and reports every problem at once.
"""

import ast
from collections.abc import Iterator

from scripts.house.names import dotted, imported
from scripts.house.source import Source

ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv", "os.unsetenv"}


def check(source: Source) -> Iterator[tuple[int, str]]:
    """Any use of the process's environment in app/, under whatever name it was imported."""
    if not source.within("app/") or source.within("app/config.py"):
        return
    origins = imported(source.tree)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute | ast.Name) and dotted(node, origins) in ENVIRONMENT:
            yield node.lineno, "take it from app.config: a setting is read, checked and documented in one place"

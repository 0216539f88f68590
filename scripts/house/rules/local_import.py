"""Harm: an import inside a function hides a dependency from the floors, and a cycle from its reader.

import-linter would still see it, but the person who reads the top of the file would not; and a missing package is
found when the branch runs, in production, instead of at the start.
"""

import ast
from collections.abc import Iterator

from scripts.house.source import Source

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def check(source: Source) -> Iterator[tuple[int, str]]:
    """An import statement within a function of app/, at any depth."""
    if not source.within("app/"):
        return
    inside = (node for outer in ast.walk(source.tree) if isinstance(outer, FUNCTIONS) for node in ast.walk(outer))
    for line in sorted({node.lineno for node in inside if isinstance(node, ast.Import | ast.ImportFrom)}):
        yield line, "import at the top of the file; if that makes a cycle, the code is on the wrong floor"

"""Harm: `except Exception` turns a wrong program into a quiet one.

A typo, a lost connection and a full disk all look like "no ticket", and the mail that hit it is gone. So code names the
errors it can mend. Only app/entry/, where a loop has to outlive its one task, catches everything, logs it and goes on.
"""

import ast
from collections.abc import Iterator

from scripts.house.source import Source

BROAD = {"Exception", "BaseException"}


def check(source: Source) -> Iterator[tuple[int, str]]:
    """A bare except, or one that names everything, in app/ and not in app/entry/."""
    if not source.within("app/") or source.within("app/entry/"):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler) and is_broad(node.type):
            yield node.lineno, "name the errors that this code can mend"


def is_broad(caught: ast.expr | None) -> bool:
    """Whether an except clause catches everything, alone or as one of several."""
    if isinstance(caught, ast.Tuple):
        return any(is_broad(each) for each in caught.elts)
    if isinstance(caught, ast.Attribute):
        return caught.attr in BROAD
    return caught is None or (isinstance(caught, ast.Name) and caught.id in BROAD)

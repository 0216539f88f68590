"""Harm: a commit in the middle of an action splits one change into two transactions.

When the second half fails, the ticket is closed but nobody was told; when the caller retries, it happens twice. So the
door that a change came in by (request, mail, due clock) commits once, in app/db/session.py, and nothing below it does.
"""

import ast
from collections.abc import Iterator

from scripts.house.source import Source

MESSAGE = "commit at the door only: leave it to app/db/session.py"


def check(source: Source) -> Iterator[tuple[int, str]]:
    """`.commit(` anywhere in app/ but in its one place."""
    if not source.within("app/") or source.within("app/db/session.py"):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr == "commit":
            yield node.lineno, MESSAGE

"""Try one house rule on a few lines of code."""

from textwrap import dedent
from types import ModuleType

from scripts.house.source import Source


def lines_found(rule: ModuleType, code: str, *, at: str = "app/tickets/actions.py") -> list[int]:
    """The numbers of the lines that the rule complains about in this code, were it the file `at`."""
    return [line for line, _ in rule.check(Source(at, dedent(code).strip("\n")))]

"""Harm: a deadline that reads the machine's clock by itself can't be tested at its edges, and mixes time zones.

One naive `datetime.now()` beside aware times is a crash or an hour's error twice a year. So app/core/clock.py tells the
time, in UTC, and whatever reckons with it is handed `now`. time.monotonic() measures lengths and is fine.
"""

import ast
from collections.abc import Iterator

from scripts.house.names import dotted, imported
from scripts.house.source import Source

CLOCKS = {
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today",
    "time.time", "time.time_ns", "time.localtime", "time.gmtime",
}  # fmt: skip


def check(source: Source) -> Iterator[tuple[int, str]]:
    """Any use of the wall clock in app/, under whatever name it was imported."""
    if not source.within("app/") or source.within("app/core/clock.py"):
        return
    origins = imported(source.tree)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute | ast.Name) and dotted(node, origins) in CLOCKS:
            yield node.lineno, "ask app.core.clock, or take `now` as an argument"

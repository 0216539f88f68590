"""The last lines of the log, which the launcher keeps (image/logring.py)."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.config import Settings

NAMES = ("older.jsonl", "newer.jsonl")


def lines(settings: Settings) -> Iterator[str]:
    """The oldest first; none where they are not kept, as in a checkout."""
    for name in NAMES:
        with suppress(OSError):
            yield from (folder(settings) / name).read_text("utf-8", "replace").splitlines()


def requests(settings: Settings) -> Iterator[dict[str, Any]]:
    """nginx's records of requests."""
    for line in lines(settings):
        if '"proc":"nginx"' in line or '"proc": "nginx"' in line:
            with suppress(ValueError):
                record = json.loads(line)
                if isinstance(record, dict) and "client" in record:
                    yield record


def folder(settings: Settings) -> Path:
    return settings.run_dir / "log" / "kept"

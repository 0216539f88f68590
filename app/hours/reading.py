"""The parent's side of `app.hours.child`: what `holidays` and iCalendar feeds say, without their code in our own programs."""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from app.core.errors import Invalid

PATIENCE = 20.0  # seconds
_ROOT = Path(__file__).parents[2]

Found = list[dict[str, Any]]


class Unreadable(Exception):
    """This can't be read; the words say why."""


def proposals(country: str, subdivision: str | None, years: Sequence[int], language: str | None = None) -> Found:
    """The public holidays of some years, [{"date", "name"}], for a person to choose from. Raises Invalid."""
    question = {"country": country, "subdivision": subdivision, "years": list(years), "language": language}
    try:
        return _ask(question)
    except Unreadable as why:
        raise Invalid(f"{why}."[:1].upper() + f"{why}."[1:]) from None


def feed(raw: bytes, *, zone: str, first: date, last: date) -> Found:
    """What an iCalendar feed closes in [first, last), in the form of rules/feed.py. Raises Unreadable."""
    return _ask({"zone": zone, "first": first.isoformat(), "last": last.isoformat()}, raw)


def _ask(question: dict[str, Any], raw: bytes = b"") -> Found:
    try:
        done = subprocess.run(
            [sys.executable, "-B", "-m", "app.hours.child"],
            input=json.dumps(question).encode() + b"\n" + raw,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            cwd=_ROOT,
            env={"LANG": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired:
        raise Unreadable(f"reading it took longer than {PATIENCE:g} s") from None
    if done.returncode:
        raise Unreadable(_last_words(done))
    answer = json.loads(done.stdout)
    if "problem" in answer:
        raise Unreadable(answer["problem"])
    found: Found = answer["found"]
    return found


def _last_words(done: subprocess.CompletedProcess[bytes]) -> str:
    """Why the child went: the signal that ended it, or the last line of its traceback."""
    if done.returncode in {-signal.SIGXCPU, -signal.SIGKILL}:
        return "reading it took too much computing time"
    last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
    return "reading it took too much memory" if last.startswith("MemoryError") else f"it can't be read: {last[:300]}"

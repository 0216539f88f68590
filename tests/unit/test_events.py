"""The list of events is of what happens, and of nothing else."""

from pathlib import Path

import app
from app.audit.models import Event

SOURCES = [path for path in Path(app.__path__[0]).rglob("*.py") if "audit" not in path.parts]


def test_every_event_there_is_a_name_for_is_recorded_somewhere() -> None:
    written = "\n".join(path.read_text() for path in SOURCES)
    assert [event.name for event in Event if f"Event.{event.name}" not in written] == []

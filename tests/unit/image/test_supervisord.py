"""What supervisord does before it begins its Python programs as forks of itself."""

import subprocess
import sys
from pathlib import Path

PRELOADED = """
from app.core import zones
from app.db.types import Table
from app.web import app
from tests.unit.image.scripts import script
script("supervisord").preload()
mappers = list(Table.registry.mappers)
print(len(mappers) > 40, [m.class_.__name__ for m in mappers if not m.configured])
built = app._ahead[0]
print(len(built.routes) > 40, zones.known.cache_info().currsize)
"""


def test_what_every_program_would_work_out_for_itself_is_worked_out_before_they_fork() -> None:
    """In a process of its own: here other tests have done so already."""
    root = Path(__file__).parents[3]
    said = subprocess.run([sys.executable, "-c", PRELOADED], capture_output=True, text=True, check=True, cwd=root)
    assert said.stdout == "True []\nTrue 1\n"

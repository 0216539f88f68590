"""How much of the processor something takes, whatever else the machine is doing."""

import os
import time
from collections.abc import Callable
from pathlib import Path


def least(act: Callable[[], object], tries: int = 3) -> float:
    """Seconds of this process's computing time: the least of a few tries, since the first one may pay for others."""
    return min(_seconds(act) for _ in range(tries))


def of_process(id: int) -> float:
    """Seconds of computing time that another process has taken so far (proc(5))."""
    fields = Path(f"/proc/{id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _seconds(act: Callable[[], object]) -> float:
    began = time.process_time()
    act()
    return time.process_time() - began

"""How late deadlines are noticed, counted by whoever notices them.

Counts lie in files that all processes share, in the folder that PROMETHEUS_MULTIPROC_DIR names (the image sets it), and begin
at 0 with each start of the desk. A metric without labels would begin its file where it is defined, before the processes part: so
each has one.
"""

from collections.abc import Iterable

from prometheus_client import Histogram

from app.sla.actions import Fired
from app.sla.rules import Kind
from app.tickets.evidence import BUCKETS

LATENESS = Histogram(
    "atum_sla_lateness_seconds",
    "How long after its time a deadline (breach) or a warning was noticed.",
    ["kind"],
    buckets=[milliseconds / 1000 for milliseconds in BUCKETS],
)


def begin() -> None:
    """Have a process that is to notice deadlines say 0 before it has noticed any."""
    for kind in (Kind.WARNING, Kind.BREACH):
        LATENESS.labels(kind.value)


def noticed(fired: Iterable[Fired]) -> None:
    """Count what a worker has just noticed, once that is committed."""
    for one in fired:
        LATENESS.labels(one.kind.value).observe((one.detected_at - one.at).total_seconds())

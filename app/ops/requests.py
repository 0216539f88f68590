"""How many requests there were, and how soon each was answered, counted by whichever process of the API answers.

Counts are shared as those of lateness are (see there). A request is told by its route's template and never by its path, which
holds names and may be anything: so however much is asked, there are no more rows than routes.
"""

from functools import cache

from prometheus_client import Histogram

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ROUTE = "none"

REQUESTS = Histogram(
    "atum_http_request_duration_seconds",
    "How long a request took until its answer began.",
    ["method", "route", "status"],
    buckets=[0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0],
)


def answered(method: str, route: str | None, status: int, seconds: float) -> None:
    """Count one. `status` counts as its class."""
    _row(method if method in METHODS else "other", route or NO_ROUTE, f"{status // 100}xx").observe(seconds)


_row = cache(REQUESTS.labels)

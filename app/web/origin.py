"""Whether a request with a cookie came from our own pages (cross-site request forgery).

Browsers say it themselves in Sec-Fetch-Site; the few that don't, send Origin. What has neither is no browser's form.
"""

from urllib.parse import urlsplit

from fastapi import Request

from app.core.errors import Forbidden
from app.web.desk import desk_of

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class ForeignOrigin(Forbidden):
    """This request came from another site. Open the desk's own page and try again."""

    slug = "foreign-origin"


def refuse_foreign(request: Request, *, streams: bool = False) -> None:
    """Raises ForeignOrigin for an unsafe request that another site made the browser send, and for one that `streams`."""
    if request.method in SAFE and not streams:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site not in {"same-origin", "none"}:
            raise ForeignOrigin
        return
    given = request.headers.get("origin", "null")  # null is also what browsers say of our own forms: we send no referrer
    ours = {urlsplit(desk_of(request).settings.atum_url).netloc.lower(), request.headers.get("host", "").lower()}
    if given != "null" and urlsplit(given).netloc.lower() not in ours:
        raise ForeignOrigin

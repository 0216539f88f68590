"""Pages: HTML from the server."""

import hashlib
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from app import __version__
from app.core import html, zones
from app.files import room
from app.tickets import folding
from app.web.desk import desk_of
from app.web.zones import zone_of

HERE = Path(__file__).parent
STATIC = HERE / "static"


def _version_of_static() -> str:
    content = b"".join(path.read_bytes() for path in sorted(STATIC.rglob("*")) if path.is_file())
    return hashlib.sha256(content).hexdigest()[:10]


def _static(path: str) -> str:
    return f"/static/{path}?v={_VERSION}"


def _local(at: datetime | None, zone: tzinfo) -> str:
    return zones.told(at, zone) if at else ""


_VERSION = _version_of_static()
_templates = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=select_autoescape(default=True, default_for_string=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.globals.update(static=_static, version=__version__)
_templates.filters["local"] = _local
_templates.filters["retold"] = zones.retold
_templates.filters["pieces"] = folding.pieces
_templates.filters["pictures_elsewhere"] = html.has_pictures_elsewhere


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A page from a template, with times in the zone of whoever looks (`me`).

    It is never kept in anybody's cache: most pages are one person's business.
    """
    settings = desk_of(request).settings
    context = {
        "me": None,
        "status": status,
        "path": request.url.path,
        "zone": zone_of(context.get("me"), settings),
        "desk_url": settings.atum_url,
        "no_room": room.WORDS if room.is_short(settings.data_dir) else "",
        **context,
    }
    written = _templates.get_template(template).render(context)
    return HTMLResponse(written, status_code=status, headers={"Cache-Control": "no-store"})


def see_other(path: str) -> Response:
    """Go on with a GET to a path of ours, wherever the request came from."""
    return RedirectResponse(local_path(path), status_code=303)


def local_path(path: str) -> str:
    """`path` if it stays on this desk, else the front page: no link sends people elsewhere."""
    parts = urlsplit(path)
    stays = path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme
    return path if stays and "\\" not in path and path.isprintable() else "/"

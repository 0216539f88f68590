"""The application: routes, failures, and what goes around every request."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from app import __version__
from app.web import failures
from app.web.agent import tickets as agent
from app.web.api import auth, documents, files, health, sla, tickets
from app.web.desk import Desk
from app.web.gate import Gate
from app.web.pages import STATIC
from app.web.portal import tickets as portal
from app.web.sign_in import routes as sign_in

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create(desk: Desk, lifespan: Lifespan | None = None) -> FastAPI:
    """The desk's application. Its API is told in /api/v1/openapi.json, to people who are signed in."""
    app = FastAPI(
        title="ATUM Desk",
        version=__version__,
        redirect_slashes=False,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.desk = desk
    failures.install(app)
    for router in (health.router, auth.router, tickets.router, files.router, sla.router, documents.router):
        app.include_router(router)
    for router in (sign_in.router, agent.router, portal.router):
        app.include_router(router, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC))  # behind nginx it never sees these; in `atum dev` it does
    app.add_middleware(Gate, most=desk.settings.upload_max_bytes)
    return app

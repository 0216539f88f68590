"""The application: routes, failures, and what goes around every request."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from app import __version__
from app.web import failures
from app.web.admin import backups as admin_backups
from app.web.admin import certificate as admin_certificate
from app.web.admin import doctor as admin_doctor
from app.web.agent import keys, mail
from app.web.agent import suggestions as says
from app.web.agent import tickets as agent
from app.web.api import (
    audit,
    auth,
    backups,
    bulk,
    calendars,
    canned_replies,
    certificate,
    custom_fields,
    doctor,
    documents,
    escalations,
    events,
    exports,
    factors,
    files,
    health,
    links,
    macros,
    mailboxes,
    mails,
    merging,
    metrics,
    organizations,
    passkeys,
    planned,
    policies,
    presence,
    previews,
    recovery,
    reports,
    role_policies,
    search,
    sender_keys,
    sessions,
    sla,
    suggestions,
    suppressions,
    tags,
    teams,
    ticket_changes,
    tickets,
    tokens,
    users,
    views,
    watchers,
    webhooks,
)
from app.web.brake import Brake
from app.web.desk import Desk
from app.web.gate import Gate
from app.web.live import Live
from app.web.pages import STATIC
from app.web.portal import tickets as portal
from app.web.sign_in import account, acknowledge, second_factor, unfollow
from app.web.sign_in import links as mailed
from app.web.sign_in import routes as sign_in

API = (  # in the order in which paths are tried: what is asked most comes first, and /tickets/bulk before /tickets/{number}
    bulk,
    search,
    exports,
    tickets,
    ticket_changes,
    merging,
    planned,
    escalations,
    watchers,
    suggestions,
    links,
    presence,
    files,
    health,
    auth,
    sessions,
    recovery,
    factors,
    passkeys,
    tokens,
    role_policies,
    users,
    organizations,
    teams,
    tags,
    custom_fields,
    views,
    canned_replies,
    macros,
    mailboxes,
    mails,
    suppressions,
    sender_keys,
    policies,
    previews,
    webhooks,
    sla,
    calendars,
    audit,
    backups,
    doctor,
    certificate,
    reports,
    metrics,
    events,
    documents,
)
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


_ahead: list[FastAPI] = []


def prepare() -> None:
    """Build one ahead. What is built before processes are forked is shared by all of them, 12 MB of each."""
    _ahead.append(_build())


def create(desk: Desk, lifespan: Lifespan | None = None) -> FastAPI:
    """The desk's application. Its API is told in /api/v1/openapi.json, to people who are signed in."""
    app = _ahead.pop() if _ahead else _build()
    app.state.desk = desk
    app.state.live = Live(desk.settings.database_dsn, desk.settings.redis_dsn)
    if lifespan:
        app.router.lifespan_context = lifespan
    app.add_middleware(Brake, data=desk.settings.data_dir, refused=failures.refused)
    app.add_middleware(Gate, most=desk.settings.upload_max_bytes)
    return app


def _build() -> FastAPI:
    """All but what depends on the settings."""
    app = FastAPI(
        title="ATUM Desk",
        version=__version__,
        redirect_slashes=False,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},  # nobody listens
    )
    failures.install(app)
    for api in API:
        app.include_router(api.router)
    for router in (
        sign_in.router,
        account.router,
        mailed.router,
        unfollow.router,
        acknowledge.router,
        second_factor.router,
        agent.router,
        says.router,
        keys.router,
        mail.router,
        admin_backups.router,
        admin_doctor.router,
        admin_certificate.router,
        portal.router,
    ):
        app.include_router(router, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC))  # behind nginx it never sees these; in `atum dev` it does
    return app

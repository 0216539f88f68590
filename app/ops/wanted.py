"""The certificate for people: how it stands with it, in words and times, and having it looked at now."""

from dataclasses import dataclass
from datetime import datetime

from app.audit import actions as audit
from app.audit.models import Event
from app.config import Settings
from app.db.session import Session
from app.ops import installed

WORDS = "It is looked at within a few seconds."
_ORIGIN = {
    "self-signed": "The desk signed it itself, so browsers warn of it. It is renewed by itself.",
    "files": "It was brought by somebody, who also renews it. The files are watched, and a new pair is shown within seconds.",
    "acme": "It came from an authority, and is renewed by itself when a third of its life is left.",
}


@dataclass(frozen=True)
class Standing:
    """What is shown, and what came of asking an authority where one is asked. `origin` says where it comes from."""

    mode: str
    origin: str
    names: list[str]
    issuer: str | None
    serial: str | None
    not_before: datetime | None
    not_after: datetime | None
    trusted: bool
    problem: str | None
    hint: str | None
    authority: str | None
    tried_at: datetime | None
    failures: int
    said: str | None
    next_at: datetime | None


def standing(settings: Settings) -> Standing:
    """How it stands with the certificate in force."""
    state = installed.state(settings) or installed.State(settings.atum_tls)
    tried = state.tried or {}
    return Standing(
        mode=state.mode,
        origin=_ORIGIN.get(
            state.shown or "", "TLS ends at the proxy in front (ATUM_TLS=off)." if state.mode == "off" else "Not known yet."
        ),
        names=list(state.names),
        issuer=state.issuer,
        serial=state.serial,
        not_before=_time(state.not_before),
        not_after=_time(state.not_after),
        trusted=state.trusted,
        problem=state.problem,
        hint=state.hint,
        authority=settings.acme_directory if state.mode == "acme" else None,
        tried_at=_time(tried.get("at")),
        failures=tried.get("failures", 0),
        said=tried.get("said"),
        next_at=_time(tried.get("next_at")),
    )


def ask(s: Session, settings: Settings, *, by: tuple[int, str], now: datetime) -> None:
    """Have it looked at now, and an authority asked, where one is due and may be."""
    audit.record(s, Event.CERTIFICATE_ASKED, now=now, by=by)
    mark = installed.asked(settings)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None

"""Telling machines from people (RFC 3834, and what machines do that never read it)."""

import re

from app.intake.rules.headers import Headers

_MACHINES = re.compile(
    r"(?:mailer-?daemon|post[_-]?master|no-?reply|do-?not-?reply|bounces?|auto-?reply|autoresponder)(?:[+=.-][^@]*)?(?:@.*)?",
    re.IGNORECASE,
)
_AWAY = re.compile(
    r"(?:re:\s*)?(?:out of (?:the )?office|auto(?:matic|mated)?[ -]?(?:reply|response)|automatische antwort|abwesenheit"
    r"|abwesend|r[ée]ponse automatique|respuesta autom[áa]tica|risposta automatica|resposta autom[áa]tica"
    r"|automatisch antwoord|autosvar|automatiskt svar|odpowied[źz] automatyczna|автоответ|fuera de (?:la )?oficina"
    r"|absence du bureau|fuori (?:sede|ufficio)|自動返信|自动回复|自動回覆)",
    re.IGNORECASE,
)
_PRECEDENCE = {"bulk", "junk", "list", "auto_reply", "auto-reply"}
_LISTS = ("list-id", "list-unsubscribe", "list-post", "list-help", "list-owner", "list-subscribe", "list-archive")
_MARKS = (
    "x-autoreply", "x-auto-reply", "x-mail-autoreply", "x-autorespond", "x-autoresponder", "x-auto-response-suppress", "x-loop",
    "x-failed-recipients",
)  # fmt: skip


def why(headers: Headers, *, sender: str, subject: str, media_type: str) -> str:
    """What says that a machine sent this, in words; empty for what a person must have written."""
    submitted = headers.first("auto-submitted").partition(";")[0].strip().lower()
    if submitted not in {"", "no"}:
        return f"Auto-Submitted: {submitted[:60]}"
    precedence = headers.first("precedence").strip().lower()
    if precedence in _PRECEDENCE:
        return f"Precedence: {precedence}"
    if mark := next((name for name in (*_LISTS, *_MARKS) if headers.has(name)), ""):
        return f"the header {mark.title()}"
    if any(headers.first(name).rstrip().endswith("<>") for name in ("return-path", "from")):
        return "it can't be answered"
    if media_type == "multipart/report":
        return "it is a report"
    if _MACHINES.fullmatch(sender):
        return f"it is from {sender[:100]}"
    return "its subject says that somebody is away" if _AWAY.match(subject) else ""

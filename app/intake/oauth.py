"""The door to whoever gives tokens. Answers are bounded in size and time, certificates are verified, nothing is followed."""

import json
import ssl
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, SSLError

from app.core import text
from app.intake.failure import MailboxFailure
from app.intake.rules import oauth as rules
from app.intake.rules.oauth import Provider
from app.intake.rules.states import FailureClass

CONNECT = 5.0  # seconds
PATIENCE = 10.0  # seconds of silence
LONGEST = 20.0  # seconds for a whole answer
LARGEST = 65_536  # bytes
_OVER = {"invalid_grant", "interaction_required", "consent_required", "login_required"}
_WAITING = {"authorization_pending", "slow_down"}
_REFRESH_ENDS = ("refresh_token_expires_in", "refresh_expires_in")  # what Google and Microsoft, and what Keycloak calls it
_EVER = 3_000_000_000  # seconds: a century
_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass(frozen=True)
class Client:
    """What the desk is to a provider. `secret` is None for one that can keep none; `until` is its end, where somebody said so."""

    provider: Provider
    id: str
    secret: str | None = field(repr=False)
    until: datetime | None = None


@dataclass(frozen=True)
class Tokens:
    """What a provider gave. `refresh` is None where the one before stays good, `refresh_seconds` how long, where that is said."""

    access: str = field(repr=False)
    seconds: int
    refresh: str | None = field(repr=False)
    refresh_seconds: int | None = None


@dataclass(frozen=True)
class Device:
    """A code that a person types at `page`, and how often to ask whether they have."""

    code: str
    typed: str
    page: str
    seconds: int
    every: int


def renewed(client: Client, refresh: str | None) -> Tokens:
    """Another token: for the refresh token, or for the client itself where there is none. Raises MailboxFailure."""
    if refresh is None:
        return _tokens(client, {"grant_type": "client_credentials", "scope": client.provider.scope})
    return _tokens(client, {"grant_type": "refresh_token", "refresh_token": refresh, "scope": client.provider.scope})


def redeemed(client: Client, code: str, *, verifier: str) -> Tokens:
    """The tokens for a code that a person was given (RFC 6749 section 4.1.3)."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": rules.REDIRECT, "code_verifier": verifier}
    return _tokens(client, form)


def device(client: Client) -> Device:
    """A code for a person to type (RFC 8628 section 3.2)."""
    url = client.provider.device_url or ""
    status, answer = _asked(url, {"client_id": client.id, "scope": client.provider.scope})
    try:
        if status != 200:
            raise _refusal(url, status, answer)
        page = str(answer.get("verification_uri") or answer["verification_url"])
        every, seconds = int(answer.get("interval", 5)), int(answer["expires_in"])
        return Device(str(answer["device_code"]), str(answer["user_code"]), page, seconds, every)
    except (LookupError, TypeError, ValueError) as wrong:
        raise _nonsense(url) from wrong


def typed(client: Client, given: Device) -> Tokens | int:
    """The tokens, once the person has typed the code; until then the seconds to add to the wait."""
    form = _known(client) | {"grant_type": _DEVICE, "device_code": given.code}
    status, answer = _asked(client.provider.token_url, form)
    if status != 200 and answer.get("error") in _WAITING:
        return 5 if answer["error"] == "slow_down" else 0
    return _read(client.provider.token_url, status, answer)


def _tokens(client: Client, form: dict[str, str]) -> Tokens:
    return _read(client.provider.token_url, *_asked(client.provider.token_url, _known(client) | form))


def _known(client: Client) -> dict[str, str]:
    return {"client_id": client.id} | ({"client_secret": client.secret} if client.secret else {})


def _read(url: str, status: int, answer: dict[str, Any]) -> Tokens:
    if status != 200:
        raise _refusal(url, status, answer)
    access, refresh = answer.get("access_token"), answer.get("refresh_token")
    if not isinstance(access, str) or not rules.is_token(access) or not isinstance(refresh, str | None):
        raise _nonsense(url)
    seconds = _seconds(answer.get("expires_in")) or 3600
    ends = next((said for name in _REFRESH_ENDS if (said := _seconds(answer.get(name)))), None)
    return Tokens(access, min(max(seconds, 60), 86_400), refresh or None, ends)


def _seconds(said: Any) -> int | None:
    """A length, where that is one; 0 is for ever."""
    try:
        return min(max(int(said), 0), _EVER) or None
    except (TypeError, ValueError, OverflowError):
        return None


def _refusal(url: str, status: int, answer: dict[str, Any]) -> MailboxFailure:
    error, more = str(answer.get("error") or ""), str(answer.get("error_description") or "")
    said = text.one_line(": ".join(filter(None, (error, more))) or f"status {status}", most=300)
    words = f"{_host(url)} gives no token: {said}"
    if status == 429:
        return MailboxFailure(FailureClass.OVERLOAD, words)
    if status >= 500 or not error:
        return MailboxFailure(FailureClass.TRANSPORT, words)
    return MailboxFailure(FailureClass.GRANT if error in _OVER else FailureClass.AUTH, words)


def _nonsense(url: str) -> MailboxFailure:
    return MailboxFailure(FailureClass.TRANSPORT, f"{_host(url)} answered what is no token")


def _asked(url: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """The status and what was said. Raises MailboxFailure where nothing was."""
    timeout = urllib3.Timeout(connect=CONNECT, read=PATIENCE)
    more: dict[str, Any] = {"headers": {"Accept": "application/json"}, "encode_multipart": False}
    with urllib3.PoolManager(ssl_context=ssl.create_default_context(), timeout=timeout, retries=False) as pool:
        try:
            answer = pool.request("POST", url, fields=form, redirect=False, preload_content=False, **more)
            try:
                content = _whole(answer, url)
            finally:
                answer.close()
        except (SSLError, MaxRetryError) as wrong:
            raise MailboxFailure(FailureClass.CERTIFICATE, f"no TLS with {_host(url)}: {_words(wrong)}") from wrong
        except (HTTPError, OSError) as wrong:
            raise MailboxFailure(FailureClass.TRANSPORT, f"{_host(url)} does not answer: {_words(wrong)}") from wrong
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        if answer.status == 200:
            raise _nonsense(url)
        said = {}
    return answer.status, said


def _whole(answer: urllib3.BaseHTTPResponse, url: str) -> bytes:
    content, until = b"", time.monotonic() + LONGEST
    while piece := answer.read1(8192):
        content += piece
        if len(content) > LARGEST or time.monotonic() > until:
            raise _nonsense(url)
    return content


def _words(wrong: Exception) -> str:
    cause = wrong.args[-1] if wrong.args else wrong
    return text.one_line(str(cause), most=200)


def _host(url: str) -> str:
    return urlsplit(url).hostname or url

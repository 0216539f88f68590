"""Signing in with what a provider gives instead of a password (OAuth 2.0: RFC 6749, 7636, 8628; for IMAP: RFC 7628)."""

import base64
import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

RENEWED_AT = 0.8  # of a token's life
SAME_END = timedelta(minutes=10)  # by which an end may differ that is said in seconds from now
REDIRECT = "http://127.0.0.1:52525/"  # where the browser is sent in vain; its address bar then holds the code
CREDENTIALS_SCOPE = "https://outlook.office365.com/.default"
_TOKEN = re.compile(r"[\x21-\x7e]{1,16000}")
_TENANT = re.compile(r"[A-Za-z0-9.\-]{1,100}")


@dataclass(frozen=True)
class Provider:
    """Where tokens come from, and for what. `device_url` where a code typed elsewhere will do (RFC 8628)."""

    name: str
    token_url: str
    scope: str
    authorize_url: str | None = None
    device_url: str | None = None


GOOGLE = Provider(
    "google",
    "https://oauth2.googleapis.com/token",
    "https://mail.google.com/",
    authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
)
_LOGIN = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0"
MICROSOFT = Provider(
    "microsoft",
    f"{_LOGIN}/token",
    "https://outlook.office.com/IMAP.AccessAsUser.All offline_access",
    device_url=f"{_LOGIN}/devicecode",
)


def google() -> Provider:
    return GOOGLE


def microsoft(tenant: str | None, *, credentials: bool = False) -> Provider:
    """For one organization, or for whoever signs in. `credentials`: the program signs in for itself. Raises ValueError."""
    if credentials and not tenant:
        raise ValueError("a program that signs in for itself needs the tenant")
    if tenant and not _TENANT.fullmatch(tenant):
        raise ValueError(f"{tenant!r} is no tenant")
    named = tenant or "organizations"
    assert MICROSOFT.device_url is not None
    made = replace(
        MICROSOFT,
        token_url=MICROSOFT.token_url.format(tenant=named),
        device_url=MICROSOFT.device_url.format(tenant=named),
    )
    return replace(made, scope=CREDENTIALS_SCOPE, device_url=None) if credentials else made


def custom(token_url: str, scope: str, authorize_url: str | None, device_url: str | None) -> Provider:
    """Somebody else's. Raises ValueError for what is no HTTPS."""
    for url in filter(None, (token_url, authorize_url, device_url)):
        if urlsplit(url).scheme != "https" or not urlsplit(url).hostname:
            raise ValueError(f"{url} is no https:// address")
    return Provider("custom", token_url, scope, authorize_url, device_url)


def due(issued_at: datetime, expires_at: datetime, now: datetime) -> bool:
    """Whether a token should be renewed: ahead of time, so that none ends in the middle of a sign-in."""
    return now >= issued_at + (expires_at - issued_at) * RENEWED_AT


def end_after(known: datetime | None, said: datetime | None, *, first: bool, another: bool) -> datetime | None:
    """When a refresh token ends, after an answer that says `said`. `first`: it is the first one; `another`: it gave a new token.

    An end that moves on with each renewal is none: a desk that renews in time never sees it.
    """
    if first:
        return said
    if said is None:
        return None if another else known
    return None if known is None or said - known > SAME_END else min(known, said)


def is_token(text: str) -> bool:
    """Whether this can be sent as a token: it must not end the line that it stands in."""
    return _TOKEN.fullmatch(text) is not None


def page_to_open(provider: Provider, client_id: str, user: str, *, state: str, verifier: str) -> str:
    """Where a person allows the desk to read the mailbox. Google gives a refresh token only where it asks anew."""
    digest = hashlib.sha256(verifier.encode()).digest()
    asked = {
        "client_id": client_id,
        "redirect_uri": REDIRECT,
        "response_type": "code",
        "scope": provider.scope,
        "state": state,
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
        "access_type": "offline",
        "prompt": "consent",
        "login_hint": user,
    }
    return f"{provider.authorize_url}?{urlencode(asked)}"


def code_in(pasted: str, *, state: str) -> str:
    """The code, from the address that the browser was sent to, or as it is. Raises ValueError in words."""
    text = pasted.strip()
    if "?" not in text:
        if not is_token(text):
            raise ValueError("that is no code; paste the whole address that the browser shows at the end")
        return text
    given = {name: values[-1] for name, values in parse_qs(urlsplit(text).query).items()}
    if "error" in given:
        raise ValueError(f"the provider refused: {given['error']}")
    if given.get("state") != state:
        raise ValueError("that address belongs to another try; begin again")
    if not is_token(given.get("code", "")):
        raise ValueError("that address has no code in it; paste the whole address that the browser shows at the end")
    return given["code"]


def opening(mechanism: str, user: str, host: str, port: int, token: str) -> str:
    """What is said first: OAUTHBEARER's (RFC 7628 section 3.1), or XOAUTH2's."""
    if mechanism == "OAUTHBEARER":
        named = user.replace("=", "=3D").replace(",", "=2C")
        return f"n,a={named},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01"
    return f"user={user}\x01auth=Bearer {token}\x01\x01"


def closing(mechanism: str) -> str:
    """What a refusal's reasons are answered with, so that the refusal itself is said (RFC 7628 section 3.2.3)."""
    return "\x01" if mechanism == "OAUTHBEARER" else ""

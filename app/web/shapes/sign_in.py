"""Signing in, and what one is signed in by."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from app.accounts.rules import Door, Role, Scope
from app.web.shapes import Answer, Named, Shape, example
from app.web.shapes.people import Zone

Code = Annotated[str, Field(max_length=64)]
_VERBATIM = Shape.model_config | ConfigDict(str_strip_whitespace=False)  # a password's spaces are its own

_CREATED = {
    "id": "cQZ2m3d9Yw",
    "rawId": "cQZ2m3d9Yw",
    "type": "public-key",
    "response": {"clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIn0", "attestationObject": "o2NmbXRkbm9uZQ"},
}
_GOTTEN = {
    "id": "cQZ2m3d9Yw",
    "rawId": "cQZ2m3d9Yw",
    "type": "public-key",
    "response": {
        "clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0In0",
        "authenticatorData": "SZYN5YgOjGh0NBcPZHZgW4",
        "signature": "MEUCIQD",
        "userHandle": "bXkgaGFuZGxl",
    },
}


class Login(Shape):
    """An address and its password, as a form; `otp` is a code of the authenticator app or a recovery code."""

    model_config = _VERBATIM | example(username="alice@desk.example", password="correct horse battery", otp="")  # noqa: S106
    username: Annotated[str, Field(max_length=1000)]
    password: Annotated[str, Field(max_length=10_000)]
    otp: Code = ""
    grant_type: Literal["password"] = "password"


class Refresh(Shape):
    """A refresh token, to be changed for new tokens."""

    model_config = _VERBATIM | example(refresh_token="kZ3rTn1vQb8wXyLq5sHd2uJf7mPc9gAe4iOt6kRzB0E")  # noqa: S106
    refresh_token: str


class SessionTokens(Answer):
    """What a program shows from now on. A `restricted` session can do nothing but set up the second factor its role requires."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"]
    expires_in: int = Field(description="Seconds that the access token lasts")
    restricted: bool


class Me(Answer):
    """Who I am. `zone` is the time zone I am told times in, null where it is the desk's."""

    id: int
    email: str
    name: str
    role: Role
    organization: Named | None
    zone: str | None


class MeChange(Shape):
    """What I can change of myself. `zone` null: I am told times in the desk's time zone."""

    model_config = Shape.model_config | example(zone="Europe/Berlin")
    zone: Zone | None


class Session(Answer):
    """A browser (`page`) or a program (`api`) that is signed in; `current` is the one that asks."""

    id: int
    door: Door
    agent: str
    source: str
    restricted: bool
    created_at: datetime
    seen_at: datetime
    current: bool


class Sessions(Answer):
    """One's own sessions, newest first."""

    items: list[Session]
    next: str | None


class Standing(Answer):
    """What there is of second factors, and whether one is required."""

    enabled: bool
    since: datetime | None
    recovery_codes_left: int
    required: bool


class NewApp(Answer):
    """What an authenticator app is told, as words to type and as the address that a QR code would hold."""

    secret: str
    uri: str


class OneCode(Shape):
    """A code of the authenticator app, or where one is there already, a recovery code."""

    model_config = Shape.model_config | example(otp="492039")
    otp: Code


class RecoveryCodes(Answer):
    """Codes that are each good once. They are shown here and never again."""

    recovery_codes: list[str]


class PasskeyOptions(Answer):
    """What a browser hands to navigator.credentials, with `publicKey` around it. Good for five minutes."""

    model_config = ConfigDict(extra="allow")
    challenge: str


class NewPasskey(Shape):
    """What navigator.credentials.create() answered, as its toJSON() writes it, and a name for it."""

    model_config = Shape.model_config | example(name="Laptop", credential=_CREATED)
    name: Annotated[str, Field(max_length=100)] = ""
    credential: dict[str, Any]


class PasskeyAnswer(Shape):
    """What navigator.credentials.get() answered, as its toJSON() writes it."""

    model_config = Shape.model_config | example(credential=_GOTTEN)
    credential: dict[str, Any]


class Passkey(Answer):
    """A passkey."""

    id: int
    name: str
    created_at: datetime
    used_at: datetime | None


class Passkeys(Answer):
    """One's own passkeys, newest first."""

    items: list[Passkey]
    next: str | None


class NewToken(Shape):
    """What a token is for, what it may do of what its owner may, and for how many days; null is for good."""

    model_config = Shape.model_config | example(name="Nightly export", scopes=["tickets:read"], days=90)
    name: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))]
    days: Annotated[int, Field(ge=1, le=3650)] | None = 90


class Token(Answer):
    """An API token; `prefix` is how it begins."""

    id: int
    name: str
    prefix: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None


class MadeToken(Token):
    """A new API token. `token` is shown here and never again."""

    token: str


class Tokens(Answer):
    """One's own API tokens, newest first."""

    items: list[Token]
    next: str | None


class RolePolicyChange(Shape):
    """What is asked of everybody in a role."""

    model_config = Shape.model_config | example(second_factor_required=True)
    second_factor_required: bool = Field(strict=True)


class RolePolicy(Answer):
    """What is asked of everybody in a role."""

    role: Role
    second_factor_required: bool


class RolePolicies(Answer):
    """Every role."""

    items: list[RolePolicy]
    next: str | None

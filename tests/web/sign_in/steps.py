"""What people do at the way in."""

from typing import Any

import pyotp
from sqlalchemy import select, update
from starlette.testclient import TestClient

from app.accounts import factors
from app.accounts.models import Person, Totp
from app.accounts.rules import Role
from app.audit.models import Entry
from app.core.sealing import Sealer
from app.db.session import now as database_now
from tests.cast import PASSWORD
from tests.web.authenticator import Authenticator
from tests.web.conftest import Web

AUTH = "/api/v1/auth"


def with_password(web: Web, *people: Person) -> None:
    for person in people:
        web.set_password(person, PASSWORD)


def login(web: Web, person: Person, password: str = PASSWORD, **more: str) -> Any:
    """The answer to an address and a password."""
    return web.program().post(f"{AUTH}/login", data={"username": person.email, "password": password, **more})


def bearer(web: Web, token: str) -> TestClient:
    program = web.program()
    program.headers["Authorization"] = f"Bearer {token}"
    return program


def with_app(web: Web, person: Person) -> tuple[str, list[str]]:
    """An authenticator app for this person: its secret and the recovery codes. No time step is used yet."""
    with web.desk.db.transaction() as s:
        now, owner, sealer = database_now(s), s.get_one(Person, person.id), Sealer(web.desk.signer)
        secret = factors.begin(s, sealer, owner, now=now)
        codes = factors.confirm(s, sealer, owner, _code(secret, now.timestamp()), now=now)
    forget_steps(web)
    return secret, codes


def code(web: Web, secret: str) -> str:
    """What the app shows now."""
    with web.desk.db.transaction() as s:
        return _code(secret, database_now(s).timestamp())


def wrong_code(web: Web, secret: str) -> str:
    return "000000" if code(web, secret) != "000000" else "111111"


def forget_steps(web: Web) -> None:
    """As if half a minute had gone by since the last code."""
    with web.desk.db.transaction() as s:
        s.execute(update(Totp).values(last_step=0, tries=0))


def with_passkey(web: Web, person: Person, **what: Any) -> Authenticator:
    """A passkey of this person's."""
    device, program = Authenticator(**what), web.program(person)
    made = program.post(f"{AUTH}/passkeys", json={"credential": device.create(options_to_add(program)), "name": "Laptop"})
    assert made.status_code == 201, made.text
    return device


def options_to_add(program: TestClient) -> dict[str, Any]:
    return dict(program.post(f"{AUTH}/passkeys/options").json())


def options(web: Web) -> dict[str, Any]:
    """What the desk asks a passkey to sign."""
    return dict(web.program().post(f"{AUTH}/passkeys/sign-in/options").json())


def show(web: Web, credential: dict[str, Any]) -> Any:
    """The answer to a passkey's answer."""
    return web.program().post(f"{AUTH}/passkeys/sign-in", json={"credential": credential})


def require_factor(web: Web, role: Role, required: bool = True) -> None:
    answer = web.program(web.cast.root).put(f"/api/v1/role-policies/{role}", json={"second_factor_required": required})
    assert answer.status_code == 200


def told(web: Web, kind: str) -> list[dict[str, Any]]:
    """What the audit tells of one kind of event."""
    with web.desk.db.transaction() as s:
        found = s.scalars(select(Entry).where(Entry.kind == kind).order_by(Entry.seq))
        return [entry.data | {"actor": entry.actor} for entry in found]


def words(answer: Any) -> str:
    """All of it but the request's own id."""
    return str(answer.text.replace(answer.headers["x-request-id"], "?"))


def slug(answer: Any) -> str:
    return str(answer.json()["type"].rpartition(":")[2])


def _code(secret: str, at: float) -> str:
    return pyotp.TOTP(secret).generate_otp(int(at) // 30)

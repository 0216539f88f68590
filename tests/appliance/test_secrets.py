"""Secrets that a desk was told, and nowhere wrote down: where they belong, in the wrong place, and while something breaks."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx
import pyotp

from tests.appliance.canaries import Canaries, places
from tests.appliance.client import Client
from tests.appliance.conftest import PUBLIC
from tests.appliance.driver import ADMIN, Appliance, eventually
from tests.appliance.peers import text_of

API = "/api/v1"
JSON = {"Content-Type": "application/json"}


@dataclass
class Visitor:
    """Tells secrets to a desk, and keeps what it answers."""

    desk: Appliance
    canary: Canaries
    answers: list[str] = field(default_factory=list)
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.desk.client(headers={"Origin": f"https://{PUBLIC}"})

    def say(self, method: str, path: str, *, shown: str = "", **more: Any) -> httpx.Response:
        """One request. `shown` is what a form shows again to whoever typed it."""
        answer = self.client.http.request(method, path, **more)
        assert answer.status_code != 429, path
        self.answers.append(answer.text.replace(shown, "") if shown else answer.text)
        return answer


def test_of_forty_secrets_that_were_told_none_is_written_anywhere(attacked: Appliance, canaries: Canaries, boss: Client) -> None:
    visitor = Visitor(attacked, canaries)
    for tell in (on_the_way_in, in_programs_on_the_way_in, of_a_person, in_odd_places, while_it_breaks):
        tell(visitor)
    attacked.client().http.get("/", headers={"X-Request-Id": canaries("an id that a stranger made up")})
    first = places(attacked) | {"figures": attacked.figures(boss)}
    what_is_written_is_found(attacked)
    attacked.settings["SMTP_PASSWORD"] = canaries("the mail server's password")
    attacked.up()
    attacked.client().ask("POST", f"{API}/auth/password/forgot", json={"email": ADMIN})
    eventually(lambda: attacked.sql("SELECT state FROM relay") == [["refused"]], within=20)
    assert len(canaries.told) >= 40
    heard = {name: canaries.heard(text) for name, text in first.items()}
    heard |= {f"{name}, later": canaries.heard(text) for name, text in places(attacked).items()}
    heard["answers"] = [where for text in visitor.answers for where in canaries.heard(text)]
    assert {name: where for name, where in heard.items() if where} == {}


def what_is_written_is_found(desk: Appliance) -> None:
    """Otherwise it would prove nothing that no secret is."""
    control = Canaries()
    address = f"{control('an address').lower()}@x.example"
    control.told["an address"] = address
    desk.client().http.get("/control", headers={"User-Agent": control("a program's name")})
    desk.client().http.post(f"{API}/auth/password/forgot", json={"email": address})
    eventually(lambda: control.heard(places(desk)["log"]) == ["a program's name"], within=5)
    assert control.heard(places(desk)["database"]) == ["an address"]


def on_the_way_in(to: Visitor) -> None:
    """Passwords in the fields of pages, the right ones and the wrong ones, and one-time links."""
    canary = to.canary
    typed = canary("a password as a name")
    to.say("POST", "/sign-in", data={"email": typed, "password": canary("a wrong password")}, shown=typed)
    to.say("POST", "/sign-in/second-step", data={"half": canary("half a sign-in"), "otp": canary("a password as a code")})
    forgotten = canary("a password as an address")
    to.say("POST", "/forgot", data={"email": forgotten}, shown=forgotten)
    for place in ("reset", "invite", "setup", "confirm-email"):
        path = f"/{place}/{canary(f'a link to {place}')}"
        to.say("GET", path)
        to.say("POST", path, data={"email": "e@x.example", "password": canary(f"a password to {place}"), "again": "x"})


def in_programs_on_the_way_in(to: Visitor) -> None:
    """The same by the API, and bodies that are broken."""
    canary, login = to.canary, {"username": ADMIN, "password": "wrong wrong"}
    to.say("POST", f"{API}/auth/login", data=login | {"username": canary("a password as a username")})
    to.say("POST", f"{API}/auth/login", data=login | {"password": canary("a wrong password of a program")})
    to.say("POST", f"{API}/auth/login", data=login | {"otp": canary("a password as an otp")})
    to.say("POST", f"{API}/auth/refresh", json={"refresh_token": canary("a refresh token that is none")})
    reset = {"token": canary("a reset token that is none"), "password": canary("a password that is not set")}
    to.say("POST", f"{API}/auth/password/reset", json=reset)
    to.say("POST", f"{API}/auth/password/forgot", json={"email": canary("a password to forget")})
    for path in ("refresh", "password/reset", "invitation", "login"):
        broken = f'{{"password": "{canary(f"broken JSON to {path}")}", '
        to.say("POST", f"{API}/auth/{path}", content=broken, headers=JSON)
        name, value = canary(f"a field's name to {path}"), canary(f"a field to {path}")
        # What is wrong is told to whoever sent it, with the name of the field.
        to.say("POST", f"{API}/auth/{path}", content=json.dumps({name: value}), headers=JSON, shown=name)


def of_a_person(to: Visitor) -> None:
    """Everything that somebody has: password, sessions, tokens, app, codes, links."""
    canary, desk, client = to.canary, to.desk, to.desk.client()
    email, first = "alice@acme.example", canary("Alice's first password")
    desk.atum("user", "add", email, "--name", "Alice", "--role", "agent", "--password-stdin", stdin=first)
    told = client.ask("POST", f"{API}/auth/login", data={"username": email, "password": first}).json()
    client.http.headers["Authorization"] = "Bearer " + canary.keep("an access token", told["access_token"])
    canary.keep("a refresh token", told["refresh_token"])
    signed = to.say("POST", "/sign-in", data={"email": email, "password": first})
    canary.keep("a cookie", signed.headers["set-cookie"].partition("=")[2].partition(";")[0])
    canary.keep("an API token", client.post("/tokens", {"name": "x", "scopes": ["tickets:read"], "days": 1})["token"])
    seed = canary.keep("an app's seed", client.post("/auth/otp")["secret"])
    for n, code in enumerate(client.post("/auth/otp/confirmation", {"otp": pyotp.TOTP(seed).now()})["recovery_codes"][:3]):
        canary.keep(f"recovery code {n}", code)
    new_passwords(to, client, email, first)


def new_passwords(to: Visitor, client: Client, email: str, first: str) -> None:
    """By a mailed link, and with a key that keeps the answer."""
    canary, desk = to.canary, to.desk
    client.ask("POST", f"{API}/auth/email", json={"email": "alice2@acme.example", "password": first}, expect=202)
    canary.keep("a mailed link for a new address", token_in(desk, "alice2@acme.example", "confirm-email"))
    client.ask("POST", f"{API}/auth/password/forgot", json={"email": email}, expect=202)
    reset = canary.keep("a mailed link for a new password", token_in(desk, email, "reset"))
    second = canary("Alice's second password")
    client.ask("POST", f"{API}/auth/password/reset", json={"token": reset, "password": second}, expect=204)
    data = {"username": email, "password": second, "otp": canary.told["recovery code 0"]}
    again = client.ask("POST", f"{API}/auth/login", data=data).json()["access_token"]
    headers = {"Idempotency-Key": "once", "Authorization": f"Bearer {again}"}
    body = {"old": second, "new": canary("Alice's third password")}
    client.ask("POST", f"{API}/auth/password", json=body, headers=headers, expect=204)
    # A link's token is made from its letter when it is sent: no row ever has it, before that or after.
    assert desk.sql("SELECT DISTINCT state FROM outbox WHERE link IS NOT NULL") == [["sent"]]


def token_in(desk: Appliance, address: str, words: str) -> str:
    """The token of the one-time link that was mailed to somebody."""
    found: list[str] = []

    def there() -> bool:
        found[:] = [link for mail in desk.mail.inbox(address) for link in re.findall(rf"/{words}/([\w-]+)", text_of(mail))]
        return bool(found)

    eventually(there, within=20, otherwise=lambda: desk.sql("SELECT kind, state, to_address, last_error FROM outbox"))
    return found[-1]


def in_odd_places(to: Visitor) -> None:
    """Where programs put secrets that nobody asked for."""
    canary = to.canary
    for name in ("X-Api-Key", "X-Auth-Token", "Proxy-Authorization", "X-Csrf-Token", "Referer"):
        to.say("GET", f"{API}/tickets", headers={name: canary(f"header {name}")})
    for kind in ("Bearer ", "Bearer atum_", "Token ", "Basic "):
        to.say("GET", f"{API}/tickets", headers={"Authorization": kind + canary(f"{kind}that is none")})
    to.say("GET", f"{API}/tickets", auth=(ADMIN, canary("basic authentication")))
    to.say("GET", "/tickets", headers={"Cookie": f"__Host-sid={canary('a cookie that is none')}"})
    for name in ("token", "password", "access_token", "api_key"):
        to.say("GET", f"{API}/tickets?{name}={canary(f'query {name}')}")


def while_it_breaks(to: Visitor) -> None:
    """The same while a table is gone, so that what is logged has a traceback."""
    canary, password = to.canary, to.canary("a password while it breaks")
    broke = []
    with gone(to.desk, "person"):
        name = canary("a name while it breaks")
        broke.append(to.say("POST", f"{API}/auth/login", data={"username": name, "password": password}))
        name = canary("a page's name while it breaks")
        broke.append(to.say("POST", "/sign-in", data={"email": name, "password": password}))
    with gone(to.desk, "one_time_link"):
        broke.append(to.say("GET", f"/reset/{canary('a link while it breaks')}"))
        told = {"token": canary("a token while it breaks"), "password": canary("a new one while it breaks")}
        broke.append(to.say("POST", f"{API}/auth/password/reset", json=told))
    with gone(to.desk, "sign_in"):
        token = {"Authorization": f"Bearer {canary('a session while it breaks')}"}
        broke.append(to.say("GET", f"{API}/tickets", headers=token))
        refresh = {"refresh_token": canary("a refresh token while it breaks")}
        broke.append(to.say("POST", f"{API}/auth/refresh", json=refresh))
    # Not 503 either: one request that breaks takes no connection away from the next.
    assert [each.status_code for each in broke] == [500] * 6, [each.text for each in broke]
    assert to.desk.logs().count("a request failed") >= 6


@contextmanager
def gone(desk: Appliance, table: str) -> Iterator[None]:
    """Whatever needs this table raises."""
    desk.sql(f"ALTER TABLE {table} RENAME TO {table}_away")
    try:
        yield
    finally:
        desk.sql(f"ALTER TABLE {table}_away RENAME TO {table}")

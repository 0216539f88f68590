"""Redis counts and may forget: whatever it holds, nobody is signed out and nothing is lost when it is emptied."""

from tests.appliance.client import Client
from tests.appliance.driver import ADMIN, PASSWORD, Appliance

FLUSH = ("redis-cli", "-s", "/run/redis/redis.sock", "FLUSHALL")


def flush(desk: Appliance) -> None:
    ran = desk.run(*FLUSH, user="app")
    assert ran.output == "OK", ran.output


def test_emptying_redis_in_the_middle_of_a_session_signs_nobody_out(desk: Appliance, root: Client) -> None:
    tokens = root.ask("POST", "/api/v1/auth/login", data={"username": ADMIN, "password": PASSWORD}).json()
    browser = desk.client()
    form = {"email": ADMIN, "password": PASSWORD}
    signed_in = browser.ask("POST", "/sign-in", data=form, headers={"Sec-Fetch-Site": "same-origin"}, expect=303)
    cookie = {"Cookie": signed_in.headers["set-cookie"].partition(";")[0]}
    key = root.post("/tokens", {"name": "before the flush", "scopes": ["tickets:read"]})
    number = root.post("/tickets", {"subject": "Before the flush", "body": "It stays."})["number"]

    flush(desk)

    assert root.get("/auth/me")["email"] == ADMIN
    assert browser.http.get("/tickets", headers=cookie).status_code == 200
    desk.client(headers={"Authorization": f"Bearer {key['token']}"}).get("/tickets")
    assert root.get(f"/tickets/{number}")["subject"] == "Before the flush"
    fresh = root.ask("POST", "/api/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    flush(desk)
    root.ask("POST", "/api/v1/auth/refresh", json={"refresh_token": fresh.json()["refresh_token"]})
    root.ask("POST", "/api/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]}, expect=401)  # spent stays spent

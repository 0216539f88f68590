"""`atum doctor` on the image: it looks at everything in time, well or not, and its bundle tells nothing private."""

import io
import json
import os
import secrets
import string
import subprocess
import tarfile
import time
from typing import Any

import pytest

from tests.appliance.canaries import Canaries
from tests.appliance.driver import ADMIN, Appliance, eventually
from tests.appliance.test_secrets import gone

API = "/api/v1"
SUBJECTS = {
    "database",
    "redis",
    "tls",
    "settings",
    "dns",
    "ports",
    "proxy",
    "clock",
    "inodes",
    "memory",
    "postgresql",
    "redis-server",
}
SUBJECTS |= {"mailbox", "smtp", "sender", "queues", "version", "backup"}
Findings = list[dict[str, Any]]


def findings(desk: Appliance) -> Findings:
    began = time.monotonic()
    ran = desk.run("atum", "doctor", "--json")
    assert time.monotonic() - began < 20
    told: Findings = json.loads(ran.output)["findings"]
    assert ran.code == int(any(one["level"] in {"warning", "bad"} for one in told)), ran.output
    return told


def test_it_looks_at_everything_and_a_desk_that_works_has_nothing_bad(desk: Appliance) -> None:
    told = findings(desk)
    assert {one["subject"] for one in told} >= SUBJECTS
    assert [one for one in told if one["level"] == "bad" or "could not" in one["what"] or "failed" in one["what"]] == []
    [mailbox] = [one for one in told if one["subject"] == "mailbox"]
    assert "signed in to mail" in mailbox["what"]
    [smtp] = [one for one in told if one["subject"] == "smtp"]
    assert smtp["what"].startswith("mail:587 without TLS, signed in as support@desk.example")
    assert {one["level"] for one in told if one["subject"] in {"ports", "postgresql", "queues"}} == {"ok"}


def test_somebody_who_hands_on_requests_and_is_not_believed_is_named(desk: Appliance) -> None:
    for _ in range(3):
        desk.client(headers={"X-Forwarded-For": "203.0.113.9"}).http.get("/sign-in")
    seen: Findings = []

    def named() -> bool:
        seen[:] = _proxies(findings(desk))
        return bool(seen)

    eventually(named, within=15)
    found = seen[0]
    address = found["paste"].removeprefix("TRUSTED_PROXIES=")
    assert f"came through {address}, which says for whom it asks" in found["what"]


def test_a_desk_that_was_never_started_is_told_what_can_be_told() -> None:
    image = os.environ.get("ATUM_TEST_IMAGE", "atum-desk:latest")
    began = time.monotonic()
    words = ["docker", "run", "--rm", "--network", "none", "--no-healthcheck", "--entrypoint", "atum", image, "doctor", "--json"]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    assert time.monotonic() - began < 25  # Docker's own time counts too
    told = json.loads(ran.stdout)["findings"]
    assert ran.returncode == 1
    assert {one["subject"] for one in told} >= {"database", "settings", "inodes", "ports", "version"}
    assert "PostgreSQL does not answer" in next(one["what"] for one in told if one["subject"] == "database")
    assert "Traceback" not in ran.stderr


def _proxies(told: Findings) -> Findings:
    return [one for one in told if one["subject"] == "proxy" and one["paste"]]


@pytest.fixture
def words(canaries: Canaries) -> Canaries:
    """What customers and agents wrote, beside the secrets that it was told: letters alone, which no mask takes for a token."""
    return Canaries(dict(canaries.told))


def a_word() -> str:
    return "canary" + "".join(secrets.choice(string.ascii_lowercase) for _ in range(14))


def test_of_forty_words_that_are_nobodys_business_none_is_in_a_bundle(attacked: Appliance, words: Canaries) -> None:
    def say(where: str) -> str:
        return words.keep(where, a_word())

    written(attacked, words, say)
    asked(attacked, say)
    broken(attacked, say)
    assert len(words.told) >= 40
    parts = bundle(attacked)
    useful(parts)
    assert {name: heard for name, text in parts.items() if (heard := words.heard(text))} == {}
    for whole in (ADMIN, "support@desk.example", f"{words.told['local part']}@"):
        assert [name for name, text in parts.items() if whole in text] == []
    there = attacked.run("cat", "/run/atum/log/kept/newer.jsonl", user="app").output
    assert words.heard(there), "or it would prove nothing that none came through"


def useful(parts: dict[str, str]) -> None:
    """What somebody who helps looks for first is there."""
    doctor = json.loads(parts["doctor.json"])
    assert {one["subject"] for one in doctor["findings"]} >= SUBJECTS
    assert json.loads(parts["health.json"])["components"]["database"] == {"status": "ok"}
    told = json.loads(parts["settings.json"])
    assert (told["SMTP_HOST"], told["SMTP_PASSWORD"], told["REDIS_URL"]) == ("mail", "(hidden)", None)
    assert {row["table"] for row in json.loads(parts["database.json"])["tables"]} >= {"ticket", "message", "outbox"}
    assert {queue["name"] for queue in json.loads(parts["queues.json"])} >= {"mail", "outbox", "webhooks", "clocks"}
    assert json.loads(parts["audit.json"])["ticket.opened"] >= 1
    assert "nginx" in {each["Name"] for each in json.loads(parts["machine.json"])["processes"]}
    assert "server_name" in parts["conf/nginx/servers.conf"]
    log = [json.loads(line) for line in parts["log.jsonl"].splitlines()]
    assert [line for line in log if line.get("trace", [""])[-1].endswith("Error")]
    assert [line for line in log if line["msg"].startswith("POST /api/v1/tickets ")]


def test_what_customers_mail_is_in_no_bundle(desk: Appliance) -> None:
    words = Canaries()

    def say(where: str) -> str:
        return words.keep(where, a_word())

    headers = {"X_Word": say("header"), "Reply_To": f"{say('name of the reply address')} <{say('reply to')}@customer.example>"}
    mail = desk.mail.write(say("subject"), say("text"), sender=f"{say('sender')}@customer.example", **headers)
    words.keep("Message-ID", str(mail["Message-ID"]))
    eventually(lambda: desk.sql(f"SELECT 1 FROM ticket WHERE subject = '{words.told['subject']}'"), within=20)
    assert {name: heard for name, text in bundle(desk).items() if (heard := words.heard(text))} == {}


def bundle(desk: Appliance) -> dict[str, str]:
    """Its parts, unpacked."""
    command = ["docker", "exec", desk.container.id or "", "atum", "doctor", "--bundle", "-"]
    archive = subprocess.run(command, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        found = {member.name.removeprefix("atum-support/"): tar.extractfile(member) for member in tar.getmembers()}
        return {name: file.read().decode() for name, file in found.items() if file is not None}


def written(desk: Appliance, words: Canaries, say: Any) -> None:
    """By agents, by the API."""
    boss = desk.signed_in(ADMIN, desk.settings["ADMIN_PASSWORD"])
    customer = f"{say('local part')}@customer.example"
    desk.atum("user", "add", customer, "--name", say("name"), "--role", "customer", "--password-stdin", stdin="long enough, yes")
    body = {"subject": say("subject"), "body": say("body"), "requester": customer, "tags": [say("tag")]}
    ticket = boss.post("/tickets", body)["number"]
    boss.post(f"/tickets/{ticket}/acceptance")
    boss.post(f"/tickets/{ticket}/messages", {"body": say("note"), "internal": True})
    boss.post(f"/tickets/{ticket}/messages", {"body": say("answer")})
    file = (f"{say('name of a file')}.txt", say("a file").encode(), "text/plain")
    boss.ask("POST", f"{API}/tickets/{ticket}/attachments", files={"files": file})
    boss.post("/organizations", {"name": say("organization")})
    team = boss.post("/teams", {"name": say("team")})["id"]
    boss.post("/custom-fields", {"key": "room", "label": say("label"), "kind": "text", "team_id": team})
    replies = {"title": say("title of a reply"), "text": say("reply"), "shared_with": "team", "team_id": team}
    boss.post("/canned-replies", replies)
    boss.post("/macros", {"title": say("macro"), "steps": {"priority": "high"}, "shared_with": "team", "team_id": team})
    boss.post("/views", {"name": say("view"), "query": say("query"), "shared": "team", "team_id": team})
    hook = boss.post("/webhooks", {"url": f"https://hooks.customer.example/{say('webhook')}", "events": ["ticket.created"]})
    words.keep("a webhook's secret", hook["secret"])
    words.keep("a token", boss.post("/tokens", {"name": say("name of a token"), "scopes": ["tickets:read"], "days": 1})["token"])
    boss.post(
        "/sla/policies", {"name": say("policy"), "match": {"tag": [say("match")]}, "targets": {"resolution": {"high": 7200}}}
    )
    boss.get(f"/search?q={say('search')}")


def asked(desk: Appliance, say: Any) -> None:
    """By strangers, in every part of a request."""
    client = desk.client()
    for path in (f"/{say('path')}", f"{API}/{say('path of the API')}", f"{API}/tickets/{say('number')}", f"/reset/{say('link')}"):
        client.http.get(path)
    client.http.get(f"/sign-in?next={say('parameter')}&{say('name of a parameter')}=1")
    names = (
        "User-Agent",
        "Referer",
        "X-Request-Id",
        "X-Forwarded-For",
        "Forwarded",
        "Accept-Language",
        "Cookie",
        "Authorization",
    )
    client.http.get("/tickets", headers={name: say(name) for name in names})
    client.http.get("/", headers={"Host": f"{say('host')}.example"})
    client.http.post("/sign-in", data={"email": f"{say('who signs in')}@customer.example", "password": say("a wrong password")})
    client.http.post(f"{API}/auth/password/forgot", json={"email": f"{say('who forgot')}@customer.example"})
    client.http.post(f"{API}/auth/login", content=f'{{"{say("broken JSON")}')


def broken(desk: Appliance, say: Any) -> None:
    """With a traceback, and in what the database says."""
    client = desk.client()
    with gone(desk, "person"):
        client.http.post(
            f"{API}/auth/login", data={"username": f"{say('while it breaks')}@x.example", "password": say("the same")}
        )
    desk.run("psql", "-h", "/run/postgresql", "-U", "atum", "-d", "atum", "-c", f"SELECT '{say('a value')}'::int", user="app")
    eventually(lambda: "a request failed" in desk.logs(), within=5)

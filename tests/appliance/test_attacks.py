"""What an attacker sends to a booted desk, through the real nginx, and what a desk that keeps its secrets writes down of it."""

import contextlib
import json
import re
import socket
import ssl
from email.message import EmailMessage
from typing import Any
from urllib.parse import quote

from tests.appliance.canaries import places
from tests.appliance.client import Client
from tests.appliance.conftest import PUBLIC
from tests.appliance.driver import ADMIN, Appliance, eventually

EVIL = "evil.example"
SPOOFED = {
    "X-Forwarded-For": "1.2.3.4, 5.6.7.8",
    "X-Real-IP": "1.2.3.4",
    "Forwarded": 'for=1.2.3.4;host="evil.example"',
    "CF-Connecting-IP": "<b>1.2.3.4",
    "True-Client-IP": "1.2.3.4",
    "X-Client-IP": "1.2.3.4",
    "X-Forwarded-Host": EVIL,
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Port": "1",
}
FORM = "application/x-www-form-urlencoded"
HIDDEN = (
    "/metrics", "/docs", "/redoc", "/openapi.json", "/api/openapi.json", "/nginx_status", "/stub_status", "/basic_status",
    "/server-status", "/status", "/RPC2", "/supervisor", "/index.html?action=start", "/cron", "/run-cron", "/debug", "/env",
    "/actuator/health", "/.env", "/.git/config", "/static../app/config.py", "/static/%2e%2e/app/config.py", "/admin", "/console",
)  # fmt: skip


def raw(desk: Appliance, request: bytes) -> bytes:
    """The whole answer to bytes that no client library would send."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    plain = socket.create_connection(("127.0.0.1", desk.port(443)), 10)
    with context.wrap_socket(plain, server_hostname="localhost") as s:
        s.sendall(request)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while part := s.recv(65536):
                answer += part
    return answer


def status(answer: bytes) -> int:
    """Of a raw answer; 444 is nginx's own word for hanging up."""
    return int(answer.split(b" ", 2)[1]) if answer else 444


def post(target: str, body: dict[str, Any], head: str, token: str = "") -> bytes:
    content = json.dumps(body).encode()
    more = f"Authorization: Bearer {token}\r\n" if token else ""
    lines = f"POST {target} HTTP/1.1\r\n{head}{more}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    return lines.encode() + b"Connection: close\r\n\r\n" + content


def sign_ins(desk: Appliance, email: str) -> list[dict[str, Any]]:
    """What the audit tells of tries with an address."""
    rows = desk.sql(f"SELECT data FROM audit_event WHERE kind = 'person.sign_in_refused' AND data->>'person' = '{email}'")
    return [json.loads(row[0]) for row in rows]


def test_who_asks_is_the_other_end_of_the_connection_whatever_a_header_says(attacked: Appliance, boss: Client) -> None:
    [[peer]] = attacked.sql("SELECT DISTINCT source FROM sign_in")
    assert peer in {each["Gateway"] for each in attacked.container.attrs["NetworkSettings"]["Networks"].values()}
    client, tries = attacked.client(), []
    for n in range(14):
        spoofed = {name: value.replace("1.2.3.4", f"1.2.3.{n}") for name, value in SPOOFED.items()}
        body = {"username": "spoof@desk.example", "password": "wrong wrong wrong"}
        tries.append(client.http.post("/api/v1/auth/login", data=body, headers=spoofed))
    assert [each.status_code for each in tries] == [401] * 10 + [429] * 4
    assert int(tries[-1].headers["retry-after"]) > 60
    assert tries[-1].headers["ratelimit"].startswith('"tries";r=0;t=')
    assert {row["source"] for row in sign_ins(attacked, "spoof@desk.example")} == {peer}
    signed = attacked.client(headers=SPOOFED).sign_in(ADMIN, attacked.settings["ADMIN_PASSWORD"])
    assert {row["source"] for row in signed.get("/auth/sessions")["items"]} == {peer}
    assert "1.2.3." not in json.dumps(places(attacked))


def test_another_spelling_of_the_way_in_is_no_new_budget(attacked: Appliance, boss: Client) -> None:
    client = attacked.client()
    spellings = (
        "/api/v1/auth/login", "//api/v1/auth/login", "/api//v1/auth/login", "/api/v1/auth/login/", "/API/v1/auth/login",
        "/api/v1/auth/LOGIN", "/api/v1/auth/%6cogin", "/api/v1/auth%2flogin", "/%61pi/v1/auth/login", "/api/v1/./auth/login",
        "/api/v1/x/../auth/login", "/api/v1/%2e/auth/login", "/api/v1/auth/login?x=1", "/api/v1/auth/login;x",
        "/api/api/v1/auth/login",
    )  # fmt: skip
    reached, found = 0, set()
    for n in range(30):
        request = f"username=spelled%40desk.example&password=wrong+wrong+{n}"
        head = (
            f"POST {spellings[n % len(spellings)]} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\nConnection: close\r\n"
        )
        answer = raw(attacked, f"{head}Content-Length: {len(request)}\r\n\r\n{request}".encode())
        reached += b"wrong-password" in answer
        found.add(status(answer))
    for n in range(10):
        data = {"email": "spelled@desk.example", "password": f"wrong wrong {n}"}
        page = client.http.post("/sign-in", data=data, headers={"Origin": f"https://{PUBLIC}"})
        reached += page.status_code == 401
        found.add(page.status_code)
    assert reached == 10, found
    assert found <= {400, 401, 404, 429}  # 401 too for what is not there: a stranger's body is refused before it is read


def test_links_that_are_mailed_lead_to_the_public_url_by_whatever_name_we_were_asked(attacked: Appliance, boss: Client) -> None:
    token = boss.http.headers["Authorization"].partition(" ")[2]
    invite, forgot = "/api/v1/users", "/api/v1/auth/password/forgot"
    refused = {
        f"Host: {EVIL}\r\n": 421,
        f"Host: {EVIL}:443\r\n": 421,
        f"Host: {PUBLIC}.{EVIL}\r\n": 421,
        f"Host: {PUBLIC}@{EVIL}\r\n": 421,
        f"Host: {PUBLIC}\r\nHost: {EVIL}\r\n": 400,
        f"Host: {PUBLIC}/{EVIL}\r\n": 400,
        "Host: 127.0.0.1\r\n": 421,
        "Host:\r\n": 421,
        "": 400,
    }
    before = attacked.sql("SELECT count(*) FROM outbox")
    for head, expected in refused.items():
        for target, body in ((invite, {"email": "x@acme.example", "name": "X", "role": "customer"}), (forgot, {"email": ADMIN})):
            assert status(raw(attacked, post(target, body, head, token))) in {expected, 400, 444}, head
    absolute = f"https://{EVIL}{forgot}"
    assert status(raw(attacked, post(absolute, {"email": ADMIN}, f"Host: {PUBLIC}\r\n"))) == 421
    assert attacked.sql("SELECT count(*) FROM outbox") == before

    spoofed = "".join(f"{name}: {value}\r\n" for name, value in SPOOFED.items())
    taken = (
        f"Host: {PUBLIC}\r\n",
        f"Host: {PUBLIC}:8443\r\n",
        "Host: localhost\r\n",
        f"Host: {PUBLIC}.\r\n",
        f"Host: {PUBLIC.upper()}\r\n",
    )
    for n, head in enumerate(taken):
        body = {"email": f"u{n}@acme.example", "name": "U", "role": "customer"}
        assert status(raw(attacked, post(invite, body, head + spoofed, token))) == 201, head
        assert status(raw(attacked, post(forgot, {"email": f"u{n}@acme.example"}, head + spoofed))) == 202, head
    for n in range(len(taken)):
        for mail in both_letters(attacked, f"u{n}@acme.example"):
            links = re.findall(r"https?://[^\s<>\"]+", mail.as_string().replace("=\n", ""))
            assert links, n
            assert all(f"{link}/".startswith(f"https://{PUBLIC}/") for link in links), links
            assert EVIL not in mail.as_string()


def both_letters(desk: Appliance, address: str) -> list[EmailMessage]:
    """The invitation and the link for a new password, once they are there."""
    eventually(lambda: len(desk.mail.inbox(address)) >= 2, within=20)
    return desk.mail.inbox(address)


def test_what_is_inside_is_not_there_from_outside(attacked: Appliance) -> None:
    stranger = attacked.client()
    for path in HIDDEN:
        assert stranger.http.get(path).status_code in {404, 400}, path
    assert stranger.http.get("/api/v1/openapi.json").status_code == 401
    assert stranger.http.get("/api/docs").status_code == 303
    for asked in ("/api/v1/health", "/api/v1/health?detail=1", "//api/v1/health", "/api/v1/health/"):
        answer = stranger.http.get(asked, headers={"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"})
        if answer.status_code == 200:
            assert set(answer.json()) == {"status", "timestamp", "version"}, asked
    assert "server" not in stranger.http.get("/").headers or "/" not in stranger.http.get("/").headers["server"]


def test_what_an_attacker_is_called_stays_in_one_line_of_the_log(attacked: Appliance, boss: Client) -> None:
    odd = '\x1b[2Jx\x07"}\\{"level":"fatal","msg":"owned"}'
    lines = ('\r\n{"ts":"1","level":"fatal","msg":"owned"}', "\x0b\x0c\x85\u2028\u2029", "\x1b]0;owned\x07", "\\u000a", "%0d%0a")
    client = attacked.client()
    for line in lines:
        client.http.post("/api/v1/auth/login", data={"username": f"a{line}@x.example", "password": "wrong wrong"})
        client.http.post("/sign-in", data={"email": f"a{line}", "password": "x"}, headers={"Origin": f"https://{PUBLIC}"})
        boss.ask("POST", "/api/v1/tickets", json={"subject": f"s{line}", "body": f"b{line}"}, expect=201)
        client.http.get("/tickets/" + quote(line))
    raw(attacked, b"GET /a HTTP/1.1\r\nHost: localhost\r\nUser-Agent: " + odd.encode() + b"\r\nConnection: close\r\n\r\n")
    raw(attacked, b'GET /\x1b[31m{"msg":"owned"} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    raw(attacked, b'GET /b HTTP/1.1\r\nHost: localhost\r\nUser-Agent: x\r{"msg":"owned"}\r\nConnection: close\r\n\r\n')
    raw(attacked, b'\x16\x03\x01{"msg":"owned"}\n\r\n\r\n')
    for line in attacked.logs().rstrip("\n").split("\n"):
        told = json.loads(line)
        assert isinstance(told, dict), line
        assert {"ts", "level", "proc", "msg"} <= set(told), line
        assert told["level"] != "fatal", line
        assert told["msg"] != "owned", line
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", attacked.logs())

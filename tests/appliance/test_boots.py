"""Wherever it is started, it does its job: a customer's mail becomes a ticket, and the answers land in the same thread.

The default is test_story.py's, the demo test_demo.py's, servers of one's own test_external.py's.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.appliance.certificates import make as make_pair
from tests.appliance.conftest import Make
from tests.appliance.driver import ADMIN, MAIL, MAIL_SERVICE, PASSWORD, Appliance
from tests.appliance.ports import ByHand, port_of
from tests.appliance.test_hardening import processes
from tests.appliance.test_story import does_its_job

ALONE = {"IMAP_HOST": "127.0.0.1", "SMTP_HOST": "127.0.0.1"}
WITHIN = MAIL_SERVICE.replace('ports: ["127.0.0.1::25", "127.0.0.1::143"]', 'network_mode: "service:desk"')
SMALL = "mem_limit: 768m"
NO_IPV6 = "sysctls:\n  net.ipv6.conf.all.disable_ipv6: 1\n  net.ipv6.conf.default.disable_ipv6: 1"
KATHMANDU = {"TZ": "Asia/Kathmandu"}

# What Nginx Proxy Manager sends along.
PROXY = """
events {}
pid /tmp/nginx.pid;
error_log stderr;
http {
    access_log off;
    client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
    resolver 127.0.0.11 valid=1s;
    server {
        listen 443 ssl;
        ssl_certificate /proxy/tls.crt;
        ssl_certificate_key /proxy/tls.key;
        location / {
            set $desk http://desk:80;
            proxy_pass $desk;
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-Scheme $scheme;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Real-IP $remote_addr;
        }
    }
}
"""
PROXY_SERVICE = """
  proxy:
    image: atum-desk:latest
    entrypoint: ["nginx", "-c", "/proxy/nginx.conf", "-g", "daemon off;"]
    healthcheck: {{test: ["CMD", "true"], interval: 1s}}
    volumes: ["{folder}:/proxy:ro"]
    tmpfs: ["/tmp"]
    ports: ["127.0.0.1::443"]
"""


@pytest.fixture
def by_hand() -> Iterator[ByHand]:
    """A way in where there is no network."""
    way = ByHand()
    yield way
    way.close()


def test_on_a_small_machine_in_kathmandu_without_any_network(make: Make, by_hand: ByHand) -> None:
    more = f"{SMALL}\nnetwork_mode: none"
    desk = make(mail=False, ports=False, settings=MAIL | ALONE | KATHMANDU, services=WITHIN, more=more, way=by_hand).up()
    number = does_its_job(desk)
    assert_in_kathmandu(desk, number)
    assert_room_enough(desk)


def test_as_an_ordinary_user_without_any_power(make: Make) -> None:
    """Nobody has a name for this one, and what outlives a killed parent is told by it alone."""
    desk = make(user="12345:12345").up()
    does_its_job(desk)
    assert {(uid, powers) for uid, powers, _, _ in processes(desk)} == {(12345, 0)}
    assert desk.container.attrs["HostConfig"]["CapAdd"] in ([], None)
    for program in ("nginx", "postgres"):
        desk.until_replaced(program, desk.signal(program))
        desk.until_healthy(15)
    assert "sound" in desk.atum("backup")


@pytest.mark.slow
def test_an_ordinary_user_finds_everything_again(make: Make) -> None:
    desk = make(user="12345:12345").up()
    number = does_its_job(desk)
    assert desk.stop()[0] == 0
    desk.start()
    assert [ticket["number"] for ticket in desk.signed_in().tickets()] == [number]


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"settings": KATHMANDU}, {"more": SMALL}, {"more": NO_IPV6}], ids=["zone", "memory", "ipv6"])
def test_each_of_these_alone(make: Make, options: dict[str, Any]) -> None:
    does_its_job(make(**options).up())


@pytest.mark.slow
def test_behind_a_proxy_that_ends_tls(make: Make, tmp_path: Path) -> None:
    """The proxy is believed about who asks, and its visitor isn't; nobody is sent round in circles."""
    folder = tmp_path / "proxy"
    make_pair(folder)
    (folder / "nginx.conf").write_text(PROXY)
    desk = make(settings={"ATUM_TLS": "off"}, services=PROXY_SERVICE.format(folder=folder)).up(wait=False)
    proxy = desk._of("proxy")
    proxy.reload()
    [network] = proxy.attrs["NetworkSettings"]["Networks"].values()
    desk.settings["TRUSTED_PROXIES"] = network["IPAddress"]
    desk.way = lambda container, inside: port_of(proxy if inside == 443 else container, inside)
    desk.up()
    does_its_job(desk)

    with desk.client(headers={"X-Forwarded-For": "192.0.2.7", "X-Request-Id": "by the proxy"}) as visitor:
        assert visitor.http.get("/tickets").headers["X-Request-Id"] == "by the proxy"
        form = {"email": ADMIN, "password": PASSWORD}
        entered = visitor.http.post("/sign-in", data=form, headers={"Origin": "https://localhost"})
        assert (entered.status_code, entered.headers["Location"]) == (303, "/tickets")
        assert "Secure" in entered.headers["Set-Cookie"]
        shown = visitor.http.get("/tickets", headers={"Cookie": entered.headers["Set-Cookie"].partition(";")[0]})
        assert shown.status_code == 200
    assert desk.sql("SELECT DISTINCT source FROM sign_in") == [[network["Gateway"]]]


def assert_in_kathmandu(desk: Appliance, number: int) -> None:
    """People are told its times, and UTC is what is kept."""
    clocks = desk.signed_in().get(f"/tickets/{number}/sla")["items"]
    assert any("+0545" in line for clock in clocks for line in clock["explanation"])
    assert desk.sql("SHOW timezone") == [["UTC"]]


def assert_room_enough(desk: Appliance) -> None:
    """Nothing was killed for want of memory."""
    desk.container.reload()
    assert not desk.container.attrs["State"]["OOMKilled"]
    assert "SIGKILL" not in desk.logs()

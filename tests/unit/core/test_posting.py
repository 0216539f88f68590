"""Leaving something where somebody said: only on the open net, or on one's own where that is meant, and never for long."""

import time
from ipaddress import ip_address

import pytest

from app.core.http import Guard, Refused, is_near
from tests.unit.core.test_http import HERE, local, says, serving

JSON = {"Content-Type": "application/json"}


def left(url: str, port: int, *, patience: float = 5.0) -> int:
    return Guard(may_reach=local, ports=(port,)).post(url, b'{"x": 1}', JSON, patience=patience)


def test_what_is_left_there_is_answered_by_a_status_and_nothing_else() -> None:
    with serving(says(b"x" * 100_000, "202 Accepted")) as (port, asked):
        assert left(f"http://{HERE}:{port}/in?a=1", port) == 202
    head, _, body = asked[0].partition(b"\r\n\r\n")
    assert (head.splitlines()[0], body) == (b"POST /in?a=1 HTTP/1.1", b'{"x": 1}')
    assert {b"Content-Length: 8", b"Content-Type: application/json", f"Host: {HERE}:{port}".encode()} < set(head.splitlines())


def test_whoever_gets_something_sends_us_nowhere_else() -> None:
    with serving(says(b"", "307 On", Location="http://169.254.169.254/latest/")) as (port, asked):
        assert left(f"http://{HERE}:{port}/", port) == 307
        assert len(asked) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "169.254.169.254", "10.0.0.1", "[fd00::1]", "localhost", "0x7f.1"])
def test_nothing_is_left_inside_of_a_house(host: str) -> None:
    with pytest.raises(Refused, match="not on the open net"):
        Guard().post(f"http://{host}/", b"", JSON, patience=5)


@pytest.mark.parametrize("url", ["http://[::1", "http://u:p@x.example/", "ftp://x.example/", "http://x.example:22/"])
def test_nor_where_no_page_is(url: str) -> None:
    with pytest.raises(Refused):
        Guard().post(url, b"", JSON, patience=5)


def test_whoever_takes_it_and_says_nothing_is_let_go_in_time() -> None:
    with serving(lambda _: time.sleep(3)) as (port, _):
        began = time.monotonic()
        with pytest.raises(Refused):
            left(f"http://{HERE}:{port}/", port, patience=0.5)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("address", "near"),
    [("10.1.2.3", True), ("172.16.0.1", True), ("192.168.1.1", True), ("100.64.0.7", True), ("fd12::1", True), ("9.9.9.9", True),
     ("127.0.0.1", False), ("0.0.0.0", False), ("169.254.169.254", False), ("::1", False), ("fe80::1", False),
     ("100.100.100.200", False), ("fd00:ec2::254", False), ("::ffff:10.0.0.1", False), ("224.0.0.1", False)],
)  # fmt: skip
def test_one_s_own_network_is_near_and_this_machine_is_not(address: str, near: bool) -> None:
    assert is_near(ip_address(address)) == near

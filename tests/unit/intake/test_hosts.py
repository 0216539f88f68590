"""A mail server may be anywhere but inside of the desk."""

import pytest

from app.intake.rules import hosts


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "169.254.169.254",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
    ],
)
def test_what_leads_back_is_refused(address: str) -> None:
    assert hosts.leads_back(address)


@pytest.mark.parametrize(
    "address", ["10.0.0.5", "172.16.3.4", "192.168.1.10", "100.64.0.1", "fd12::5", "203.0.113.7", "2001:db8::1"]
)
def test_servers_of_ones_own_network_and_of_the_world_are_not(address: str) -> None:
    assert not hosts.leads_back(address)

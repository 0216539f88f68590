"""A certificate from an authority: had while the desk runs, renewed in time, and not missed when there is none."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from tests.appliance import authority
from tests.appliance.conftest import kept
from tests.appliance.driver import Appliance, eventually
from tests.appliance.visitors import shown

LIFE = 90  # seconds; renewed when a third is left


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    authority.build()
    yield from kept(authority.with_pebble(tmp_path_factory.mktemp("acme"), seconds=LIFE), lambda one: one.up())


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """One whose name leads nowhere."""
    authority.build()
    made = authority.with_pebble(tmp_path_factory.mktemp("acme"), host="nowhere.example", seconds=LIFE)
    yield from kept(made, lambda one: one.up())


def issuer(desk: Appliance) -> str:
    return shown(desk.port(443)).issuer.rfc4514_string()


def reason(desk: Appliance) -> str:
    return str(desk.parts()["tls"].get("reason"))


def tries(desk: Appliance) -> dict[str, object]:
    found: dict[str, object] = json.loads(desk.run("cat", "/data/tls/acme/tries.json").output)
    return found


def until_from_pebble(desk: Appliance) -> float:
    return eventually(lambda: "Pebble" in issuer(desk), within=60, otherwise=desk.logs)


def test_it_starts_at_once_and_gets_its_certificate_while_it_runs(proven: Appliance) -> None:
    """The fixture waited for a healthy desk, with one of its own."""
    took = until_from_pebble(proven)
    print(f"from the authority {took:.1f} s after the desk was healthy")
    listed = proven.run("sh", "-c", "cd /data/tls/acme && stat -c '%a %U %n' *").output.splitlines()
    assert listed == ["600 root account.key", "600 root certificate.pem", "600 root tries.json"]
    assert proven.run("find", "/run/atum/acme", "-name", "acme-challenge").output == ""
    assert "gave a certificate for desk.example" in proven.logs()
    assert "nginx shows the new certificate" in proven.logs()
    assert proven.health()[0] == 200


@pytest.mark.slow
def test_it_is_renewed_when_a_third_of_its_life_is_left(proven: Appliance) -> None:
    until_from_pebble(proven)
    first = shown(proven.port(443))
    eventually(lambda: shown(proven.port(443)) != first, within=LIFE, otherwise=proven.logs)
    second = shown(proven.port(443))
    assert "Pebble" in second.issuer.rfc4514_string()
    assert second.not_valid_before_utc < first.not_valid_after_utc
    assert second.public_key() != first.public_key()


@pytest.mark.slow
def test_the_old_one_stays_while_the_authority_is_away_and_is_renewed_when_somebody_asks(proven: Appliance) -> None:
    until_from_pebble(proven)
    proven.compose("stop", "-t", "0", "pebble")
    eventually(lambda: "could not be renewed: It can't be reached" in reason(proven), within=LIFE, otherwise=proven.parts)
    assert "Pebble" in issuer(proven)
    assert proven.logs().count("could not be renewed: It can't be reached") == 1
    proven.compose("start", "pebble")
    last = shown(proven.port(443))
    proven.run("touch", "/run/atum/app/certificate-asked", user="app")
    eventually(lambda: shown(proven.port(443)) != last, within=30, otherwise=proven.logs)
    assert "could not be renewed" not in reason(proven)


@pytest.mark.slow
def test_a_name_that_can_not_be_proven_is_told_in_the_authoritys_words_and_no_restart_asks_sooner(stranger: Appliance) -> None:
    eventually(lambda: "There is no certificate for nowhere.example yet:" in reason(stranger), within=60, otherwise=stranger.logs)
    assert "nowhere.example" in issuer(stranger)
    assert stranger.health()[1]["status"] == "degraded"
    found = tries(stranger)
    wait = datetime.fromisoformat(str(found["next_at"])) - datetime.fromisoformat(str(found["at"]))
    assert timedelta(minutes=1) <= wait <= timedelta(minutes=1.25)
    assert "nowhere.example" in str(found["said"])
    stranger.stop()
    stranger.start()
    eventually(lambda: "There is no certificate for nowhere.example yet:" in reason(stranger), within=20)
    assert tries(stranger) == found

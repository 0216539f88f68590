"""compose.yaml says what the settings, the image and the interface say."""

import re
from pathlib import Path

from app.config import NAMES

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "compose.yaml").read_text()
OF_A_CHECKOUT = {"DATA_DIR", "RUN_DIR"}


def listed(key: str) -> list[str]:
    """The items of a list below this key, without their comments."""
    block = re.search(rf"^    {key}:\n((?:      - .*\n)+)", COMPOSE, re.MULTILINE)
    assert block, key
    return [line.split("- ", 1)[1].split("#")[0].strip().strip('"') for line in block[1].splitlines()]


def test_every_setting_can_be_given_to_compose() -> None:
    assert set(re.findall(r"^      ([A-Z0-9_]+):", COMPOSE, re.MULTILINE)) == set(NAMES) - OF_A_CHECKOUT


def test_a_setting_that_nobody_gave_stays_absent() -> None:
    given = re.findall(r"^      ([A-Z0-9_]+):[ ]+\S", COMPOSE, re.MULTILINE)
    assert given == ["ATUM_URL"]


def test_the_container_gets_no_more_than_it_needs() -> None:
    assert listed("cap_drop") == ["ALL"]
    assert listed("cap_add") == ["CHOWN", "SETUID", "SETGID", "KILL", "NET_BIND_SERVICE"]
    assert listed("security_opt") == ["no-new-privileges:true"]
    assert "    read_only: true\n" in COMPOSE
    assert listed("tmpfs") == ["/run:mode=0755,size=64m", "/tmp:mode=1777,size=16m"]


def test_one_volume_holds_everything_and_two_ports_lead_in() -> None:
    assert listed("volumes") == ["desk-data:/data"]
    assert listed("ports") == ["${HTTP_PORT:-80}:80", "${HTTPS_PORT:-443}:443"]


def test_it_comes_back_after_the_machine_restarts() -> None:
    assert "    restart: unless-stopped\n" in COMPOSE


def test_one_more_file_opens_port_25_and_switches_it_on() -> None:
    more = (ROOT / "compose.smtp-in.yaml").read_text()
    assert '      - "${SMTP_IN_PORT:-25}:25"\n' in more
    assert '      SMTP_IN: "on"\n' in more
    assert "SMTP_IN_DOMAINS: ${SMTP_IN_DOMAINS:?" in more


def test_one_more_file_opens_udp_for_http_3_and_switches_it_on() -> None:
    more = (ROOT / "compose.http3.yaml").read_text()
    assert '      - "${HTTPS_PORT:-443}:443/udp"\n' in more
    assert '      HTTP3: "on"\n' in more


def test_one_more_file_makes_it_an_ordinary_user_on_high_ports_without_any_power() -> None:
    more = (ROOT / "compose.rootless.yaml").read_text()
    assert "    user: ${DESK_USER:-12345:12345}\n" in more
    assert '      - "${HTTP_PORT:-8080}:8080"\n      - "${HTTPS_PORT:-8443}:8443"\n' in more
    assert "    cap_add: !reset []\n" in more

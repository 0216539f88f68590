"""Settings: everything wrong is told at once, and nothing is believed that was not checked."""

import contextlib
import re
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import config
from app.config import BadSettings

NO_SECRETS = Path("/nonexistent")


def problems(environ: dict[str, str], secrets: Path = NO_SECRETS) -> dict[str, str]:
    with pytest.raises(BadSettings) as caught:
        config.load(environ, secrets=secrets)
    return {problem.name: problem.reason for problem in caught.value.problems}


def load(**environ: str) -> config.Settings:
    return config.load(environ, secrets=NO_SECRETS)


def test_nothing_needs_to_be_set() -> None:
    assert load().atum_url == "https://localhost"
    assert load().embedded_database
    assert load().embedded_redis


def test_every_problem_is_told_at_once() -> None:
    found = problems({"ATUM_URL": "desk", "IMAP_PORT": "many", "TZ": "Europe/Berlim", "WEB_CONCURRENCY": "0"})
    assert set(found) == {"ATUM_URL", "IMAP_PORT", "TZ", "WEB_CONCURRENCY"}
    assert "did you mean Europe/Berlin" in found["TZ"]


def test_an_unknown_name_of_ours_is_refused_and_the_nearest_one_named() -> None:
    assert "did you mean ATUM_TLS" in problems({"ATUM_TSL": "off"})["ATUM_TSL"]


def test_other_programs_variables_are_none_of_our_business() -> None:
    assert load(PATH="/bin", HOSTNAME="desk").host == "localhost"


def test_an_empty_value_counts_as_not_given() -> None:
    assert load(IMAP_HOST="", IMAP_PORT="").imap_port == 993


def test_a_value_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("s3cret value\n")
    settings = load(IMAP_HOST="imap.example", IMAP_USER="u", IMAP_PASSWORD_FILE=str(tmp_path / "pw"))
    assert settings.imap_password == "s3cret value"


def test_a_file_in_run_secrets_is_read_without_being_named(tmp_path: Path) -> None:
    (tmp_path / "smtp_password").write_text("from the folder")
    assert config.load({}, secrets=tmp_path).smtp_password == "from the folder"


def test_a_value_and_a_file_for_the_same_setting_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("x")
    assert "both" in problems({"SMTP_PASSWORD": "a", "SMTP_PASSWORD_FILE": str(tmp_path / "pw")})["SMTP_PASSWORD"]


@pytest.mark.parametrize(
    ("content", "reason"), [("", "empty"), ("one\ntwo\n", "more than one line"), ("a\r\nb", "more than one")]
)
def test_a_damaged_secret_file_is_refused_without_telling_the_secret(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "pw").write_text(content)
    found = problems({"SMTP_PASSWORD_FILE": str(tmp_path / "pw")})
    assert reason in found["SMTP_PASSWORD_FILE"]
    assert "two" not in found["SMTP_PASSWORD_FILE"]


def test_a_missing_secret_file_is_refused() -> None:
    assert "No such file" in problems({"SMTP_PASSWORD_FILE": "/nowhere/pw"})["SMTP_PASSWORD_FILE"]


def test_settings_that_need_each_other_are_asked_for() -> None:
    found = problems({"IMAP_HOST": "imap.example", "SMTP_HOST": "smtp.example", "ADMIN_EMAIL": "a@b.example", "TLS_CERT": "/x"})
    assert set(found) == {"IMAP_USER", "IMAP_PASSWORD", "SMTP_FROM", "ADMIN_PASSWORD", "TLS_CERT"}


@pytest.mark.parametrize("host", ["localhost", "192.0.2.7"])
def test_no_authority_is_asked_for_what_it_can_not_prove(host: str) -> None:
    assert "proves a name in the public DNS" in problems({"ATUM_TLS": "acme", "ATUM_URL": f"https://{host}"})["ATUM_URL"]
    assert load(ATUM_TLS="acme", ATUM_URL="https://desk.example.com").acme_directory.startswith(
        "https://acme-v02.api.letsencrypt"
    )


def test_what_browsers_are_told_of_https_is_seconds_or_nothing() -> None:
    assert (load(HSTS="300").hsts_seconds, load(HSTS="off").hsts_seconds, load().hsts_seconds) == (300, None, None)
    assert set(problems({"HSTS": "on"})) == set(problems({"HSTS": "0"})) == {"HSTS"}
    assert set(problems({"HTTP3": "on", "ATUM_TLS": "off"})) == {"HTTP3"}


def test_the_nightly_backup_has_a_time_of_day_or_is_off() -> None:
    assert load(BACKUP_SCHEDULE="03:33").backup_schedule == "03:33"
    assert load(BACKUP_SCHEDULE="off").backup_schedule == "off"
    assert set(problems({"BACKUP_SCHEDULE": "24:00"})) == {"BACKUP_SCHEDULE"}


def test_taking_mail_by_smtp_needs_the_domains_to_take_it_for() -> None:
    assert "whose mail to take" in problems({"SMTP_IN": "on"})["SMTP_IN_DOMAINS"]
    assert load(SMTP_IN="on", SMTP_IN_DOMAINS="Example.com, xn--mnchen-3ya.example").smtp_in_domains == (
        "example.com",
        "münchen.example",
    )
    assert not load(SMTP_IN_DOMAINS="example.com").smtp_in


@pytest.mark.parametrize("domains", ["*.example.com", "support@example.com", "example.com;x", ".", "-x.example", "a..b"])
def test_what_is_no_domain_is_named(domains: str) -> None:
    assert "is not a domain's name" in problems({"SMTP_IN": "on", "SMTP_IN_DOMAINS": domains})["SMTP_IN_DOMAINS"]


def test_a_placeholder_is_no_password() -> None:
    assert "placeholder" in problems({"ADMIN_EMAIL": "a@b.example", "ADMIN_PASSWORD": "changeme"})["ADMIN_PASSWORD"]


def test_a_bad_proxy_network_is_named() -> None:
    assert "'10.0.0.0/99'" in problems({"TRUSTED_PROXIES": "192.168.0.0/16, 10.0.0.0/99"})["TRUSTED_PROXIES"]
    assert load(TRUSTED_PROXIES="192.168.0.0/16 ::1").trusted_proxies == (ip_network("192.168.0.0/16"), ip_network("::1"))


def test_resolving_hands_on_values_and_no_file_names(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("s3cret")
    resolved = config.resolve({"PATH": "/bin", "SMTP_PASSWORD_FILE": str(tmp_path / "pw")}, secrets=NO_SECRETS)
    assert resolved == {"PATH": "/bin", "SMTP_PASSWORD": "s3cret"}


def test_defaults_env_tells_every_setting_with_its_default_and_why() -> None:
    lines = Path("conf/defaults.env").read_text().splitlines()
    told = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z0-9_]+=", line))
    assert told == {name: default or "" for name, default in config.DEFAULTS.items()}
    for number, line in enumerate(lines):
        if re.match(r"[A-Z0-9_]+=", line):
            assert lines[number - 1].startswith("# "), line


@given(st.dictionaries(st.sampled_from(config.NAMES), st.text(max_size=30), max_size=12))
def test_whatever_is_given_it_is_taken_or_told_what_is_wrong(environ: dict[str, str]) -> None:
    with contextlib.suppress(BadSettings):
        config.load(environ, secrets=NO_SECRETS)

"""Which certificate nginx gets to show, and what people are told about one that it can't."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from app.config import Settings, load
from app.entry.smtp_in import Certificate
from app.ops import placing, renewal, tries
from app.ops.certificates import install
from app.ops.installed import for_browsers, for_nginx, for_smtp, mark
from app.ops.pairs import Refused, covers, make_self_signed, read

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOST = "desk.example.com"


@pytest.fixture(autouse=True)
def our_own_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no nginx here to give the key to."""
    monkeypatch.setattr(placing, "group_id", lambda _name: os.getegid())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for(tmp_path)


def settings_for(tmp_path: Path, tls: str = "files", **more: str) -> Settings:
    for folder in (tmp_path / "data/tls", tmp_path / "run/tls", tmp_path / "run/tls-smtp"):
        folder.mkdir(parents=True, exist_ok=True)
    environ = {
        "ATUM_URL": f"https://{HOST}", "ATUM_TLS": tls, "DATA_DIR": str(tmp_path / "data"), "RUN_DIR": str(tmp_path / "run"),
    }  # fmt: skip
    return load(environ | more)


def bring(settings: Settings, names: list[str], made: datetime = NOW) -> None:
    chain, key = make_self_signed(names, made)
    (settings.data_dir / "tls/tls.crt").write_bytes(chain)
    (settings.data_dir / "tls/tls.key").write_bytes(key)


def told(settings: Settings) -> dict[str, object]:
    found: dict[str, object] = json.loads((settings.run_dir / "tls.json").read_text())
    return found


def test_a_good_pair_is_installed_with_a_key_that_others_cannot_read(settings: Settings) -> None:
    bring(settings, [HOST])
    install(settings, NOW)
    assert (settings.run_dir / "tls/tls.key").stat().st_mode & 0o777 == 0o640
    found = told(settings)
    assert {name: found[name] for name in ("mode", "not_after", "names", "issuer", "trusted", "problem")} == {
        "mode": "files", "not_after": (NOW + timedelta(days=365)).isoformat(), "names": [HOST], "issuer": f"CN={HOST}",
        "trusted": False, "problem": None,
    }  # fmt: skip


def test_the_smtp_door_gets_a_copy_of_its_own_where_it_is_on(settings: Settings, tmp_path: Path) -> None:
    bring(settings, [HOST])
    install(settings, NOW)
    assert list((tmp_path / "run/tls-smtp").iterdir()) == []
    on = settings_for(tmp_path, SMTP_IN="on", SMTP_IN_DOMAINS="example.com")
    install(on, NOW)
    chain, key = for_smtp(on)
    assert key.stat().st_mode & 0o777 == 0o640
    assert chain.read_bytes() == (tmp_path / "run/tls/tls.crt").read_bytes()
    door = Certificate(on)
    door.look()
    first = door.context
    assert first
    door.look()
    assert door.context is first
    other_chain, other_key = make_self_signed([HOST], NOW)
    key.write_bytes(other_key)
    door.look()
    assert door.context is first  # half of a new pair is none
    chain.write_bytes(other_chain)
    door.look()
    assert door.context is not first


def test_without_tls_the_smtp_door_has_none_to_offer(tmp_path: Path) -> None:
    off = settings_for(tmp_path, tls="off", SMTP_IN="on", SMTP_IN_DOMAINS="example.com")
    install(off, NOW)
    door = Certificate(off)
    door.look()
    assert door.context is None


def test_a_key_that_is_not_the_certificates_is_refused_by_name(settings: Settings) -> None:
    bring(settings, [HOST])
    (settings.data_dir / "tls/tls.key").write_bytes(make_self_signed([HOST], NOW)[1])
    with pytest.raises(Refused, match=r"tls\.key is not the key of .*tls\.crt") as refused:
        install(settings, NOW)
    assert refused.value.code == 64
    assert not (settings.run_dir / "tls/tls.crt").exists()


def test_a_bad_new_pair_leaves_the_old_one_and_tells(settings: Settings) -> None:
    bring(settings, [HOST])
    install(settings, NOW)
    shown = (settings.run_dir / "tls/tls.crt").read_bytes()
    (settings.data_dir / "tls/tls.crt").write_text("rubbish")
    with pytest.raises(Refused):
        install(settings, NOW)
    assert (settings.run_dir / "tls/tls.crt").read_bytes() == shown
    assert told(settings)["names"] == [HOST]
    assert "tls.crt holds no certificate" in str(told(settings)["problem"])


def test_a_pair_that_nginx_would_not_show_is_taken_back(settings: Settings) -> None:
    bring(settings, [HOST])
    install(settings, NOW)
    shown = [path.read_bytes() for path in for_nginx(settings)]
    bring(settings, [HOST], NOW + timedelta(minutes=1))
    with pytest.raises(Refused, match=r"nginx would not show .*tls\.crt: it dislikes the key"):
        install(settings, NOW, ask=lambda: "it dislikes the key")
    assert [path.read_bytes() for path in for_nginx(settings)] == shown
    assert (settings.run_dir / "tls/tls.key").stat().st_mode & 0o777 == 0o640


def test_a_missing_file_is_named_and_ends_the_container_with_66(settings: Settings) -> None:
    bring(settings, [HOST])
    (settings.data_dir / "tls/tls.key").unlink()
    with pytest.raises(Refused, match=r"tls\.key is not there") as refused:
        install(settings, NOW)
    assert refused.value.code == 66


def test_a_file_that_cannot_be_read_is_told_with_its_owner_and_the_command(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(settings, [HOST])
    key = settings.data_dir / "tls/tls.key"
    key.chmod(0o600)
    real = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path == key:
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(Refused) as refused:
        install(settings, NOW)
    assert refused.value.code == 66
    assert f"{key} can't be read: Permission denied" in str(refused.value)
    assert "mode 0600" in str(refused.value)
    assert f"chown 0:0 {key} && chmod 0600 {key}" in str(refused.value)


@pytest.mark.parametrize(
    ("names", "made", "problem"),
    [
        ([HOST], NOW - timedelta(days=366), "expired on 2026-02-28"),
        ([HOST], NOW - timedelta(days=355), "expires on 2026-03-11"),
        ([HOST], NOW + timedelta(days=2), "is valid only from 2026-03-03"),
        (["other.example.com", "10.0.0.1"], NOW, f"is for other.example.com, 10.0.0.1, not for {HOST}"),
        (["*.example.com"], NOW, None),
    ],
)
def test_a_pair_that_is_not_quite_right_is_served_and_told(
    settings: Settings, names: list[str], made: datetime, problem: str | None
) -> None:
    bring(settings, names, made)
    state = install(settings, NOW)
    assert (settings.run_dir / "tls/tls.crt").exists()
    assert state.problem is None if problem is None else problem in str(state.problem)


def test_a_key_with_a_passphrase_or_of_a_kind_browsers_do_not_take_is_refused(settings: Settings) -> None:
    bring(settings, [HOST])
    crt, key = settings.data_dir / "tls/tls.crt", settings.data_dir / "tls/tls.key"
    secret = ec.generate_private_key(ec.SECP256R1())
    key.write_bytes(as_pem(secret, serialization.BestAvailableEncryption(b"x")))
    with pytest.raises(Refused, match="passphrase"):
        read(crt, key)
    key.write_bytes(as_pem(ed25519.Ed25519PrivateKey.generate(), serialization.NoEncryption()))
    with pytest.raises(Refused, match="neither an RSA nor an elliptic-curve key"):
        read(crt, key)


def test_one_of_our_own_is_made_for_every_name_and_address_of_the_container(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, "self-signed")
    state = install(settings, NOW)
    assert {HOST, "localhost", "127.0.0.1", "::1"} <= set(state.names)
    assert state.problem is None
    assert (settings.data_dir / "tls/self-signed.key").stat().st_mode & 0o777 == 0o600


def test_one_of_our_own_is_kept_until_a_month_before_its_end(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, "self-signed")
    first = install(settings, NOW)
    assert install(settings, NOW + timedelta(days=330)) == first
    assert install(settings, NOW + timedelta(days=336)).not_after != first.not_after


def test_a_new_public_name_gets_a_new_certificate(tmp_path: Path) -> None:
    install(settings_for(tmp_path, "self-signed"), NOW)
    renamed = load({
        "ATUM_URL": "https://help.example.org", "DATA_DIR": str(tmp_path / "data"), "RUN_DIR": str(tmp_path / "run"),
    })  # fmt: skip
    assert "help.example.org" in install(renamed, NOW).names


def test_what_did_not_change_is_not_written_again(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, "self-signed")
    install(settings, NOW)
    installed = settings.run_dir / "tls/tls.crt"
    before = mark(installed)
    install(settings, NOW + timedelta(days=1))
    assert mark(installed) == before


def test_browsers_are_told_to_insist_only_while_they_believe_the_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    settings = settings_for(tmp_path, HSTS="300")
    bring(settings, [HOST], now)
    install(settings, now)
    assert for_browsers(settings).read_text() == ""
    monkeypatch.setenv("SSL_CERT_FILE", str(settings.data_dir / "tls/tls.crt"))
    install(settings, now)
    assert for_browsers(settings).read_text() == 'on "max-age=300";\n'
    bring(settings, ["other.example.com"], now)
    install(settings, now)
    assert for_browsers(settings).read_text() == ""
    install(settings_for(tmp_path), now)
    assert for_browsers(settings).read_text() == ""


def given(settings: Settings, names: list[str], made: datetime) -> None:
    """As if an authority had given this."""
    chain, key = make_self_signed(names, made)
    renewal.path(settings).parent.mkdir(exist_ok=True)
    renewal.path(settings).write_bytes(key + chain)


def vain(settings: Settings, said: str, *, since: datetime) -> None:
    """As if it had been asked since then and said no."""
    so_far = tries.failed(renewal.known(settings), said, since, chance=0.0)
    renewal.path(settings).parent.mkdir(exist_ok=True)
    renewal.path(settings).with_name("tries.json").write_bytes(tries.text(so_far))


def test_until_an_authority_gives_one_it_is_one_of_our_own_and_says_why(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, "acme")
    first = install(settings, NOW)
    assert (first.shown, first.problem) == ("self-signed", None)
    assert "is being asked for" in str(first.hint)
    vain(settings, "desk.example.com has no address (dns)", since=NOW)
    refused = install(settings, NOW)
    assert refused.problem == "There is no certificate for desk.example.com yet: desk.example.com has no address (dns)"
    assert refused.tried
    assert refused.tried["failures"] == 1


def test_what_an_authority_gave_is_shown_unless_it_is_for_another_name(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, "acme")
    given(settings, ["other.example.com"], NOW)
    assert install(settings, NOW).shown == "self-signed"
    given(settings, [HOST], NOW)
    assert install(settings, NOW).shown == "acme"
    assert b"PRIVATE" not in for_nginx(settings)[0].read_bytes()


def test_a_renewal_that_fails_is_a_problem_after_a_day_and_the_old_one_stays(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, "acme")
    given(settings, [HOST], NOW - timedelta(days=300))
    vain(settings, "It can't be reached", since=NOW)
    words = "The certificate for desk.example.com could not be renewed: It can't be reached"
    soon, later = install(settings, NOW + timedelta(hours=1)), install(settings, NOW + timedelta(days=2))
    assert (soon.problem, soon.hint, soon.shown) == (None, words, "acme")
    assert (later.problem, later.hint, later.shown) == (words, None, "acme")
    end = str(install(settings, NOW + timedelta(days=60)).problem)
    assert end.startswith(words)
    assert end.endswith("expires on 2026-05-05, in less than 14 days.")


def test_with_tls_off_there_is_nothing_to_install(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, "off")
    assert install(settings, NOW).mode == "off"
    assert not (settings.run_dir / "tls/tls.crt").exists()


@pytest.mark.parametrize(
    ("names", "host", "good"),
    [
        (["desk.example.com"], "DESK.example.com", True),
        (["*.example.com"], "a.b.example.com", False),
        (["*.example.com"], "example.com", False),
        (["example.com"], "desk.example.com", False),
    ],
)
def test_a_star_stands_for_exactly_one_label(names: list[str], host: str, good: bool) -> None:
    assert covers(names, host) is good


def as_pem(
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, protection: serialization.KeySerializationEncryption
) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)

"""TLS as visitors meet it, and certificates that can't be used."""

import os
import shutil
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.appliance.certificates import make as make_pair
from tests.appliance.conftest import Make
from tests.appliance.driver import Appliance, eventually
from tests.appliance.visitors import shown


def shake(desk: Appliance, *, version: ssl.TLSVersion | None = None, alpn: list[str] | None = None) -> ssl.SSLSocket:
    """A handshake with the desk, by one version alone where it is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    if version:
        context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(alpn or ["http/1.1"])
    raw = socket.create_connection(("127.0.0.1", desk.port(443)), 5)
    try:
        return context.wrap_socket(raw, server_hostname="localhost")
    except OSError:
        raw.close()
        raise


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_it_speaks_tls(desk: Appliance, version: ssl.TLSVersion) -> None:
    with shake(desk, version=version) as s:
        assert s.version() == version.name.replace("_", ".")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("name", ["TLSv1", "TLSv1_1"])
def test_it_does_not_speak_versions_that_are_broken(desk: Appliance, name: str) -> None:
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        shake(desk, version=ssl.TLSVersion[name])


def test_it_offers_http_2(desk: Appliance) -> None:
    with shake(desk, alpn=["h2", "http/1.1"]) as s:
        assert s.selected_alpn_protocol() == "h2"


def test_its_own_certificate_has_the_right_names_and_key(desk: Appliance) -> None:
    with shake(desk) as s:
        certificate = x509.load_der_x509_certificate(s.getpeercert(binary_form=True) or b"")
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert {str(address) for address in names.get_values_for_type(x509.IPAddress)} >= {"127.0.0.1", "::1"}
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)


def test_the_key_is_readable_by_nginx_and_nobody_else(desk: Appliance) -> None:
    ran = desk.run("stat", "-c", "%a %U %G", "/run/atum/tls/tls.key", "/data/tls/self-signed.key")
    assert ran.output.splitlines() == ["640 root nginx", "600 root root"]
    assert desk.run("test", "-r", "/run/atum/tls/tls.key", user="nginx").code == 0
    for other in ("app", "postgres", "redis", "nobody"):
        assert desk.run("test", "-r", "/run/atum/tls/tls.key", user=other).code != 0


def test_nginx_finds_its_configuration_good_as_the_user_that_runs_it(desk: Appliance) -> None:
    ran = desk.run("/opt/atum/image/as", "nginx", "nginx", "-t", "-e", "stderr", "-c", "/run/atum/conf/nginx/nginx.conf")
    assert ran.code == 0, ran.output


def test_its_own_certificate_is_renewed_before_it_ends(desk: Appliance, tmp_path: Path) -> None:
    cert, key = make_pair(tmp_path / "ending", days=20)
    for path, name in ((cert, "self-signed.crt"), (key, "self-signed.key")):
        assert desk.run("sh", "-c", f"umask 077; cat >/data/tls/{name}", stdin=path.read_text()).code == 0
    before = shown(desk.port(443))
    desk.run("touch", "/run/atum/app/certificate-asked", user="app")
    eventually(lambda: shown(desk.port(443)) != before, within=15, otherwise=desk.logs)
    left = shown(desk.port(443)).not_valid_after_utc - datetime.now(UTC)
    assert left > timedelta(days=360)
    assert desk.parts()["tls"]["status"] == "ok"


def test_port_80_sends_people_to_the_configured_url_whatever_they_call_us(desk: Appliance) -> None:
    with socket.create_connection(("127.0.0.1", desk.port(80)), 5) as s:
        s.sendall(b"GET /tickets/1?a=b HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: s.recv(4096), b"")).decode()
    assert answer.split()[1] in {"301", "308"}
    assert "Location: https://localhost/tickets/1?a=b\r\n" in answer
    assert "evil.example" not in answer


def test_a_made_up_host_gets_no_page(desk: Appliance) -> None:
    with desk.client() as client:
        assert client.http.get("/", headers={"Host": "evil.example"}).status_code == 421


def test_the_front_page_answers_get_and_head(desk: Appliance) -> None:
    with desk.client() as client:
        assert client.http.get("/", follow_redirects=True).status_code == 200
        head = client.http.head("/", follow_redirects=True)
        assert (head.status_code, head.content) == (200, b"")


def brought(make: Make, cert: Path, key: Path) -> Appliance:
    """A desk that is to use this pair."""
    settings = {"ATUM_TLS": "files", "TLS_CERT": "/tls/tls.crt", "TLS_KEY": "/tls/tls.key"}
    mounts = f'volumes: ["{cert}:/tls/tls.crt:ro", "{key}:/tls/tls.key:ro"]'
    return make(mail=False, settings=settings, more=mounts)


def test_an_unreadable_key_ends_the_start_with_the_file_and_the_mend(make: Make, tmp_path: Path) -> None:
    cert, key = make_pair(tmp_path / "unreadable")
    os.chown(key, 12345, 12345)
    desk = brought(make, cert, key).up(wait=False)
    assert desk.exit_code(30) == 66
    assert "/tls/tls.key can't be read" in desk.logs()
    assert "chown 0:0 /tls/tls.key" in desk.logs()


def test_a_key_of_another_certificate_ends_the_start_with_both_files(make: Make, tmp_path: Path) -> None:
    cert, _ = make_pair(tmp_path / "one")
    _, key = make_pair(tmp_path / "other")
    desk = brought(make, cert, key).up(wait=False)
    assert desk.exit_code(30) == 64
    assert "/tls/tls.key is not the key of /tls/tls.crt" in desk.logs()


def test_an_expired_certificate_is_shown_and_complained_of(make: Make, tmp_path: Path) -> None:
    cert, key = make_pair(tmp_path / "expired", days=-1)
    desk = brought(make, cert, key).up()
    code, health = desk.health()
    assert (code, health["status"]) == (200, "degraded")
    assert "/tls/tls.crt expired on" in desk.parts()["tls"]["reason"]
    assert "Renew it." in desk.logs()
    shutil.rmtree(tmp_path / "expired")

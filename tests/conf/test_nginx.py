"""What nginx is told, for each way to run the desk."""

import json

import pytest

from app.web.answers import problem
from app.web.failures import NoRoom
from app.web.gate import POLICY
from app.web.stream import HEARTBEAT
from tests.conf.conftest import Render
from tests.conf.nginx import Directive, read

URL = "https://desk.example.com"
ONE_TIME_LINKS = ("/setup", "/reset", "/invite", "/confirm-email", "/unfollow", "/acknowledge")


def servers(conf: Directive) -> list[Directive]:
    [http] = conf.all("http")
    return http.all("server")


def http(conf: Directive) -> Directive:
    [found] = conf.all("http")
    return found


def desk(conf: Directive) -> Directive:
    """The server that people talk to: the one that proxies."""
    [found] = [s for s in servers(conf) if any(d.name == "proxy_pass" for d in s.walk())]
    return found


def locations(server: Directive) -> dict[str, Directive]:
    return {" ".join(each.args): each for each in server.all("location")}


def listens(conf: Directive) -> set[str]:
    return {" ".join(d.args) for d in conf.walk() if d.name == "listen"}


def mapped(conf: Directive, name: str) -> dict[str, str]:
    [found] = [d for d in conf.all("map") if d.args[1] == name]
    return {d.name: d.args[0] for d in found.block}


def limits(location: Directive) -> list[str]:
    return [" ".join(d.args) for d in location.all("limit_req")]


def test_port_80_leads_to_the_public_url_and_never_to_what_the_request_says(rendered: Render) -> None:
    [plain] = [s for s in servers(read(rendered(ATUM_URL=URL))) if "80" in s.all("listen")[0].args]
    assert locations(plain)["/"].only("return") == ("308", f"{URL}$request_uri")
    assert set(locations(plain)) == {"= /healthz", "^~ /.well-known/acme-challenge/", "/", *ONE_TIME_LINKS}


def test_only_80_and_443_are_listened_on(rendered: Render) -> None:
    assert listens(read(rendered())) == {
        "80 default_server", "[::]:80 default_server", "443 ssl default_server", "[::]:443 ssl default_server",
        "443 ssl", "[::]:443 ssl",
    }  # fmt: skip


def test_without_ipv6_in_the_kernel_no_ipv6_address_is_asked_for(rendered: Render) -> None:
    assert not any("[" in each for each in listens(read(rendered(ipv6=False))))


def test_behind_a_proxy_that_ends_tls_there_is_no_443_and_no_certificate(rendered: Render) -> None:
    conf = read(rendered(ATUM_TLS="off", ATUM_URL=URL))
    assert listens(conf) == {"80 default_server", "[::]:80 default_server", "80", "[::]:80"}
    assert not [d for d in conf.walk() if d.name.startswith("ssl_") or (d.name == "return" and d.args[0] == "308")]


def test_tls_is_of_this_decade(rendered: Render) -> None:
    server = desk(read(rendered()))
    assert server.only("ssl_protocols") == ("TLSv1.2", "TLSv1.3")
    assert server.only("ssl_session_tickets") == ("off",)
    assert server.only("http2") == ("on",)
    assert all(suite.startswith("ECDHE-") for suite in server.only("ssl_ciphers")[0].split(":"))


def test_a_name_that_is_not_ours_gets_no_page(rendered: Render) -> None:
    conf = read(rendered(ATUM_URL=URL))
    assert desk(conf).only("server_name") == ("desk.example.com", "localhost")
    [stranger] = [s for s in servers(conf) if {"443", "default_server"} <= set(s.all("listen")[0].args)]
    assert locations(stranger)["/"].only("return")[0] == "421"


def test_localhost_is_named_once(rendered: Render) -> None:
    assert desk(read(rendered())).only("server_name") == ("localhost",)


def test_the_zones_have_their_public_names_rates_and_keys(rendered: Render) -> None:
    conf = http(read(rendered(API_RATE="7r/s", LOGIN_RATE="30r/m")))
    assert {d.args for d in conf.all("limit_req_zone")} == {
        ("$binary_remote_addr", "zone=atum_api_limit:10m", "rate=7r/s"),
        ("$trying_to_sign_in", "zone=atum_login_limit:10m", "rate=30r/m"),
    }
    assert mapped(conf, "$does") == {"default": "1", "GET": "0", "HEAD": "0"}
    assert mapped(conf, "$trying_to_sign_in") == {"default": "$binary_remote_addr", "0": ""}
    assert conf.only("limit_req_status") == conf.only("limit_conn_status") == ("429",)


def test_every_way_to_sign_in_is_limited_and_health_and_static_files_are_not(rendered: Render) -> None:
    found = locations(desk(read(rendered(API_BURST="8", LOGIN_BURST="3"))))
    api, login = "zone=atum_api_limit burst=8 nodelay", "zone=atum_login_limit burst=3 nodelay"
    assert {name: limits(location) for name, location in found.items() if not name.startswith("@")} == {
        "= /healthz": [], "^~ /static/": [], "= /api/v1/health": [], "/": [], "/tickets": [], "/my/tickets": [],
        "/api": [api], "= /api/v1/tickets": [api], "/api/v1/tickets/": [api], "= /api/v1/events": [api],
        "/api/v1/auth/": [login, api],
        **{page: [login] for page in ("/sign-in", "/forgot", *ONE_TIME_LINKS)},
    }  # fmt: skip


def test_a_refusal_says_when_to_come_back_in_the_askers_own_terms(rendered: Render) -> None:
    found = locations(desk(read(rendered())))
    for name, kind in (("@too_many_problem", "application/problem+json"), ("@too_many_page", "text/html")):
        assert ("Retry-After", "1", "always") in [d.args for d in found[name].all("add_header")]
        assert found[name].only("default_type") == (kind,)
        assert found[name].only("return")[0] == "429"
    problem = json.loads(found["@too_many_problem"].only("return")[1].replace("\\n", ""))
    assert (problem["type"], problem["status"]) == ("urn:atum-desk:problem:too-many", 429)


def test_every_status_nginx_can_refuse_with_has_an_answer_of_ours_in_every_part_of_the_desk(rendered: Render) -> None:
    server = desk(read(rendered()))
    found = locations(server)
    for location in (server, found["/api"], found["/api/v1/auth/"], found["/api/v1/tickets/"], found["= /api/v1/events"]):
        told = {status for d in location.all("error_page") for status in d.args[:-1] if status.isdigit()}
        assert told - {"401"} == {"413", "429", "500", "502", "503", "504"}


def test_until_the_desk_is_ready_every_part_of_it_answers_503(rendered: Render) -> None:
    proxying = [s for s in locations(desk(read(rendered()))).values() if s.all("proxy_pass")]
    assert len(proxying) == 17
    for location in proxying:
        condition = location.all("if")[-1]
        assert condition.args == ("(!-f", "/run/atum/app/ready)")
        assert condition.only("return") == ("503",)


def test_the_maintenance_folder_cannot_lead_nginx_elsewhere(rendered: Render) -> None:
    found = locations(desk(read(rendered())))
    for name in ("@unavailable_page", "@unavailable_status"):
        assert found[name].only("disable_symlinks") == ("on", "from=/run/atum/app")
        assert found[name].only("try_files")[1] == "@unavailable_line"
    assert json.loads(found["@unavailable_line"].only("return")[1].replace("\\n", ""))["status"] == "starting"


def test_no_proxy_is_believed_by_default(rendered: Render) -> None:
    conf = http(read(rendered()))
    assert not conf.all("set_real_ip_from")
    assert not conf.all("real_ip_header")


def test_the_proxies_named_are_believed_from_the_right(rendered: Render) -> None:
    conf = http(read(rendered(TRUSTED_PROXIES="10.0.0.0/8, fd00::/8", ATUM_TLS="off")))
    assert {d.args[0] for d in conf.all("set_real_ip_from")} == {"10.0.0.0/8", "fd00::/8"}
    assert conf.only("real_ip_header") == ("X-Forwarded-For",)
    assert conf.only("real_ip_recursive") == ("on",)
    [trusted] = conf.all("geo")
    assert trusted.args[0] == "$realip_remote_addr"
    assert {(d.name, d.args) for d in trusted.block} == {("default", ("0",)), ("10.0.0.0/8", ("1",)), ("fd00::/8", ("1",))}
    [proto] = [d for d in conf.all("map") if d.args[1] == "$forwarded_proto"]
    assert {(d.name, d.args) for d in proto.block} == {("default", ("http",)), ("1 https", ("https",))}


def test_the_desk_hears_one_address_and_one_scheme_and_nothing_else_that_proxies_say(rendered: Render) -> None:
    location = locations(desk(read(rendered())))["/"]
    assert {d.args for d in location.all("proxy_set_header")} == {
        ("Connection", ""), ("Host", "$host"), ("X-Request-Id", "$asked_id"),
        ("X-Forwarded-For", "$remote_addr"), ("X-Forwarded-Proto", "$forwarded_proto"),
        ("X-Real-IP", ""), ("Forwarded", ""), ("X-Forwarded-Host", ""), ("X-Forwarded-Port", ""),
        ("X-Forwarded-Server", ""), ("X-Forwarded-Ssl", ""), ("X-Forwarded-Scheme", ""),
    }  # fmt: skip


def test_a_request_keeps_the_id_that_a_trusted_proxy_gave_it_and_has_one_of_ours_otherwise(rendered: Render) -> None:
    conf = http(read(rendered()))
    assert mapped(conf, "$proxys_id") == {"default": "", "1": "$http_x_request_id"}
    assert mapped(conf, "$asked_id") == {"default": "$proxys_id", "": "$request_id"}
    assert mapped(conf, "$x_request_id") == {"": "$asked_id"}  # the desk tells it itself


@pytest.mark.parametrize("hsts", ["off", "300"])
@pytest.mark.parametrize("tls", ["self-signed", "files", "off"])
def test_security_headers_are_wherever_a_header_is_added(rendered: Render, tls: str, hsts: str) -> None:
    conf = read(rendered(ATUM_TLS=tls, HSTS=hsts))
    adding = [d for d in conf.walk() if d.all("add_header")]
    for each in adding:
        names = [d.args[0] for d in each.all("add_header")]
        assert names[:6] == [
            "Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy",
            "Cross-Origin-Resource-Policy", "Permissions-Policy",
        ]  # fmt: skip
        assert ("Strict-Transport-Security" in names) is (hsts != "off")
    assert {id(server) for server in servers(conf)} <= {id(each) for each in adding}


def test_hsts_is_said_over_https_alone(rendered: Render) -> None:
    """Where TLS is ours, `certificates` writes when (RUN_DIR/tls/hsts.conf)."""
    [own] = [d for d in http(read(rendered(HSTS="300"))).all("map") if d.args[1] == "$strict_transport_security"]
    assert (own.args[0], [(d.name, d.args) for d in own.block]) == ("$https", [("default", ("",))])
    assert "include /run/atum/tls/hsts.conf;" in rendered(HSTS="300")["nginx/headers-maps.conf"]
    behind = rendered(HSTS="300", ATUM_TLS="off", TRUSTED_PROXIES="10.0.0.0/8")
    assert mapped(http(read(behind)), "$strict_transport_security") == {"default": "", "https": "max-age=300"}


def test_http_3_is_offered_where_it_is_on_at_the_port_that_people_use(rendered: Render) -> None:
    conf = read(rendered(HTTP3="on", ATUM_URL="https://desk.example.com:8443", ipv6=False))
    assert listens(conf) >= {"443 quic reuseport default_server", "443 quic"}
    assert mapped(http(conf), "$alt_svc") == {"default": "", "on": 'h3=":8443"; ma=86400'}
    assert all("Alt-Svc" in {d.args[0] for d in each.all("add_header")} for each in conf.walk() if each.all("add_header"))
    assert not any("quic" in each for each in listens(read(rendered())))


def test_nginxs_own_policy_is_the_desks_and_gives_way_to_it(rendered: Render) -> None:
    [policy] = [d for d in http(read(rendered())).all("map") if d.args[1] == "$content_security_policy"]
    assert policy.args[0] == "$upstream_http_content_security_policy"
    assert [(d.name, d.args) for d in policy.block] == [("", (POLICY.decode(),))]


def test_nothing_that_has_been_a_hole_in_nginx_is_used(rendered: Render) -> None:
    for directive in read(rendered(TRUSTED_PROXIES="10.0.0.0/8")).walk():
        assert directive.name not in {"rewrite", "alias", "autoindex", "proxy_intercept_errors"}
        if directive.name == "location":
            assert not directive.args[0].startswith("~")
        if directive.name == "map":
            assert not any(each.name.startswith("~") for each in directive.block)
        if directive.name == "return":
            assert "$host" not in " ".join(directive.args)
            assert "$http_host" not in " ".join(directive.args)


def test_only_who_is_signed_in_may_send_much_and_not_many_at_once(rendered: Render) -> None:
    found = locations(desk(read(rendered(UPLOAD_MAX="20M"))))
    most = {name: s.only("client_max_body_size")[0] for name, s in found.items() if s.all("client_max_body_size")}
    assert most == {
        "/": "64k", "/sign-in": "64k", "/forgot": "64k", "/api/v1/auth/": "64k", "= /api/v1/events": "64k", "/api": "2m",
        "= /api/v1/tickets": "2m",
        "/tickets": "20M", "/my/tickets": "20M", "/api/v1/tickets/": "20M", **dict.fromkeys(ONE_TIME_LINKS, "64k"),
    }  # fmt: skip
    for name, at_once in (("/tickets", "8"), ("/my/tickets", "8"), ("/api/v1/tickets/", "20")):
        assert ("atum_uploads", at_once) in [d.args for d in found[name].all("limit_conn")]
        assert found[name].all("if")[0].args == ("($stranger_sends)",)


def test_a_stranger_is_one_with_neither_cookie_nor_token_whatever_the_method(rendered: Render) -> None:
    conf = http(read(rendered()))
    [found] = [d for d in conf.all("map") if d.args[1] == "$stranger_sends"]
    assert found.args[0] == "$does:$http_cookie$http_authorization"
    assert mapped(conf, "$stranger_sends") == {"default": "0", "1:": "1"}
    assert mapped(conf, "$sending") == {"default": "$binary_remote_addr", "0::": "", "0:0:": ""}
    refusal = locations(desk(read(rendered())))["@stranger_problem"]
    assert ("WWW-Authenticate", "Bearer", "always") in [d.args for d in refusal.all("add_header")]
    assert json.loads(refusal.only("return")[1].replace("\\n", ""))["type"] == "urn:atum-desk:problem:not-signed-in"


def test_no_location_of_a_folder_makes_nginx_redirect_a_page_of_the_desk(rendered: Render) -> None:
    found = locations(desk(read(rendered())))
    folders = {
        name for name, s in found.items() if name.startswith("/") and name.endswith("/") and len(name) > 1 and s.all("proxy_pass")
    }
    assert folders == {"/api/v1/auth/", "/api/v1/tickets/"}
    assert "= /api/v1/tickets" in found  # the desk has no /api/v1/auth


def test_the_live_stream_is_not_held_back_and_has_limits_of_its_own(rendered: Render) -> None:
    events = locations(desk(read(rendered())))["= /api/v1/events"]
    assert events.only("proxy_buffering") == ("off",)
    assert int(events.only("proxy_read_timeout")[0].removesuffix("s")) > 3 * HEARTBEAT
    assert [d.args for d in events.all("limit_conn")] == [("atum_streams", "300")]


def test_the_api_says_how_much_it_takes(rendered: Render) -> None:
    found = locations(desk(read(rendered(API_RATE="7r/s", LOGIN_RATE="30r/m"))))
    said = {
        name: [d.args[1:] for d in location.all("add_header") if d.args[0] == "RateLimit-Policy"]
        for name, location in found.items()
    }
    api = ('"api";q=7;w=1', "always")
    assert {name: policy for name, policy in said.items() if policy} == {
        "/api": [api], "= /api/v1/tickets": [api], "/api/v1/tickets/": [api], "= /api/v1/events": [api],
        "/api/v1/auth/": [('"sign-in";q=30;w=60, "api";q=7;w=1', "always")],
    }  # fmt: skip
    assert ("RateLimit", '"api";r=0;t=1', "always") in [d.args for d in found["@too_many_problem"].all("add_header")]


def test_the_access_log_holds_neither_questions_nor_health_checks(rendered: Render) -> None:
    conf = http(read(rendered()))
    assert conf.only("log_format")[1] == "escape=json"
    form = "".join(conf.only("log_format")[2:])
    assert not {"$request_uri", "$args", "$query_string", "$http_referer", '$request"', "$http_cookie"} & set(form.split())
    assert "$request_uri" not in form
    assert "$request " not in form
    record = form.replace("$status", "200", 1).replace(":$status", ":200").replace("$body_bytes_sent", "1")
    assert set(json.loads(record.replace("$request_time", "0.1"))) >= {"ts", "level", "proc", "msg", "request_id", "client"}
    [skipped] = [d for d in conf.all("map") if d.args[1] == "$worth_logging"]
    assert {d.name for d in skipped.block if d.args == ("0",)} == {"/healthz", "/api/v1/health"}


def test_a_one_time_link_is_not_in_the_log(rendered: Render) -> None:
    conf = read(rendered())
    [plain] = [s for s in servers(conf) if "80" in s.all("listen")[0].args or "80" in s.all("listen")[0].args[0]]
    for server in (desk(conf), plain):
        for link in ONE_TIME_LINKS:
            assert ("$asked_path", f"{link}/(hidden)") in [d.args for d in locations(server)[link].all("set")]


def test_sizes_and_patience_have_limits(rendered: Render) -> None:
    conf = http(read(rendered(UPLOAD_MAX="7M")))
    assert conf.only("client_max_body_size") == ("7M",)
    assert conf.only("client_header_timeout") == ("10s",)
    assert conf.only("client_body_timeout") == ("15s",)
    assert conf.only("send_timeout") == ("30s",)
    assert conf.only("server_tokens") == ("off",)


def test_an_upload_waits_on_the_volume_in_a_folder_that_is_nginxs_own(rendered: Render) -> None:
    conf = http(read(rendered(DATA_DIR="/srv/desk")))
    assert conf.only("client_body_temp_path") == ("/srv/desk/tmp/nginx/body",)
    assert not any(word.startswith("/tmp") for d in conf.walk() if d.name.endswith("_temp_path") for word in d.args)


def test_answers_never_wait_on_a_disk(rendered: Render) -> None:
    conf = read(rendered())
    for location in locations(desk(conf)).values():
        if location.all("proxy_pass"):
            assert location.only("proxy_max_temp_file_size") == ("0",)
    unused = {conf.all("http")[0].only(f"{kind}_temp_path") for kind in ("proxy", "fastcgi", "uwsgi", "scgi")}
    assert unused == {("/run/nginx/unused",)}


def test_what_is_small_needs_no_room_on_the_disk(rendered: Render) -> None:
    conf = http(read(rendered()))
    assert conf.only("client_body_buffer_size") == ("64k",)
    small = [s for s in locations(desk(read(rendered()))).values() if ("64k",) in [d.args for d in s.all("client_max_body_size")]]
    assert len(small) == 11


def test_where_the_disk_has_no_room_nginx_says_what_the_desk_would_say(rendered: Render) -> None:
    conf = read(rendered())
    server = desk(conf)
    found = locations(server)
    for place, variable, name in ((server, "$broken_page", "page"), (found["/api/v1/tickets/"], "$broken_problem", "problem")):
        assert ("500", "=", variable) in [d.args for d in place.all("error_page")]
        assert mapped(http(conf), variable) == {"default": f"@no_room_{name}", "": f"@broken_{name}"}
        [asked] = [d for d in http(conf).all("map") if d.args[1] == variable]
        assert asked.args[0] == "$request_body_file"
        assert found[f"@no_room_{name}"].only("return")[0] == str(NoRoom.status)
        assert ("Retry-After", "5", "always") in [d.args for d in found[f"@no_room_{name}"].all("add_header")]
    told = json.loads(found["@no_room_problem"].only("return")[1].replace("\\n", ""))
    ours = json.loads(bytes(problem(NoRoom()).body))
    assert told == ours
    assert NoRoom().message in found["@no_room_page"].only("return")[1]
    assert found["@broken_page"].only("return")[0] == found["@broken_problem"].only("return")[0] == "500"


def test_static_files_with_a_version_may_be_kept_for_ever(rendered: Render) -> None:
    [cache] = [d for d in http(read(rendered())).all("map") if d.args == ("$arg_v", "$static_cache")]
    kept = {d.name: d.args[0] for d in cache.block}
    assert "immutable" in kept["default"]
    assert "immutable" not in kept[""]


def test_an_ordinary_user_listens_on_high_ports_alone(rendered: Render) -> None:
    assert listens(read(rendered(root=False))) == {
        "8080 default_server", "[::]:8080 default_server", "8443 ssl default_server", "[::]:8443 ssl default_server",
        "8443 ssl", "[::]:8443 ssl",
    }  # fmt: skip

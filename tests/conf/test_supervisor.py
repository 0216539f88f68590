"""The programs: who they are, as whom they run, and in which order they end."""

import re
import socket
from configparser import RawConfigParser
from pathlib import Path

import pytest

from app.entry import dev
from app.ops import health
from tests.conf.conftest import Render, Rendered
from tests.unit.image.scripts import script

INTERFACE = {
    "nginx", "api", "sla-worker", "mail-poller", "outbox-sender", "postgres", "redis", "boot", "certificates", "backups",
    "listener",
}  # fmt: skip
KIND = re.compile(r"(program|fcgi-program|eventlistener):(.+)")
STOP_LIMIT = 9.0 - 1.5  # what `docker stop` leaves, less what stopping itself takes


def sections(texts: Rendered) -> dict[str, dict[str, str]]:
    """Every section of supervisord's whole configuration; comments at a line's end would be part of a value, as they are here."""
    parser = RawConfigParser(delimiters="=", interpolation=None)
    for name, text in texts.items():
        if name.startswith("supervisor/"):
            parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


def programs(texts: Rendered) -> dict[str, dict[str, str]]:
    return {found[2]: values for name, values in sections(texts).items() if (found := KIND.fullmatch(name))}


def groups(texts: Rendered) -> dict[str, dict[str, str]]:
    return {name.removeprefix("group:"): values for name, values in sections(texts).items() if name.startswith("group:")}


def tiers(texts: Rendered) -> list[tuple[int, str, list[str]]]:
    """What stops together, first to last: priority, name, programs."""
    grouped = [(int(g["priority"]), name, g["programs"].split(",")) for name, g in groups(texts).items()]
    alone = set(programs(texts)) - {program for _, _, members in grouped for program in members}
    single = [(int(programs(texts)[name].get("priority", -1)), name, [name]) for name in alone]
    return sorted(grouped + single, reverse=True)


def test_the_programs_are_those_of_the_interface(rendered: Render) -> None:
    assert set(programs(rendered())) == INTERFACE


def test_each_file_is_one_program_and_named_for_it(rendered: Render) -> None:
    texts = rendered()
    files = {Path(name).stem for name in texts if name.startswith("supervisor/programs/")}
    assert files == set(programs(texts))


@pytest.mark.parametrize(
    ("environ", "absent"),
    [
        ({"DATABASE_URL": "postgresql://u:p@db/x"}, {"postgres"}),
        ({"REDIS_URL": "redis://r"}, {"redis"}),
        ({"DATABASE_URL": "postgresql://u:p@db/x", "REDIS_URL": "redis://r"}, {"postgres", "redis"}),
    ],
)
def test_an_external_server_has_no_program_and_no_configuration_here(
    rendered: Render, environ: dict[str, str], absent: set[str]
) -> None:
    texts = rendered(**environ)
    assert set(programs(texts)) == INTERFACE - absent
    assert not any(name.startswith(f"{each}/") for name in texts for each in absent)
    members = {program for group in groups(texts).values() for program in group["programs"].split(",")}
    assert members == INTERFACE - absent - {"api", "listener"}


def test_they_stop_from_the_edge_inwards(rendered: Render) -> None:
    assert [name for _, name, _ in tiers(rendered())] == ["edge", "api", "workers", "state", "listener"]


def test_what_stopping_takes_at_most_fits_docker_stop(rendered: Render) -> None:
    texts = rendered()
    waits = [max(int(programs(texts)[each]["stopwaitsecs"]) for each in members) for _, _, members in tiers(texts)[:-1]]
    assert sum(waits) <= STOP_LIMIT


def test_the_api_is_in_no_group_where_supervisord_would_not_open_its_socket(rendered: Render) -> None:
    texts = rendered()
    assert "fcgi-program:api" in sections(texts)
    assert all("api" not in group["programs"].split(",") for group in groups(texts).values())


def test_the_number_of_workers_is_the_settings(rendered: Render) -> None:
    assert programs(rendered(WEB_CONCURRENCY="2"))["api"]["numprocs"] == "2"


def test_the_apis_socket_is_for_nginx_alone(rendered: Render) -> None:
    assert programs(rendered())["api"]["socket"] == "tcp://127.0.0.1:8000"


@pytest.mark.parametrize(
    ("program", "number"), [("nginx", "QUIT"), ("postgres", "INT"), ("redis", "TERM"), ("api", "TERM"), ("mail-poller", "TERM")]
)
def test_each_gets_the_signal_that_lets_it_finish(rendered: Render, program: str, number: str) -> None:
    assert programs(rendered())[program]["stopsignal"] == number


def test_postgresqls_own_children_are_not_signalled(rendered: Render) -> None:
    assert programs(rendered())["postgres"]["stopasgroup"] == "false"


def test_nobody_but_the_shell_itself_runs_as_root(rendered: Render) -> None:
    roots = set()
    for name, values in programs(rendered()).items():
        drops = re.match(r"\S+/image/only (\S+) ", values["command"])
        if drops:
            assert drops[1] == name
        elif values.get("user") != "app":
            roots.add(name)
    assert roots == {"backups", "certificates", "listener"}


def test_boot_runs_once_and_the_others_come_back(rendered: Render) -> None:
    again = {name: values["autorestart"] for name, values in programs(rendered()).items()}
    assert again.pop("boot") == "false"
    assert set(again.values()) == {"true"}


def test_every_log_goes_to_a_pipe_that_never_rotates(rendered: Render) -> None:
    for name, values in programs(rendered()).items():
        stream = "stderr" if name == "listener" else "stdout"
        log = values[f"{stream}_logfile"].replace("%(process_num)02d", "00")
        assert log == f"/run/atum/log/{'api_00' if name == 'api' else name}"
        assert values[f"{stream}_logfile_maxbytes"] == "0"
        assert values.get("redirect_stderr") == ("true" if stream == "stdout" else None)
        if stream == "stderr":  # else supervisord would make one in /tmp
            assert values["stdout_logfile"] == "NONE"


def test_the_control_socket_is_roots_and_there_is_no_other(rendered: Render) -> None:
    found = sections(rendered())
    assert found["unix_http_server"]["chmod"] == "0700"
    assert "inet_http_server" not in found


def test_the_listener_hears_of_every_way_to_fail(rendered: Render) -> None:
    events = set(programs(rendered())["listener"]["events"].split(","))
    assert {"PROCESS_STATE_EXITED", "PROCESS_STATE_BACKOFF", "PROCESS_STATE_FATAL", "PROCESS_STATE_RUNNING", "TICK_5"} == events


def test_no_value_has_a_comment_or_a_percent_sign_of_its_own(rendered: Render) -> None:
    for values in programs(rendered()).values():
        for value in values.values():
            assert " ;" not in value
            assert not re.search(r"%(?!\(process_num\)02d)", value)


def test_every_worker_of_ours_is_in_every_list_of_them(rendered: Render) -> None:
    modules = {values["command"].rpartition(" ")[2]: name for name, values in programs(rendered()).items()}
    workers = {module: name for module, name in modules.items() if module.startswith("app.entry.") and name != "boot"}
    assert set(workers.values()) == set(health.WORKERS.values())
    assert set(workers) == {f"app.entry.{name}" for name in dev.WORKERS}
    assert set(workers) < set(script("supervisord").SHARED)


def test_the_smtp_door_is_a_program_only_where_it_is_on(rendered: Render) -> None:
    texts = rendered(SMTP_IN="on", SMTP_IN_DOMAINS="example.com")
    assert set(programs(texts)) == INTERFACE | {"smtp-in"}
    door = programs(texts)["smtp-in"]
    assert (door["user"], door["socket"], door["autorestart"]) == ("app", "tcp://all:25", "true")
    assert door["command"].endswith(" -m app.entry.smtp_in")
    assert door["stdout_logfile"] == "/run/atum/log/smtp-in"
    assert (health.IF_ON, dev.IF_ON) == ({"smtp_in": "smtp-in"}, ("smtp_in",))


def test_the_smtp_door_closes_after_the_edge_and_keeps_nobody_waiting(rendered: Render) -> None:
    texts = rendered(SMTP_IN="on", SMTP_IN_DOMAINS="example.com")
    assert [name for _, name, _ in tiers(texts)] == ["edge", "smtp-in", "api", "workers", "state", "listener"]
    waits = [max(int(programs(texts)[each]["stopwaitsecs"]) for each in members) for _, _, members in tiers(texts)[:-1]]
    assert sum(waits) <= STOP_LIMIT


def test_supervisord_opens_its_port_on_every_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    made = script("supervisord").Options().parse_fcgi_socket(f"tcp://all:{port}", None, None, None, 5)
    with made.create_and_bind() as listening:
        assert listening.getsockname()[:2] in {("::", port), ("0.0.0.0", port)}
        with socket.create_connection(("127.0.0.1", port), 5):
            pass
    inside = script("supervisord").Options().parse_fcgi_socket("tcp://127.0.0.1:8000", None, None, None, 5)
    assert inside.addr() == ("127.0.0.1", 8000)


def test_in_a_container_with_a_user_of_its_own_no_program_is_anybody_else(rendered: Render) -> None:
    texts = rendered(root=False, SMTP_IN="on", SMTP_IN_DOMAINS="example.com")
    assert not [name for name, values in sections(texts).items() if "user" in values]
    assert programs(texts)["smtp-in"]["socket"] == "tcp://all:2525"

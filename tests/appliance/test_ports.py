"""What listens where: INTERFACE's table and nothing else."""

import re

import docker
import pytest

from tests.appliance.driver import Appliance

SCAN = """
import selectors, socket, sys
address, found, ports = socket.gethostbyname(sys.argv[1]), [], list(range(1, 65536))
while ports:
    some, ports = ports[:500], ports[500:]
    with selectors.DefaultSelector() as waiting:
        for port in some:
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex((address, port))
            waiting.register(s, selectors.EVENT_WRITE, port)
        while waiting.get_map():
            for key, _ in waiting.select(5):
                if key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                    found.append(key.data)
                waiting.unregister(key.fileobj)
                key.fileobj.close()
print(*sorted(found))
"""
LISTENING = """
import socket, struct
for kind in ("tcp", "tcp6", "udp", "udp6"):
    try:
        lines = open(f"/proc/net/{kind}").readlines()[1:]
    except FileNotFoundError:
        continue
    for line in lines:
        local, state = line.split()[1], line.split()[3]
        if state != ("0A" if kind.startswith("tcp") else "07"):
            continue
        raw, port = local.split(":")
        words = struct.pack(f"={len(raw) // 8}I", *(int(raw[i : i + 8], 16) for i in range(0, len(raw), 8)))
        address = socket.inet_ntop(socket.AF_INET if len(words) == 4 else socket.AF_INET6, words)
        print(kind[:3], address, int(port, 16))
"""


def test_from_outside_only_80_and_443_answer(desk: Appliance) -> None:
    ran = docker.from_env().containers.run(
        "atum-desk:latest", ["-c", SCAN, "desk"], entrypoint="/opt/venv/bin/python", network=desk.network, remove=True
    )
    assert ran.decode().split() == ["80", "443"]


def test_inside_nothing_listens_that_is_not_in_the_interface(desk: Appliance) -> None:
    ran = desk.run("/opt/venv/bin/python", "-c", LISTENING)
    assert ran.code == 0, ran.output
    # 127.0.0.11 is Docker's own name server, in every container of a network.
    listening = {line for line in ran.output.splitlines() if " 127.0.0.11 " not in line}
    assert {line for line in listening if "::" not in line} == {"tcp 0.0.0.0 80", "tcp 0.0.0.0 443", "tcp 127.0.0.1 8000"}
    assert {line for line in listening if "::" in line} <= {"tcp :: 80", "tcp :: 443"}


def test_databases_and_supervisord_have_sockets_that_only_some_may_use(desk: Appliance) -> None:
    ran = desk.run("stat", "-c", "%n %U %a", "/run/atum/supervisor.sock", "/run/postgresql", "/run/redis")
    modes = dict(re.findall(r"(\S+) (\w+ \d+)", ran.output))
    assert modes["/run/atum/supervisor.sock"] in {"root 700", "root 600"}
    assert modes["/run/postgresql"].startswith("postgres 7")
    assert modes["/run/redis"].startswith("redis 7")
    refused = desk.run(
        "setpriv", "--reuid", "nginx", "--clear-groups", "psql", "-h", "/run/postgresql", "-U", "atum", "-c", "SELECT 1"
    )
    assert refused.code != 0


def test_the_api_is_not_reachable_past_nginx(desk: Appliance) -> None:
    with pytest.raises(LookupError):
        desk.port(8000)

"""What a program that was taken over could not do."""

import json

import pytest

from tests.appliance.driver import PASSWORD, Appliance

CAPABILITIES = {"CHOWN", "SETUID", "SETGID", "KILL", "NET_BIND_SERVICE"}
PROCESSES = """
import glob, json
found = []
for path in glob.glob("/proc/[0-9]*/status"):
    try:
        lines = dict(line.split(":", 1) for line in open(path) if ":" in line)
        words = open(path.replace("status", "cmdline"), "rb").read().replace(b"\\0", b" ").decode()
    except OSError:
        continue
    found.append([int(lines["Uid"].split()[1]), int(lines["CapEff"], 16), int(lines["NoNewPrivs"]), words[:120]])
print(json.dumps(found))
"""
POWERS = """
import os
for folder, _, names in os.walk("/usr"):
    for name in names:
        try:
            os.getxattr(os.path.join(folder, name), "security.capability", follow_symlinks=False)
        except OSError:
            continue
        print(os.path.join(folder, name))
"""


def test_the_container_has_a_read_only_root_and_the_least_of_powers(desk: Appliance) -> None:
    host = desk.container.attrs["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert {name.removeprefix("CAP_") for name in host["CapAdd"]} <= CAPABILITIES
    assert any(option.startswith("no-new-privileges") for option in host["SecurityOpt"])
    assert host["Privileged"] is False


def test_nothing_can_be_written_outside_of_the_volume_and_memory(desk: Appliance) -> None:
    for folder in ("/", "/opt/atum", "/etc", "/usr/bin", "/var/lib", "/opt/venv"):
        assert desk.run("touch", f"{folder}/mark").code != 0, folder


def test_no_file_makes_its_caller_somebody_else(desk: Appliance) -> None:
    assert desk.run("find", "/", "-xdev", "-perm", "/6000", "-type", "f").output == ""
    assert desk.run("/opt/venv/bin/python", "-c", POWERS).output == ""


def test_no_compiler_and_no_package_lists_are_there(desk: Appliance) -> None:
    for name in ("gcc", "cc", "g++", "c++", "make", "ld", "as", "pip", "pip3"):
        assert desk.run("sh", "-c", f"PATH=$PATH:/opt/venv/bin command -v {name}").output == "", name
    assert desk.run("sh", "-c", "find /var/lib/apt/lists -type f 2>/dev/null").output == ""


def processes(desk: Appliance) -> list[tuple[int, int, int, str]]:
    """Every process: its user, powers, whether it can gain new ones, and its command."""
    return [
        (uid, caps, no_new, words)
        for uid, caps, no_new, words in json.loads(desk.run("/opt/venv/bin/python", "-c", PROCESSES).output)
    ]


@pytest.mark.parametrize(
    ("words", "uid"),
    [
        ("nginx: worker", 5001),
        ("uvicorn", 5002),
        ("app.entry.sla_worker", 5002),
        ("app.entry.mail_poller", 5002),
        ("app.entry.outbox_sender", 5002),
        ("redis-server", 5004),
        ("postgres", 5003),
    ],
)
def test_each_program_runs_as_its_own_user_without_powers(desk: Appliance, words: str, uid: int) -> None:
    found = [one for one in processes(desk) if words in one[3] and one[0] != 0]
    assert found
    assert {one[0] for one in found} == {uid}
    only_low_ports = 1 << 10
    assert all(caps == 0 or (uid == 5001 and caps == only_low_ports) for _, caps, _, _ in found)
    assert all(no_new == 1 for _, _, no_new, _ in found)


def test_root_runs_nothing_that_talks_to_strangers(desk: Appliance) -> None:
    rooted = [words for uid, _, _, words in processes(desk) if uid == 0]
    assert any("launcher" in words for words in rooted)
    assert not [words for words in rooted if "nginx" in words or "uvicorn" in words or "postgres" in words or "redis" in words]


@pytest.mark.parametrize(
    ("user", "path"),
    [
        ("app", "/data/postgres"),
        ("app", "/data/tls/self-signed.key"),
        ("app", "/run/atum/tls/tls.key"),
        ("app", "/data/tmp/nginx"),
        ("nginx", "/data/tmp/api"),
        ("postgres", "/data/tmp/nginx"),
        ("postgres", "/data/tmp/api"),
        ("nginx", "/data/secrets"),
        ("nginx", "/data/files"),
        ("nginx", "/data/postgres"),
        ("postgres", "/data/secrets"),
        ("postgres", "/data/tls/self-signed.key"),
        ("redis", "/data/secrets"),
        ("redis", "/data/postgres"),
    ],
)
def test_no_user_reads_what_is_anothers(desk: Appliance, user: str, path: str) -> None:
    assert desk.run("test", "-e", path).code == 0
    assert desk.run("test", "-r", path, user=user).code != 0


def test_nginx_can_not_read_the_apis_environment(desk: Appliance) -> None:
    pid = desk.programs()["api_00"]
    assert desk.run("cat", f"/proc/{pid}/environ", user="nginx").code != 0


def test_passwords_are_in_no_log_and_in_no_environment_but_the_apps(desk: Appliance) -> None:
    assert PASSWORD not in desk.logs()
    for program in ("nginx", "postgres", "redis"):
        # `as` gives the reader the powers of the one it reads, without which the kernel lets nobody look.
        environment = desk.run("/opt/atum/image/as", program, "cat", f"/proc/{desk.programs()[program]}/environ")
        assert environment.code == 0, environment.output
        assert PASSWORD not in environment.output

"""One booted desk with its mail server: a compose project of its own, from the compose.yaml that users run."""

import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import docker
import httpx2 as httpx
from docker.models.containers import Container

from tests.appliance.client import Client
from tests.appliance.peers import Mail
from tests.appliance.ports import Way, port_of

ROOT = Path(__file__).resolve().parents[2]
ADMIN, PASSWORD = "root@desk.example", "correct horse battery"
SUPPORT = "support@desk.example"
MAIL = {
    "IMAP_HOST": "mail",
    "IMAP_PORT": "143",
    "IMAP_SSL": "false",
    "IMAP_USER": SUPPORT,
    "IMAP_PASSWORD": "demo",
    "EMAIL_POLL_INTERVAL": "1",
    "SMTP_HOST": "mail",
    "SMTP_PORT": "587",
    "SMTP_SECURITY": "none",
    "SMTP_USER": SUPPORT,
    "SMTP_PASSWORD": "demo",
    "SMTP_FROM": SUPPORT,
}
# Ports are Docker's choice, and nothing restarts a container behind a test's back.
OVERRIDE = """
services:
  desk:
    image: {image}
    restart: "no"
    ports: !override {ports}
    environment: {settings}
{more}
"""
MAIL_SERVICE = """
  mail:
    image: atum-desk-mail:latest
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges"]
    tmpfs: ["/run:uid=5100,gid=5100", "/tmp", "/mail:uid=5100,gid=5100"]
    ports: ["127.0.0.1::25", "127.0.0.1::143"]
"""


@dataclass(frozen=True)
class Ran:
    """What a command inside the container came to."""

    code: int
    output: str


class Appliance:
    """A desk that a test may do anything to.

    `settings` are environment variables; `more` is YAML for its service, `services` is YAML for others beside it, and `way` is
    how its ports are come by. `user` is whom the container was given (compose.rootless.yaml), where that isn't root.
    """

    def __init__(
        self,
        folder: Path,
        *,
        settings: dict[str, str] | None = None,
        mail: bool = True,
        ports: bool = True,
        more: str = "",
        services: str = "",
        image: str = "",
        way: Way = port_of,
        user: str = "",
    ) -> None:
        self.project = f"atum-test-{uuid.uuid4().hex[:8]}"
        self.settings = {"ADMIN_EMAIL": ADMIN, "ADMIN_PASSWORD": PASSWORD, **(MAIL if mail else {}), **(settings or {})}
        self.folder, self.more, self.way, self.user = folder, more, way, user
        self.image = image or os.environ.get("ATUM_TEST_IMAGE", "atum-desk:latest")
        self.services = services + (MAIL_SERVICE if mail else "")
        self.ports = [f"127.0.0.1::{port}" for port in ((8080, 8443) if user else (80, 443))] if ports else []
        self._docker = docker.from_env()
        self._clients: list[Client] = []

    def up(self, *, wait: bool = True) -> "Appliance":
        """Make it anew or start it again with other settings. `wait`: until it is healthy."""
        override = OVERRIDE.format(
            image=self.image,
            ports=json.dumps(self.ports),
            settings=json.dumps(self.settings),
            more="\n".join(f"    {line}" for line in self.more.splitlines()),
        )
        self._override.write_text(override + self.services)
        self.compose("up", "-d", "--no-build", "--quiet-pull", *(("--wait", "--wait-timeout", "90") if wait else ()))
        return self

    def down(self) -> None:
        """As if it had never been."""
        for client in self._clients:
            client.http.close()
        self.compose("down", "-v", "-t", "0", "--remove-orphans")

    def compose(self, *words: str) -> str:
        """docker compose, for this project."""
        rootless = ["-f", str(ROOT / "compose.rootless.yaml")] if self.user else []
        files = ["-f", str(ROOT / "compose.yaml"), *rootless, "-f", str(self._override)]
        # Neither the checkout's .env nor the shell's settings have a say.
        command = ["docker", "compose", "--project-directory", str(self.folder), *files, "-p", self.project, *words]
        quiet = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"} or name.startswith("DOCKER_")}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=quiet)
        if done.returncode:
            raise RuntimeError(f"docker compose {' '.join(words)} failed:\n{done.stderr}\n{self.logs()[-4000:]}")
        return done.stdout

    @property
    def container(self) -> Container:
        """The desk's container, as it is now."""
        return self._of("desk")

    @cached_property
    def mail(self) -> Mail:
        """The mail server beside it."""
        return Mail(lambda: self._of("mail"), self.way)

    @property
    def network(self) -> str:
        """The name of the network that its containers share."""
        return f"{self.project}_default"

    def run(self, *command: str, user: str = "root", stdin: str | None = None) -> Ran:
        """A command inside the container. There is one user alone where it was given one."""
        user = self.user or user
        words = ["docker", "exec", *(["-i"] if stdin is not None else []), "-u", user, self.container.id or "", *command]
        done = subprocess.run(words, input=stdin, capture_output=True, text=True, check=False)
        return Ran(done.returncode, (done.stdout + done.stderr).strip())

    def atum(self, *words: str, stdin: str | None = None) -> str:
        """A command of the desk's own, that has to succeed."""
        ran = self.run("atum", *words, stdin=stdin)
        assert ran.code == 0, ran.output
        return ran.output

    def sql(self, query: str) -> list[list[str]]:
        """Rows of the embedded database, as text."""
        ran = self.run("psql", "-h", "/run/postgresql", "-U", "atum", "-d", "atum", "-XAtF", "\x1f", "-c", query, user="app")
        assert ran.code == 0, ran.output
        return [line.split("\x1f") for line in ran.output.splitlines()]

    def logs(self) -> str:
        """Everything the container ever said."""
        try:
            return self.container.logs().decode("utf-8", "replace")
        except (LookupError, docker.errors.NotFound):
            return "(there is no container)"

    def programs(self) -> dict[str, int]:
        """supervisord's running programs by name, with their process ids."""
        ran = self.run("supervisorctl", "-c", "/run/atum/conf/supervisor/supervisord.conf", "status")
        running = (line.split() for line in ran.output.splitlines() if " RUNNING " in line)
        return {words[0].rpartition(":")[2]: int(words[3].rstrip(",")) for words in running}

    def signal(self, program: str, number: int = 9) -> int:
        """Send a supervised program's process a signal; the process id it had."""
        pid = self.programs()[program]
        assert self.run("sh", "-c", f"kill -{number} {pid}").code == 0
        return pid

    def kill(self) -> None:
        """End the container as a power cut would."""
        self.container.kill("SIGKILL")
        self.container.wait()

    def stop(self) -> tuple[int, float]:
        """docker stop; its exit code and the seconds it took."""
        began = time.monotonic()
        self.container.stop()
        return self.exit_code(), time.monotonic() - began

    def start(self, *, wait: bool = True) -> "Appliance":
        """docker start; Docker may choose other ports."""
        self.container.start()
        if wait:
            self.until_healthy()
        return self

    def exit_code(self, within: float = 90.0) -> int:
        """The container's exit code, once it ended."""
        return int(self.container.wait(timeout=within)["StatusCode"])

    def port(self, inside: int) -> int:
        """Where a port of the desk is on this machine."""
        return self.way(self.container, inside + 8000 if self.user and inside in (80, 443) else inside)

    def client(self, **different: Any) -> Client:
        """A visitor who trusts no certificate authority but believes this desk."""
        self._clients.append(Client(f"https://localhost:{self.port(443)}", **different))
        return self._clients[-1]

    def signed_in(self, email: str = ADMIN, password: str = PASSWORD) -> Client:
        """A program that signed in."""
        return self.client().sign_in(email, password)

    def add(self, email: str, role: str) -> Client:
        """Somebody new, signed in."""
        self.atum(
            "user", "add", email, "--name", email.partition("@")[0].title(), "--role", role, "--password-stdin", stdin=PASSWORD
        )
        return self.signed_in(email)

    def health(self) -> tuple[int, dict[str, Any]]:
        """What the health URL says to the world; (0, {}) where nothing answers."""
        try:
            with self.client(timeout=5.0) as client:
                answer = client.http.get("/api/v1/health")
                return answer.status_code, answer.json()
        except (httpx.TransportError, LookupError, json.JSONDecodeError):
            return 0, {}

    def figures(self, by: Client | None = None) -> str:
        """What a Prometheus is told from outside, with a token of an administrator's."""
        wanted = {"name": "prometheus", "scopes": ["metrics:read"]}
        token = (by or self.signed_in()).ask("POST", "/api/v1/tokens", json=wanted).json()["token"]
        return self.client().ask("GET", "/api/v1/metrics", headers={"Authorization": f"Bearer {token}"}).text

    def figure(self, name: str) -> float:
        """One of those figures; 0 where there is none."""
        told = self.figures().splitlines()
        return next((float(line.rpartition(" ")[2]) for line in told if line.startswith(f"{name} ")), 0.0)

    def parts(self) -> dict[str, Any]:
        """The health of each part, as told inside."""
        ran = self.run("atum", "health", "--json", user="root")
        found: dict[str, Any] = json.loads(ran.output)["components"]
        return found

    def until_healthy(self, within: float = 60.0) -> float:
        """Wait until the health URL says 200; the seconds that took."""
        return eventually(
            lambda: self.health()[0] == 200, within=within, otherwise=lambda: f"{self.health()}\n{self.logs()[-3000:]}"
        )

    def until_replaced(self, program: str, pid: int, within: float = 10.0) -> None:
        """Wait until supervisord runs another process by this name."""
        eventually(lambda: self.programs().get(program, pid) != pid, within=within, otherwise=self.programs)

    @property
    def _override(self) -> Path:
        return self.folder / f"{self.project}.yaml"

    def _of(self, service: str) -> Container:
        labels = [f"com.docker.compose.project={self.project}", f"com.docker.compose.service={service}"]
        found = self._docker.containers.list(all=True, filters={"label": labels})
        if not found:
            raise LookupError(f"{self.project} has no container for {service}")
        return found[0]


def eventually(
    true: Callable[[], object], *, within: float, otherwise: Callable[[], object] = lambda: "", every: float = 0.2
) -> float:
    """Wait until it holds; the seconds that took."""
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > within:
            raise AssertionError(f"it was not so within {within} s: {otherwise()}")
        time.sleep(every)
    return time.monotonic() - began

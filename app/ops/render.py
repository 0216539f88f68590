"""Every program's configuration: the templates of conf/, filled in from the settings, written to RUN_DIR/conf.

No setting that is a secret is handed to a template, so none can end up in a file. A template that comes out empty (the embedded
database's, when there is an external one) makes no file.
"""

import os
import re
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.config import Settings, load

TEMPLATES = Path(__file__).parents[2] / "conf"
_CGROUPS = Path("/sys/fs/cgroup")
# For programs that run elsewhere, in words of their own: no templates.
ELSEWHERE = ("prometheus/", "grafana/")
# What a value may be made of: nothing that could end a directive, open a block, or start a variable or a comment.
_PLAIN = re.compile(r"[A-Za-z0-9._:/@%+-]*")


class NotPlain(Exception):
    """A value that would not stay one word in a configuration file."""


@dataclass(frozen=True)
class Machine:
    """What a template may know about where it runs. `memory` is what the container may use, in MB.

    Without `root` every program runs as the one user that the container was given, and no port is below 1024.
    """

    ipv6: bool
    processors: int
    memory: int
    root: bool = True

    @property
    def shared_buffers(self) -> int:
        """MB that PostgreSQL keeps of its files."""
        return min(max(self.memory // 8, 64), 2048)

    @property
    def cache(self) -> int:
        """MB of files that PostgreSQL may expect to find in memory, its own and the operating system's."""
        return max(self.memory // 2, 256)


def this_machine() -> Machine:
    return Machine(
        ipv6=Path("/proc/net/if_inet6").exists() and socket.has_ipv6,
        processors=len(os.sched_getaffinity(0)),
        memory=memory(_CGROUPS),
        root=os.geteuid() == 0,
    )


def memory(cgroups: Path) -> int:
    """The container's limit in MB, by either version of control groups, or all that the machine has."""
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # not this version, or "max"
            found.append(int((cgroups / name).read_text()))
    return min(found) // 2**20


def render(settings: Settings, machine: Machine) -> dict[str, str]:
    """Every file's text by its path below RUN_DIR/conf. Raises NotPlain."""
    jinja = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=False,  # noqa: S701 (no HTML)
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    names = jinja.list_templates(filter_func=lambda name: "/" in name and not name.startswith(ELSEWHERE))
    values = {name: plain(value) for name, value in known(settings, machine).items()}
    texts = {name: jinja.get_template(name).render(values) for name in names}
    return {name: text for name, text in texts.items() if text.strip()}


def known(settings: Settings, machine: Machine) -> dict[str, object]:
    """Everything that templates may use."""
    return {
        "url": settings.atum_url,
        "host": settings.host,
        "tls": settings.atum_tls != "off",
        "hsts": settings.hsts_seconds,
        "http3": settings.http3,
        "url_port": settings.url_port or 443,
        "trusted_proxies": [str(network) for network in settings.trusted_proxies],
        "api_rate": settings.api_rate,
        "api_burst": settings.api_burst,
        "login_rate": settings.login_rate,
        "login_burst": settings.login_burst,
        "upload_max": settings.upload_max,
        "workers": settings.web_concurrency,
        "smtp_in": settings.smtp_in,
        "embedded_database": settings.embedded_database,
        "embedded_redis": settings.embedded_redis,
        "data": str(settings.data_dir),
        "run": str(settings.run_dir),
        "image": str(TEMPLATES.parent / "image"),
        "static": str(TEMPLATES.parent / "app" / "web"),
        "python": sys.executable,
        "root": machine.root,
        "http_port": 80 if machine.root else 8080,
        "https_port": 443 if machine.root else 8443,
        "smtp_port": 25 if machine.root else 2525,
        "ipv6": machine.ipv6,
        "processors": machine.processors,
        "shared_buffers": machine.shared_buffers,
        "cache": machine.cache,
    }


def write(texts: dict[str, str], folder: Path) -> None:
    """Readable by every program: nothing in them is secret."""
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644)


def plain(value: object) -> object:
    """The value, if it stays one word wherever it is put. Raises NotPlain."""
    for text in value if isinstance(value, list) else [value]:
        if not _PLAIN.fullmatch(str(text)):
            raise NotPlain(f"{text!r} can't stand in a configuration file")
    return value


def main() -> None:
    settings = load()
    write(render(settings, this_machine()), settings.run_dir / "conf")


if __name__ == "__main__":
    main()

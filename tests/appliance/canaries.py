"""Secrets that can be told anywhere, and everywhere that a desk writes something down."""

import base64
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from tests.appliance.driver import Appliance

DUMP = "/usr/local/bin/pg_dump -h /run/postgresql -U atum -d atum --data-only --inserts"
REDIS = "for k in $(redis-cli -s /run/redis/redis.sock --scan); do echo $k; redis-cli -s /run/redis/redis.sock dump $k; done"
ARGUMENTS = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '"
FILES = "find /data /run /tmp -xdev -type f -not -path '/data/postgres/*' -not -path '/data/secrets/*' -size -512k -exec cat {} +"


@dataclass
class Canaries:
    """`told` is what each secret was, by the place it was given in."""

    told: dict[str, str] = field(default_factory=dict)

    def __call__(self, where: str) -> str:
        """A new one: long, without any sign that would have to be written otherwise somewhere."""
        return self.keep(where, f"Canary{secrets.token_hex(10)}")

    def keep(self, where: str, secret: str) -> str:
        """One that the desk itself made."""
        assert len(secret) >= 16, where
        self.told[where] = secret
        return secret

    def heard(self, text: str) -> list[str]:
        """Those that stand in a text, as they are or in base64."""
        return [where for where, secret in self.told.items() if any(form in text for form in _forms(secret))]


def _forms(secret: str) -> list[str]:
    """As it is, and what of its base64 does not depend on what stands before and after it."""
    shifted = [base64.b64encode(b"\0" * shift + secret.encode()).decode().rstrip("=")[4:-2] for shift in range(3)]
    return [secret, *shifted]


def places(desk: Appliance) -> dict[str, str]:
    """Everything a desk wrote, by where: its log, its database, its memory, its files, and what others see of its processes."""
    inspected: dict[str, Any] = json.loads(json.dumps(desk.container.attrs))
    del inspected["Config"]["Env"]  # what the operator wrote
    found = {"log": desk.logs(), "docker inspect": json.dumps(inspected)}
    for name, command in {"database": DUMP, "redis": REDIS, "arguments": ARGUMENTS, "files": FILES}.items():
        ran = desk.run(
            "sh", "-c", f"({command}) | tr -cd '\\12\\40-\\176'", user="root" if name in {"arguments", "files"} else "app"
        )
        assert len(ran.output) > 100, (name, ran.output)
        found[name] = ran.output
    return found

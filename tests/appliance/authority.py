"""An authority that speaks ACME (Pebble) beside a desk. It proves names by fetching, as those of the internet do."""

import json
import subprocess
from pathlib import Path

from tests.appliance import certificates
from tests.appliance.driver import Appliance

IMAGE = "atum-desk-pebble:test"
HOST = "desk.example"
SERVICE = """
  pebble:
    image: {image}
    environment: {{PEBBLE_VA_NOSLEEP: "1"}}
    volumes: ["{folder}:/acme:ro"]
"""


def build() -> None:
    """Its image, from Debian's package."""
    subprocess.run(["docker", "build", "-q", "-t", IMAGE, str(Path(__file__).parent / "pebble")], check=True, capture_output=True)


def with_pebble(folder: Path, *, host: str = HOST, seconds: int) -> Appliance:
    """A desk that is to get its certificates there; they live for so long. Only a desk called HOST can prove its name."""
    acme = folder / "acme"
    root = certificates.root("The root of Pebble's own certificate")
    root.issue(acme, "pebble")
    (acme / "tls.key").chmod(0o644)
    (acme / "authority.pem").write_bytes(root.pem)
    settings = {
        "listenAddress": "0.0.0.0:14000", "managementListenAddress": "0.0.0.0:15000",
        "certificate": "/acme/tls.crt", "privateKey": "/acme/tls.key", "httpPort": 80, "tlsPort": 443,
        "certificateValidityPeriod": seconds,
        "profiles": {"default": {"description": "Short", "validityPeriod": seconds}},
    }  # fmt: skip
    (acme / "pebble.json").write_text(json.dumps({"pebble": settings}))
    return Appliance(
        folder,
        mail=False,
        settings={
            "ATUM_URL": f"https://{host}", "ATUM_TLS": "acme", "ACME_EMAIL": "root@desk.example",
            "ACME_DIRECTORY": "https://pebble:14000/dir", "ACME_CA_FILE": "/acme/authority.pem",
        },
        more=f'volumes: ["{acme}:/acme:ro"]\nnetworks: {{default: {{aliases: [{HOST}]}}}}',
        services=SERVICE.format(image=IMAGE, folder=acme),
    )  # fmt: skip

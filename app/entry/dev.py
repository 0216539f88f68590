"""`atum dev`: the desk from a checkout, without nginx: Hypercorn with TLS and HTTP/2, as secure cookies and passkeys need."""

import signal
import subprocess
import sys
from pathlib import Path

from app.config import Settings
from app.core import clock, ids
from app.entry import boot
from app.ops import certificates, pairs

WORKERS = ("sla_worker", "mail_poller", "outbox_sender")
IF_ON = ("smtp_in",)


def serve(settings: Settings) -> int:
    """Boot against DATABASE_URL and REDIS_URL, and serve ATUM_URL on its port until stopped."""
    _make_key(settings)
    boot.boot(settings)
    certificate, key = _make_certificate(settings)
    address = f"127.0.0.1:{settings.url_port or 443}"
    server = ["hypercorn", "app.main:app", "--bind", address, "--certfile", str(certificate), "--keyfile", str(key), "--reload"]
    workers = [*WORKERS, *(IF_ON if settings.smtp_in else ())]
    processes = [subprocess.Popen([sys.executable, "-m", f"app.entry.{worker}"]) for worker in workers]
    try:
        return subprocess.run([sys.executable, "-m", *server], check=False).returncode
    except KeyboardInterrupt:
        return 0
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)


def _make_key(settings: Settings) -> None:
    path = settings.data_dir / "secrets" / "secret_key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(ids.token().encode().hex())
        path.chmod(0o600)


def _make_certificate(settings: Settings) -> tuple[Path, Path]:
    folder = settings.data_dir / "tls"
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "dev.crt", folder / "dev.key"
    made = pairs.make_self_signed(certificates.names_for(settings), clock.now())
    certificate.write_bytes(made[0])
    key.touch(mode=0o600)
    key.write_bytes(made[1])
    return certificate, key

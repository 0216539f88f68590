"""The certificate that nginx shows: made here (`self-signed`) or brought (`files`), checked, and installed for nginx to read.

A pair that can't be served is never installed: what was there stays, and the reason is told with the file and what mends it.
nginx gets copies in RUN_DIR/tls because only root may read the originals, and the SMTP door, where there is one, its own.
"""

import fcntl
import grp
import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from app.config import Settings, load
from app.core import clock
from app.ops.installed import for_nginx, for_smtp, mark
from app.ops.pairs import UNREADABLE, Refused, covers, make_self_signed, names_of, problem_of, read

RENEW_BEFORE = timedelta(days=30)
LOOK_AGAIN = timedelta(hours=6)  # expiry comes nearer without any file changing
AS = Path(__file__).parents[2] / "image" / "as"


@dataclass(frozen=True)
class State:
    """What RUN_DIR/tls.json says. `problem` is for people: what is wrong, and what to do."""

    mode: str
    not_after: str | None = None  # ISO 8601
    names: tuple[str, ...] = ()
    problem: str | None = None


def install(settings: Settings, now: datetime) -> State:
    """Bring the pair in force to where nginx reads it, and write tls.json. Raises Refused, with nothing changed but tls.json."""
    try:
        state = _install(settings, now)
    except Refused as bad:
        _note(settings, _kept_state(settings, str(bad)))
        raise
    _note(settings, state)
    return state


def sources(settings: Settings) -> tuple[Path, Path]:
    """Where the pair in force lies: certificate, key."""
    folder = settings.data_dir / "tls"
    if settings.atum_tls == "files":
        return settings.tls_cert or folder / "tls.crt", settings.tls_key or folder / "tls.key"
    return folder / "self-signed.crt", folder / "self-signed.key"


def names_for(settings: Settings) -> list[str]:
    """What a certificate of our own is good for: the public name, and every name the container has for itself."""
    return list(dict.fromkeys([settings.host, "localhost", "127.0.0.1", "::1", socket.gethostname()]))


def group_id(name: str) -> int:
    return grp.getgrnam(name).gr_gid


def _install(settings: Settings, now: datetime) -> State:
    if settings.atum_tls == "off":
        return State("off")
    cert_path, key_path = sources(settings)
    if settings.atum_tls == "self-signed":
        _renew_self_signed(settings, cert_path, key_path, now)
    pair = read(cert_path, key_path)
    chain, key = for_nginx(settings)
    _put(key, pair.key, 0o640, group="nginx")
    _put(chain, pair.chain, 0o644, group="nginx")
    if settings.smtp_in:
        chain, key = for_smtp(settings)
        _put(key, pair.key, 0o640, group="app")
        _put(chain, pair.chain, 0o644, group="app")
    return _state(settings, pair.leaf, problem_of(pair, settings.host, now))


def _renew_self_signed(settings: Settings, cert_path: Path, key_path: Path, now: datetime) -> None:
    """Make one where there is none for this host that lives another month. The container's own changing name is no reason to."""
    try:
        leaf = read(cert_path, key_path).leaf
    except Refused:
        good = False
    else:
        good = leaf.not_valid_after_utc > now + RENEW_BEFORE and covers(names_of(leaf), settings.host)
    if not good:
        chain, key = make_self_signed(names_for(settings), now)
        try:
            _put(key_path, key, 0o600)
            _put(cert_path, chain, 0o600)
        except OSError as wrong:
            raise Refused(f"{key_path} can't be written: {wrong.strerror}", UNREADABLE) from None


def _put(path: Path, content: bytes, mode: int, *, group: str | None = None) -> None:
    """Whole or not at all, and untouched where nothing changed: a new file is what tells that nginx has to reload."""
    if path.exists() and path.read_bytes() == content:
        return
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        os.fchmod(descriptor, mode)
        if group:
            os.fchown(descriptor, -1, group_id(group))
    new.replace(path)


def _state(settings: Settings, leaf: x509.Certificate, problem: str | None) -> State:
    return State(settings.atum_tls, leaf.not_valid_after_utc.isoformat(), names_of(leaf), problem)


def _kept_state(settings: Settings, problem: str) -> State:
    """What is still shown while the new pair is refused."""
    installed, _ = for_nginx(settings)
    if not installed.exists():
        return State(settings.atum_tls, problem=problem)
    return _state(settings, x509.load_pem_x509_certificate(installed.read_bytes()), problem)


def _note(settings: Settings, state: State) -> None:
    _put(settings.run_dir / "tls.json", json.dumps(asdict(state)).encode(), 0o644)


def _told(settings: Settings) -> str | None:
    """The problem that was told last."""
    try:
        found: str | None = json.loads((settings.run_dir / "tls.json").read_text())["problem"]
    except (OSError, ValueError, KeyError):
        return None
    return found


def _reload(settings: Settings) -> None:
    """Have nginx take up what is installed, as nginx's own user."""
    conf = str(settings.run_dir / "conf" / "nginx" / "nginx.conf")
    command = [str(AS), "nginx", "nginx", "-e", "stderr", "-c", conf, "-s", "reload"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    failed = f"ERROR: nginx did not take up the new certificate: {done.stderr}"
    print(failed if done.returncode else "INFO: nginx shows the new certificate", file=sys.stderr)


def first(settings: Settings) -> int:
    """Before nginx starts. Answers the exit code: 64 to replace the pair, 66 to make it readable."""
    try:
        state = install(settings, clock.now())
    except Refused as bad:
        print(f"CRITICAL: {bad}", file=sys.stderr)
        return bad.code
    if state.problem:
        print(f"ERROR: {state.problem}", file=sys.stderr)
    return 0


def again(settings: Settings) -> int:
    """While nginx runs: one reload if what it shows changed, what is wrong told once. Prints the seconds until the next look."""
    with (settings.run_dir / "tls.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before, known = mark(*for_nginx(settings)), _told(settings)
        try:
            problem = install(settings, clock.now()).problem
        except Refused as bad:
            problem = str(bad)
        if problem and problem != known:
            print(f"ERROR: {problem}", file=sys.stderr)
        if mark(*for_nginx(settings)) != before:
            _reload(settings)
    print(int(LOOK_AGAIN.total_seconds()))
    return 0


if __name__ == "__main__":
    sys.exit((again if sys.argv[1:] == ["again"] else first)(load()))

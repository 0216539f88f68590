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
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path

from app.config import Settings, load
from app.core import clock
from app.ops import judging
from app.ops.installed import State, for_nginx, for_smtp
from app.ops.installed import state as told
from app.ops.pairs import UNREADABLE, Pair, Refused, covers, make_self_signed, names_of, read

RENEW_BEFORE = timedelta(days=30)
LOOK_AGAIN = timedelta(hours=6)
AS = Path(__file__).parents[2] / "image" / "as"

# Asks nginx what it thinks of what is installed: its words, or None if it would take it.
Ask = Callable[[], str | None]


def install(settings: Settings, now: datetime, *, ask: Ask = lambda: None) -> State:
    """Bring the pair in force to where nginx reads it, and write tls.json. Raises Refused, with nothing changed but tls.json."""
    try:
        state = _install(settings, now, ask)
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


def _install(settings: Settings, now: datetime, ask: Ask) -> State:
    if settings.atum_tls == "off":
        return State("off")
    cert_path, key_path = sources(settings)
    if settings.atum_tls == "self-signed":
        _renew_self_signed(settings, cert_path, key_path, now)
    pair = read(cert_path, key_path)
    _show(settings, pair, ask)
    if settings.smtp_in:
        chain, key = for_smtp(settings)
        _put(key, pair.key, 0o640, group="app")
        _put(chain, pair.chain, 0o644, group="app")
    return _state(settings, pair, judging.judge(pair, settings.host, now))


def _show(settings: Settings, pair: Pair, ask: Ask) -> None:
    """Put it where nginx reads it. If nginx doesn't want it, what was there comes back."""
    chain, key = for_nginx(settings)
    before = _shown(settings)
    _put(key, pair.key, 0o640, group="nginx")
    _put(chain, pair.chain, 0o644, group="nginx")
    if before != _shown(settings) and (words := ask()):
        _put(key, before[1], 0o640, group="nginx")
        _put(chain, before[0], 0o644, group="nginx")
        raise Refused(f"nginx would not show {pair.cert_path}: {words}")


def _shown(settings: Settings) -> tuple[bytes, ...]:
    """What nginx has to show."""
    return tuple(path.read_bytes() if path.exists() else b"" for path in for_nginx(settings))


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


def _state(settings: Settings, pair: Pair, verdict: judging.Verdict) -> State:
    leaf = pair.leaf
    return State(
        mode=settings.atum_tls,
        shown=settings.atum_tls,
        not_before=leaf.not_valid_before_utc.isoformat(),
        not_after=leaf.not_valid_after_utc.isoformat(),
        names=names_of(leaf),
        issuer=leaf.issuer.rfc4514_string(),
        serial=f"{leaf.serial_number:x}",
        trusted=verdict.trusted,
        problem=verdict.problem,
        hint=verdict.hint,
    )


def _kept_state(settings: Settings, problem: str) -> State:
    """What is still shown while the new pair is refused."""
    known = told(settings)
    return replace(known, problem=problem, hint=None) if known else State(settings.atum_tls, problem=problem)


def _note(settings: Settings, state: State) -> None:
    _put(settings.run_dir / "tls.json", json.dumps(asdict(state)).encode(), 0o644)


def _nginx(settings: Settings, *words: str) -> str | None:
    """Run nginx as its own user, with its own configuration; what it said where it failed."""
    conf = str(settings.run_dir / "conf" / "nginx" / "nginx.conf")
    command = [str(AS), "nginx", "nginx", "-e", "stderr", "-c", conf, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return " ".join(done.stderr.split()) if done.returncode else None


def first(settings: Settings) -> int:
    """Before nginx starts. Answers the exit code: 64 to replace the pair, 66 to make it readable."""
    try:
        state = install(settings, clock.now())
    except Refused as bad:
        print(f"CRITICAL: {bad}", file=sys.stderr)
        return bad.code
    _say(state, None)
    return 0


def again(settings: Settings) -> int:
    """While nginx runs: one reload if what it shows changed, what is wrong told once. Prints the seconds until the next look."""
    with (settings.run_dir / "tls.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before, known = _shown(settings), told(settings)
        try:
            state = install(settings, clock.now(), ask=lambda: _nginx(settings, "-t"))
        except Refused as bad:
            state = _kept_state(settings, str(bad))
        _say(state, known)
        if _shown(settings) != before:
            wrong = _nginx(settings, "-s", "reload")
            failed = f"ERROR: nginx did not take up the new certificate: {wrong}"
            print(failed if wrong else "INFO: nginx shows the new certificate", file=sys.stderr)
    print(_seconds_to_next(state, clock.now()))
    return 0


def _seconds_to_next(state: State, now: datetime) -> int:
    """Until there is something else to do or to say, but never long: somebody may have moved the clock."""
    ends = [now + LOOK_AGAIN]
    if state.not_before and state.not_after:
        life = datetime.fromisoformat(state.not_before), datetime.fromisoformat(state.not_after)
        ends += [at for at in [judging.look_again(*life, now)] if at]
    return max(int((min(ends) - now).total_seconds()) + 1, 5)


def _say(state: State, known: State | None) -> None:
    """What is wrong, unless it has been said."""
    for level, words, before in (
        ("ERROR", state.problem, known and known.problem),
        ("WARNING", state.hint, known and known.hint),
    ):
        if words and words != before:
            print(f"{level}: {words}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit((again if sys.argv[1:] == ["again"] else first)(load()))

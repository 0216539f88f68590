"""The certificate that nginx shows: made here (`self-signed`), asked for (`acme`) or brought (`files`); checked, and installed.

A pair that can't be served is never installed: what was there stays, and the reason is told with the file and what mends it.
nginx gets copies in RUN_DIR/tls because only root may read the originals, and the SMTP door, where there is one, its own.
"""

import fcntl
import json
import random
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path

from app.config import Settings, load
from app.core import clock
from app.ops import judging, renewal
from app.ops.installed import State, for_browsers, for_nginx, for_smtp
from app.ops.installed import state as told
from app.ops.pairs import UNREADABLE, Pair, Refused, covers, make_self_signed, names_of, read
from app.ops.placing import put

OWN = "self-signed.crt"
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
    """Where a pair that no authority was asked for lies: certificate, key."""
    folder = settings.data_dir / "tls"
    if settings.atum_tls == "files":
        return settings.tls_cert or folder / "tls.crt", settings.tls_key or folder / "tls.key"
    return folder / OWN, folder / "self-signed.key"


def names_for(settings: Settings) -> list[str]:
    """What a certificate of our own is good for: the public name, and every name the container has for itself."""
    return list(dict.fromkeys([settings.host, "localhost", "127.0.0.1", "::1", socket.gethostname()]))


def _install(settings: Settings, now: datetime, ask: Ask) -> State:
    if settings.atum_tls == "off":
        return State("off")
    pair = _pair(settings, now)
    verdict = judging.judge(pair, settings.host, now, authorities=settings.acme_ca_file)
    _show(settings, pair, ask)
    # Browsers would lock everybody out for as long as it says, if they did not believe the certificate.
    sure = settings.hsts_seconds if verdict.trusted else None
    put(for_browsers(settings), f'on "max-age={sure}";\n'.encode() if sure else b"", 0o644, group="nginx")
    if settings.smtp_in:
        chain, key = for_smtp(settings)
        put(key, pair.key, 0o640, group="app")
        put(chain, pair.chain, 0o644, group="app")
    return _state(settings, pair, renewal.judged(settings, pair, verdict, now) if settings.atum_tls == "acme" else verdict)


def _pair(settings: Settings, now: datetime) -> Pair:
    """What is to be shown. Until an authority gives one, that is one of our own."""
    if settings.atum_tls == "acme" and (given := renewal.usable(settings)):
        return given
    cert_path, key_path = sources(settings)
    if settings.atum_tls != "files":
        _renew_self_signed(settings, cert_path, key_path, now)
    return read(cert_path, key_path)


def _show(settings: Settings, pair: Pair, ask: Ask) -> None:
    """Put it where nginx reads it. If nginx doesn't want it, what was there comes back."""
    chain, key = for_nginx(settings)
    before = _shown(settings)
    put(key, pair.key, 0o640, group="nginx")
    put(chain, pair.chain, 0o644, group="nginx")
    if before != _shown(settings) and (words := ask()):
        put(key, before[1], 0o640, group="nginx")
        put(chain, before[0], 0o644, group="nginx")
        raise Refused(f"nginx would not show {pair.cert_path}: {words}")


def _shown(settings: Settings) -> tuple[bytes, ...]:
    """What nginx has to show."""
    return tuple(path.read_bytes() if path.exists() else b"" for path in (*for_nginx(settings), for_browsers(settings)))


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
            put(key_path, key, 0o600)
            put(cert_path, chain, 0o600)
        except OSError as wrong:
            raise Refused(f"{key_path} can't be written: {wrong.strerror}", UNREADABLE) from None


def _state(settings: Settings, pair: Pair, verdict: judging.Verdict) -> State:
    leaf = pair.leaf
    return State(
        mode=settings.atum_tls,
        shown="self-signed" if pair.cert_path.name == OWN else settings.atum_tls,
        not_before=leaf.not_valid_before_utc.isoformat(),
        not_after=leaf.not_valid_after_utc.isoformat(),
        names=names_of(leaf),
        issuer=leaf.issuer.rfc4514_string(),
        serial=f"{leaf.serial_number:x}",
        trusted=verdict.trusted,
        problem=verdict.problem,
        hint=verdict.hint,
        tried=asdict(renewal.known(settings)) if settings.atum_tls == "acme" else None,
    )


def _kept_state(settings: Settings, problem: str) -> State:
    """What is still shown while the new pair is refused."""
    known = told(settings)
    return replace(known, problem=problem, hint=None) if known else State(settings.atum_tls, problem=problem)


def _note(settings: Settings, state: State) -> None:
    put(settings.run_dir / "tls.json", json.dumps(asdict(state)).encode(), 0o644)


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
    if settings.atum_tls == "acme":
        renewal.look(settings, clock.now(), chance=random.random())  # noqa: S311 (spreads those who failed together)
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
    print(_seconds_to_next(settings, state, clock.now()))
    return 0


def _seconds_to_next(settings: Settings, state: State, now: datetime) -> int:
    """Until there is something else to do or to say, but never long: somebody may have moved the clock."""
    ends = [now + LOOK_AGAIN]
    if state.not_before and state.not_after:
        life = datetime.fromisoformat(state.not_before), datetime.fromisoformat(state.not_after)
        ends += [at for at in [judging.look_again(*life, now)] if at]
    if state.mode == "acme":
        ends.append(renewal.next_at(settings, now))
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

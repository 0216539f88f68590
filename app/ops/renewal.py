"""The half of ACME that holds the keys: when a certificate is due, what is asked for, and what came of it.

Root's. What talks to the network is a process of the desk's user (authority.py), handed a request that is signed already.
"""

import json
import os
import pwd
import re
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app import config
from app.config import Settings
from app.ops import installed, tries
from app.ops.judging import Verdict
from app.ops.pairs import Pair, Refused, covers, names_of, read
from app.ops.placing import put
from app.ops.tries import Tries

LIFE_LEFT = 3  # a third of a certificate's life
NOBODYS_MATTER = timedelta(days=1)
LIMIT = 300  # seconds
PROOF, CHAIN = "proof", "chain"  # as authority.py says; importing it would load what it needs
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}")


class NotGiven(Exception):
    """Why there is no certificate, in the authority's words where it had any."""


def path(settings: Settings) -> Path:
    """Key and chain, in one file: they are replaced together or not at all."""
    return settings.data_dir / "tls" / "acme" / "certificate.pem"


def usable(settings: Settings) -> Pair | None:
    """The last one that was given, if it is for this name."""
    try:
        pair = read(path(settings), path(settings))
    except Refused:
        return None
    return pair if covers(names_of(pair.leaf), settings.host) else None


def due_at(pair: Pair) -> datetime:
    """When it is time for the next."""
    end = pair.leaf.not_valid_after_utc
    return end - (end - pair.leaf.not_valid_before_utc) / LIFE_LEFT


def known(settings: Settings) -> Tries:
    """What came of asking so far."""
    return tries.read(_folder(settings) / "tries.json", f"{settings.acme_directory} {settings.host}")


def next_at(settings: Settings, now: datetime) -> datetime:
    """When something is to be done again."""
    pair, may = usable(settings), tries.may_at(known(settings), now, asked=False)
    return max(due_at(pair), may) if pair else may


def look(settings: Settings, now: datetime, *, chance: float) -> None:
    """Ask for a certificate, if one is due and it may be asked for."""
    before, pair = known(settings), usable(settings)
    if (pair and now < due_at(pair)) or now < tries.may_at(before, now, asked=_was_asked(settings, before)):
        return
    try:
        _put_new(settings)
    except (NotGiven, Refused, OSError) as wrong:
        after = tries.failed(before, " ".join(str(wrong).split())[:500], now, chance=chance)
    else:
        after = tries.succeeded(before, now)
        print(f"INFO: {settings.acme_directory} gave a certificate for {settings.host}", file=sys.stderr)
    put(_folder(settings) / "tries.json", tries.text(after), 0o600)


def judged(settings: Settings, pair: Pair, verdict: Verdict, now: datetime) -> Verdict:
    """With what the authority says. A renewal that fails is nobody's matter for a day, where there is time."""
    so_far = known(settings)
    if pair.cert_path != path(settings):
        if so_far.failures:
            return Verdict(f"There is no certificate for {settings.host} yet: {so_far.said}")
        return Verdict(None, f"A certificate for {settings.host} is being asked for; until it is there, browsers warn.")
    if not so_far.failures or so_far.since is None:
        return verdict
    words = f"The certificate for {settings.host} could not be renewed: {so_far.said}"
    if verdict.problem:
        words = f"{words} {verdict.problem.removesuffix(' Renew it.')}"
    elif now - datetime.fromisoformat(so_far.since) < NOBODYS_MATTER:
        return replace(verdict, hint=words)
    return replace(verdict, problem=words, hint=None)


def _was_asked(settings: Settings, so_far: Tries) -> bool:
    """Whether somebody would have the authority asked now, and hasn't been heard yet."""
    try:
        at = installed.asked(settings).stat().st_mtime
    except OSError:
        return False
    return so_far.at is None or at > datetime.fromisoformat(so_far.at).timestamp()


def _put_new(settings: Settings) -> None:
    folder = _folder(settings)
    folder.mkdir(mode=0o700, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    # Before anybody is asked: a full disk must not cost a certificate of the few that one gets in a week.
    put(folder / "certificate.pem.next", _pem(key) + b"\n" * 16384, 0o600)
    chain = _ask(settings, _account(folder), _request(key, settings.host))
    put(folder / "certificate.pem.next", _pem(key) + chain.encode(), 0o600)
    read(folder / "certificate.pem.next", folder / "certificate.pem.next")
    (folder / "certificate.pem.next").replace(path(settings))


def _ask(settings: Settings, account: bytes, request: bytes) -> str:
    """Have the other half ask; the chain that it got. Whatever it wants to prove meanwhile is laid where nginx shows it."""
    wanted = {
        "directory": settings.acme_directory, "email": settings.acme_email, "account": account.decode(),
        "csr": request.decode(), "authorities": str(_authorities(settings)),
    }  # fmt: skip
    with _other_half() as (told, said), _proofs(settings.run_dir / "acme") as proofs:
        _tell(told, json.dumps(wanted))
        for line in said:
            word = _parsed(line)
            if word.get("kind") == CHAIN:
                return str(word["pem"])
            if word.get("kind") != PROOF:
                raise NotGiven(_printable(str(word.get("words", line))))
            if not _TOKEN.fullmatch(str(word["token"])):
                raise NotGiven("It wants a proof laid where none can be.")
            put(proofs / str(word["token"]), str(word["proof"]).encode(), 0o644)
            _tell(told, "")
    raise NotGiven("It did not come to an end.")


@contextmanager
def _other_half() -> Iterator[tuple[IO[str], IO[str]]]:
    """authority.py, as the desk's user where we are root; its input and output. Never for longer than LIMIT."""
    command = [sys.executable, "-m", "app.ops.authority"]
    who = "app" if os.geteuid() == 0 and _has("app") else None
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, text=True, env=config.for_children(), stdin=pipe, stdout=pipe, user=who, group=who, extra_groups=who and []
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        clock = threading.Timer(LIMIT, child.kill)
        clock.start()
        try:
            yield child.stdin, child.stdout
        finally:
            clock.cancel()
            child.kill()


@contextmanager
def _proofs(root: Path) -> Iterator[Path]:
    """Where proofs lie while they are needed."""
    folder = root / ".well-known" / "acme-challenge"
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        shutil.rmtree(root / ".well-known", ignore_errors=True)


def _authorities(settings: Settings) -> Path:
    """Whom the directory's own certificate may come from: the system's, and ours; where the other half may read them."""
    system = Path(ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt")
    ours = settings.acme_ca_file.read_bytes() if settings.acme_ca_file else b""
    together = settings.run_dir / "acme" / "authorities.pem"
    put(together, system.read_bytes() + b"\n" + ours, 0o644)
    return together


def _account(folder: Path) -> bytes:
    """The key that the authority knows us by."""
    path = folder / "account.key"
    if not path.exists():
        put(path, _pem(ec.generate_private_key(ec.SECP256R1())), 0o600)
    return path.read_bytes()


def _request(key: ec.EllipticCurvePrivateKey, host: str) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)] if len(host) <= 64 else [])
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name).add_extension(names, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _folder(settings: Settings) -> Path:
    return path(settings).parent


def _tell(other: IO[str], line: str) -> None:
    with suppress(BrokenPipeError):  # why it is gone is in what it said
        other.write(line + "\n")
        other.flush()


def _parsed(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _printable(words: str) -> str:
    """A stranger's words, for a log and a page."""
    return "".join(each if each.isprintable() else " " for each in words)


def _has(user: str) -> bool:
    with suppress(KeyError):
        return bool(pwd.getpwnam(user))
    return False

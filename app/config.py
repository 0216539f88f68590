"""The settings: the only reader of the environment.

Each setting may come as NAME, as NAME_FILE (a path whose content is the value) or as a file /run/secrets/name. An empty value
counts as not given. `load` looks at everything before it complains, so that all problems are told at once.
"""

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.core import parse
from app.core.parse import Network, Parse

SECRETS = Path("/run/secrets")
LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
_PLACEHOLDERS = {"changeme", "change-me", "password", "secret", "example", "replace-me", "xxx"}


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the settings: its name, the reason, and an example of what is right."""

    name: str
    reason: str
    example: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason} (for example: {self.example})"


class BadSettings(Exception):
    """Everything that is wrong with the settings, at once."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True)
class Settings:
    """What the desk was told, checked and typed. Durations are in seconds, sizes in bytes."""

    atum_url: str
    atum_tls: str
    tls_cert: Path | None
    tls_key: Path | None
    acme_email: str | None
    acme_directory: str
    acme_ca_file: Path | None
    hsts: str
    http3: bool
    trusted_proxies: tuple[Network, ...]
    api_rate: str
    api_burst: int
    login_rate: str
    login_burst: int
    web_concurrency: int
    database_url: str | None
    redis_url: str | None
    imap_host: str | None
    imap_port: int
    imap_user: str | None
    imap_password: str | None
    imap_ssl: bool
    imap_folder: str
    email_poll_interval: int
    smtp_host: str | None
    smtp_port: int
    smtp_user: str | None
    smtp_password: str | None
    smtp_security: str
    smtp_from: str | None
    smtp_in: bool
    smtp_in_domains: tuple[str, ...]
    admin_email: str | None
    admin_password: str | None
    sla_check_interval: int
    accept_gate: bool
    upload_max: str
    backup_schedule: str
    backup_keep: int
    backup_to: str | None
    backup_s3_endpoint: str | None
    backup_s3_key: str | None
    backup_s3_secret: str | None
    backup_s3_region: str | None
    upgrade_backup: bool
    tz: str
    log_level: str
    log_format: str
    atum_demo: bool
    data_dir: Path
    run_dir: Path

    @property
    def host(self) -> str:
        """The name people reach the desk by."""
        return urlsplit(self.atum_url).hostname or "localhost"

    @property
    def mail_host(self) -> str:
        """The right side of our Message-IDs: the domain we send from, else the desk's own name."""
        return self.smtp_from.rpartition("@")[2] if self.smtp_from else self.host

    @property
    def url_port(self) -> int | None:
        """The port in the public URL, where it has one."""
        return urlsplit(self.atum_url).port

    @property
    def hsts_seconds(self) -> int | None:
        """How long browsers are to remember that there is nothing here but HTTPS."""
        return None if self.hsts == "off" else int(self.hsts)

    @property
    def upload_max_bytes(self) -> int:
        number, unit = int(self.upload_max[:-1]), self.upload_max[-1]
        return number * {"K": 1024, "M": 1024**2, "G": 1024**3}[unit]

    @property
    def embedded_database(self) -> bool:
        return self.database_url is None

    @property
    def embedded_redis(self) -> bool:
        return self.redis_url is None

    @property
    def database_dsn(self) -> str:
        """What libpq is given: the external URL, or the embedded server's socket."""
        return self.database_url or "postgresql://atum@/atum?host=/run/postgresql"

    @property
    def redis_dsn(self) -> str:
        return self.redis_url or "unix:///run/redis/redis.sock"

    @property
    def uploads(self) -> Path:
        """Where what somebody sends waits until it is whole; empty at every start. nginx has a folder of its own beside it."""
        return self.data_dir / "tmp" / "api"

    @property
    def rehearsals(self) -> Path:
        """Where backups are restored for practice; empty at every start."""
        return self.data_dir / "tmp" / "rehearsal"

    @property
    def app_run(self) -> Path:
        """Where the app's own processes leave marks for each other: ready, heartbeat/, maintenance/, verdict.json."""
        return self.run_dir / "app"


@dataclass(frozen=True)
class _Setting:
    default: str | None
    parse: Parse
    example: str


_HOST = parse.matching(r"[A-Za-z0-9.\-_:]{1,253}", "a host name or address")
_ADDRESS = parse.matching(r"[^@\s<>,;\"]{1,64}@[A-Za-z0-9.\-]{1,253}", "an e-mail address")
_RATE = parse.matching(r"[1-9]\d{0,5}r/[sm]", "a rate")
_PLACE = parse.matching(r"/[^\0]+|s3://[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9](/[A-Za-z0-9._/\-]*)?", "a folder or s3://bucket/prefix")
_PORT = parse.whole(1, 65535)

_SETTINGS: dict[str, _Setting] = {
    "ATUM_URL": _Setting("https://localhost", parse.public_url, "https://desk.example.com"),
    "ATUM_TLS": _Setting("self-signed", parse.one_of("self-signed", "acme", "files", "off"), "self-signed"),
    "TLS_CERT": _Setting(None, Path, "/data/tls/tls.crt"),
    "TLS_KEY": _Setting(None, Path, "/data/tls/tls.key"),
    "ACME_EMAIL": _Setting(None, _ADDRESS, "admin@example.com"),
    "ACME_DIRECTORY": _Setting(LETS_ENCRYPT, parse.url("https"), "https://acme.example.com/directory"),
    "ACME_CA_FILE": _Setting(None, Path, "/data/tls/authority.pem"),
    "HSTS": _Setting("off", parse.matching(r"off|[1-9]\d{0,8}", "off, or a number of seconds"), "63072000"),
    "HTTP3": _Setting("off", parse.switch, "off"),
    "TRUSTED_PROXIES": _Setting(None, parse.networks, "10.0.0.0/8, 192.168.1.5"),
    "API_RATE": _Setting("10r/s", _RATE, "10r/s"),
    "API_BURST": _Setting("20", parse.whole(0, 100_000), "20"),
    "LOGIN_RATE": _Setting("1r/s", _RATE, "1r/s"),
    "LOGIN_BURST": _Setting("5", parse.whole(0, 100_000), "5"),
    "WEB_CONCURRENCY": _Setting("4", parse.whole(1, 64), "4"),
    "DATABASE_URL": _Setting(None, parse.postgresql, "postgresql://atum:secret@db.example.com/atum"),
    "REDIS_URL": _Setting(None, parse.url("redis", "rediss", "unix"), "redis://redis.example.com:6379/0"),
    "IMAP_HOST": _Setting(None, _HOST, "imap.example.com"),
    "IMAP_PORT": _Setting("993", _PORT, "993"),
    "IMAP_USER": _Setting(None, parse.text, "support@example.com"),
    "IMAP_PASSWORD": _Setting(None, parse.text, "the mailbox's password"),
    "IMAP_SSL": _Setting("true", parse.switch, "true"),
    "IMAP_FOLDER": _Setting("INBOX", parse.text, "INBOX"),
    "EMAIL_POLL_INTERVAL": _Setting("60", parse.whole(1, 3600), "60"),
    "SMTP_HOST": _Setting(None, _HOST, "smtp.example.com"),
    "SMTP_PORT": _Setting("587", _PORT, "587"),
    "SMTP_USER": _Setting(None, parse.text, "support@example.com"),
    "SMTP_PASSWORD": _Setting(None, parse.text, "the account's password"),
    "SMTP_SECURITY": _Setting("starttls", parse.one_of("starttls", "tls", "none"), "starttls"),
    "SMTP_FROM": _Setting(None, _ADDRESS, "support@example.com"),
    "SMTP_IN": _Setting("off", parse.switch, "off"),
    "SMTP_IN_DOMAINS": _Setting(None, parse.domains, "example.com"),
    "ADMIN_EMAIL": _Setting(None, _ADDRESS, "admin@example.com"),
    "ADMIN_PASSWORD": _Setting(None, parse.text, "a long password of your own"),
    "SLA_CHECK_INTERVAL": _Setting("60", parse.whole(5, 3600), "60"),
    "ACCEPT_GATE": _Setting("on", parse.switch, "on"),
    "UPLOAD_MAX": _Setting("50M", parse.matching(r"[1-9]\d{0,3}[KMG]", "a size"), "50M"),
    "BACKUP_SCHEDULE": _Setting("02:00", parse.matching(r"([01]\d|2[0-3]):[0-5]\d|off", "a time of day, or off"), "02:00"),
    "BACKUP_KEEP": _Setting("7", parse.whole(1, 1000), "7"),
    "BACKUP_TO": _Setting(None, _PLACE, "/backups, or s3://bucket/desk"),
    "BACKUP_S3_ENDPOINT": _Setting(None, parse.url("https", "http"), "https://s3.eu-central-1.amazonaws.com"),
    "BACKUP_S3_KEY": _Setting(None, parse.text, "the access key's id"),
    "BACKUP_S3_SECRET": _Setting(None, parse.text, "the access key's secret"),
    "BACKUP_S3_REGION": _Setting(None, parse.matching(r"[a-z0-9\-]{1,40}", "a region"), "eu-central-1"),
    "UPGRADE_BACKUP": _Setting("on", parse.switch, "on"),
    "TZ": _Setting("UTC", parse.zone, "Europe/Berlin"),
    "LOG_LEVEL": _Setting("info", parse.one_of("debug", "info", "warning", "error"), "info"),
    "LOG_FORMAT": _Setting("json", parse.one_of("json", "text"), "json"),
    "ATUM_DEMO": _Setting("off", parse.switch, "off"),
    "DATA_DIR": _Setting("/data", Path, "/data"),
    "RUN_DIR": _Setting("/run/atum", Path, "/run/atum"),
}

NAMES = tuple(_SETTINGS)
DEFAULTS = {name: setting.default for name, setting in _SETTINGS.items()}


def load(environ: Mapping[str, str] | None = None, *, secrets: Path = SECRETS) -> Settings:
    """The settings in force. Raises BadSettings with every problem found."""
    given, problems = _given(os.environ if environ is None else environ, secrets)
    values: dict[str, Any] = {}
    for name, setting in _SETTINGS.items():
        raw = given.get(name, setting.default)
        try:
            values[name.lower()] = _absent(setting) if raw is None else setting.parse(raw)
        except ValueError as wrong:
            problems.append(Problem(name, str(wrong), setting.example))
    problems += _contradictions(values)
    if problems:
        raise BadSettings(problems)
    return Settings(**values)


def resolve(environ: Mapping[str, str] | None = None, *, secrets: Path = SECRETS) -> dict[str, str]:
    """The environment with every NAME_FILE and /run/secrets/name read into NAME. Raises BadSettings.

    The launcher does this as root, once, for programs that may not read those files themselves.
    """
    environ = os.environ if environ is None else environ
    given, problems = _given(environ, secrets)
    if problems:
        raise BadSettings(problems)
    ours = set(_SETTINGS) | {f"{name}_FILE" for name in _SETTINGS}
    return {name: value for name, value in environ.items() if name not in ours} | given


def for_children(**more: str) -> dict[str, str]:
    """The environment for programs that aren't ours: none of the settings, some of which are passwords, and `more`."""
    ours = {each for name in _SETTINGS for each in (name, f"{name}_FILE")} - {"TZ"}
    return {name: value for name, value in os.environ.items() if name not in ours} | more


def secret_key(settings: Settings) -> bytes:
    """The desk's own key, made at first boot. Raises FileNotFoundError where it was never made."""
    return bytes.fromhex((settings.data_dir / "secrets" / "secret_key").read_text().strip())


def process_name(otherwise: str) -> str:
    """The name supervisord knows this process by."""
    return os.environ.get("SUPERVISOR_PROCESS_NAME", otherwise)


def _absent(setting: _Setting) -> Any:
    return () if setting.parse in (parse.networks, parse.domains) else None


def _given(environ: Mapping[str, str], secrets: Path) -> tuple[dict[str, str], list[Problem]]:
    """What was given of our settings, by any of the three ways."""
    given: dict[str, str] = {}
    problems: list[Problem] = [_unknown(name) for name in environ if _is_unknown(name)]
    for name, setting in _SETTINGS.items():
        direct, path = environ.get(name, ""), environ.get(f"{name}_FILE", "")
        if direct and path:
            problems.append(Problem(name, f"both {name} and {name}_FILE are set; keep one", f"{name}={setting.example}"))
        elif direct:
            given[name] = direct
        elif source := _secret_file(name, path, secrets):
            try:
                given[name] = _read_secret(source)
            except (OSError, ValueError) as wrong:
                problems.append(Problem(f"{name}_FILE", f"{source}: {_words(wrong)}", f"a readable file with {setting.example}"))
    return given, problems


def _secret_file(name: str, path: str, secrets: Path) -> Path | None:
    if path:
        return Path(path)
    return next((p for p in (secrets / name.lower(), secrets / name) if p.exists()), None)


def _read_secret(path: Path) -> str:
    value = path.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    if not value:
        raise ValueError("the file is empty")
    if "\n" in value or "\r" in value or "\0" in value:
        raise ValueError("the file has more than one line")
    return value


def _words(wrong: Exception) -> str:
    if isinstance(wrong, OSError):
        return f"it can't be read ({wrong.strerror})"
    return "it is not UTF-8 text" if isinstance(wrong, UnicodeError) else str(wrong)


def _is_unknown(name: str) -> bool:
    return name.startswith("ATUM_") and name.removesuffix("_FILE") not in _SETTINGS


def _unknown(name: str) -> Problem:
    near = difflib.get_close_matches(name, _SETTINGS, 1)
    example = near[0] if near else "ATUM_URL"
    return Problem(name, "there is no such setting" + (f"; did you mean {example}?" if near else ""), example)


def _contradictions(values: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with settings that are each fine alone. A value that did not parse is not there."""

    def want(name: str, because: str) -> list[Problem]:
        return [] if values.get(name.lower(), "") is not None else [Problem(name, because, _SETTINGS[name].example)]

    problems: list[Problem] = []
    if values.get("imap_host"):
        problems += want("IMAP_USER", "IMAP_HOST is set, so the mailbox needs a user")
        problems += want("IMAP_PASSWORD", "IMAP_HOST is set, so the mailbox needs a password")
    if values.get("smtp_host"):
        problems += want("SMTP_FROM", "SMTP_HOST is set, so mail needs a sender's address")
    if values.get("smtp_user"):
        problems += want("SMTP_PASSWORD", "SMTP_USER is set, so signing in needs a password")
    if values.get("admin_password"):
        problems += want("ADMIN_EMAIL", "ADMIN_PASSWORD is set, so the administrator needs an address")
        problems += _weak("ADMIN_PASSWORD", values["admin_password"])
    if values.get("admin_email"):
        problems += want("ADMIN_PASSWORD", "ADMIN_EMAIL is set, so the administrator needs a password")
    problems += _tls(values)
    problems += _place(values, want)
    if values.get("smtp_in") and values.get("smtp_in_domains") == ():
        problems.append(Problem("SMTP_IN_DOMAINS", "SMTP_IN is on, and nothing says whose mail to take", "example.com"))
    return problems


def _tls(values: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with where the certificate comes from."""
    problems = []
    if bool(values.get("tls_cert")) != bool(values.get("tls_key")):
        problems.append(Problem("TLS_CERT", "TLS_CERT and TLS_KEY go together; only one is set", "/data/tls/tls.crt"))
    if values.get("atum_tls") == "acme" and not _is_provable(urlsplit(values.get("atum_url", "")).hostname):
        because = "ATUM_TLS is acme, and an authority proves a name in the public DNS, neither an address nor localhost"
        problems.append(Problem("ATUM_URL", because, "https://desk.example.com"))
    if values.get("http3") and values.get("atum_tls") == "off":
        problems.append(Problem("HTTP3", "it is TLS of our own, and ATUM_TLS is off: a proxy in front may offer it", "off"))
    return problems


def _place(values: Mapping[str, Any], want: Callable[[str, str], list[Problem]]) -> list[Problem]:
    """What is wrong with where backups are copied to."""
    place = values.get("backup_to")
    if place and place.startswith("s3://"):
        because = "BACKUP_TO is a bucket, so the server that keeps it has to be known and let the desk in"
        return [each for name in ("ENDPOINT", "KEY", "SECRET") for each in want(f"BACKUP_S3_{name}", because)]
    if place and Path(place).is_relative_to(values.get("data_dir", "/data")):
        return [Problem("BACKUP_TO", "it lies on the volume that is backed up; name a folder elsewhere", "/backups")]
    return []


def _is_provable(host: str | None) -> bool:
    return not host or not (host == "localhost" or host.replace(".", "").isdigit())


def _weak(name: str, password: str) -> list[Problem]:
    if password.lower() in _PLACEHOLDERS:
        return [Problem(name, "it is a placeholder, not a password", _SETTINGS[name].example)]
    if len(password) < 10:
        return [Problem(name, "it is shorter than 10 characters", _SETTINGS[name].example)]
    return []

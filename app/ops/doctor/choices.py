"""Settings that are each allowed, and together odd or unsafe."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit

from app.config import BadSettings, Problem, Settings
from app.ops.doctor.findings import Finding, Level, Room

SUBJECT = "settings"
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


def look(room: Room) -> Iterable[Finding]:
    """What is odd; or that nothing is."""
    found = [*_address(room.settings), *_proxies(room.settings), *_mail(room.settings), *_servers(room.settings)]
    found += _habits(room.settings)
    return found or [Finding(SUBJECT, Level.OK, "nothing odd among them")]


def of_problems(wrong: BadSettings) -> list[Finding]:
    """What keeps the desk from starting."""
    return [_problem(problem) for problem in wrong.problems]


def _problem(problem: Problem) -> Finding:
    why = "The desk does not start with it."
    return Finding(SUBJECT, Level.BAD, f"{problem.name}: {problem.reason}", why, f"{problem.name}={problem.example}")


def _address(settings: Settings) -> Iterator[Finding]:
    host, scheme = settings.host, urlsplit(settings.atum_url).scheme
    if host in _HERE:
        why = "Links in mails lead to the reader's own machine, and so nowhere."
        yield _odd(Level.HINT, f"ATUM_URL is {settings.atum_url}", why, "ATUM_URL=https://desk.example.com")
    elif _is_address(host):
        why = "A browser trusts certificates for names; passkeys and links in mails need one too."
        yield _odd(Level.HINT, f"ATUM_URL is an address, {host}", why, "ATUM_URL=https://desk.example.com")
    if scheme == "http":
        why = "Whoever is between a browser and the desk reads passwords; browsers keep the session's cookie for https alone."
        yield _odd(Level.BAD, f"ATUM_URL is {settings.atum_url}", why, f"ATUM_URL=https://{host}")
    if settings.atum_demo and host not in _HERE:
        why = "The demo's sign-ins are printed in its log and known to everybody."
        yield _odd(Level.BAD, f"ATUM_DEMO is on, and the desk is at {settings.atum_url}", why, "ATUM_DEMO=off")
    if settings.atum_tls == "self-signed" and host not in _HERE and not _is_address(host):
        why = "Every visitor is warned of it."
        yield _odd(Level.HINT, "ATUM_TLS is self-signed, which no browser trusts", why, "ATUM_TLS=acme")


def _proxies(settings: Settings) -> Iterator[Finding]:
    if settings.atum_tls == "off" and not settings.trusted_proxies:
        why = "The proxy in front counts as the one visitor there is, and the desk believes that it was asked by plain http."
        yield _odd(Level.WARNING, "ATUM_TLS is off, and TRUSTED_PROXIES names no proxy", why, "TRUSTED_PROXIES=172.16.0.0/12")
    for network in settings.trusted_proxies:
        if network.prefixlen < 8:
            why = "Everybody may say then that they come from anywhere, and no limit holds them."
            yield _odd(Level.WARNING, f"TRUSTED_PROXIES takes in {network}", why, "TRUSTED_PROXIES=172.18.0.1")


def _mail(settings: Settings) -> Iterator[Finding]:
    if settings.smtp_host is None:
        why = "No answer and no link for a new password leaves the desk."
        lines = "SMTP_HOST=smtp.example.com\nSMTP_USER=…\nSMTP_PASSWORD=…\nSMTP_FROM=support@example.com"
        yield _odd(Level.WARNING, "SMTP_HOST is not set", why, lines)
    elif settings.smtp_security == "none" and settings.smtp_user:
        why = "The password and all mail can be read on the way."
        yield _odd(Level.WARNING, "SMTP_SECURITY is none, and SMTP_USER signs in", why, "SMTP_SECURITY=starttls")
    elif (settings.smtp_port, settings.smtp_security) in {(465, "starttls"), (587, "tls")}:
        right = "tls" if settings.smtp_port == 465 else "starttls"
        why = f"Servers speak {right} on that port (RFC 8314), so each of the two waits for the other."
        what = f"SMTP_PORT is {settings.smtp_port}, and SMTP_SECURITY {settings.smtp_security}"
        yield _odd(Level.WARNING, what, why, f"SMTP_SECURITY={right}")
    if settings.imap_host and not settings.imap_ssl:
        why = "The mailbox's password can be read on the way, unless its server insists on STARTTLS."
        yield _odd(Level.WARNING, "IMAP_SSL is false", why, "IMAP_SSL=true\nIMAP_PORT=993")


def _servers(settings: Settings) -> Iterator[Finding]:
    url = urlsplit(settings.database_url or "")
    mode = parse_qs(url.query).get("sslmode", ["prefer"])[-1]
    if url.hostname and url.hostname not in _HERE and mode not in {"require", "verify-ca", "verify-full"}:
        why = "Whether tickets and passwords' hashes are encrypted on the way is left to the server."
        yield _odd(Level.WARNING, "DATABASE_URL asks for no TLS", why, "DATABASE_URL=postgresql://…?sslmode=verify-full")
    redis = urlsplit(settings.redis_url or "")
    if redis.scheme == "redis" and redis.hostname and redis.hostname not in _HERE and "." in redis.hostname:
        why = "What it is asked, and its password, can be read on the way."
        yield _odd(Level.HINT, "REDIS_URL speaks no TLS", why, "REDIS_URL=rediss://…")
    if settings.backup_s3_endpoint and settings.backup_s3_endpoint.startswith("http://"):
        why = "Archives are encrypted; that they arrive is not protected."
        yield _odd(Level.HINT, "BACKUP_S3_ENDPOINT speaks no TLS", why, "BACKUP_S3_ENDPOINT=https://…")


def _habits(settings: Settings) -> Iterator[Finding]:
    if settings.backup_to is None and settings.backup_schedule != "off":
        why = "A disk that is lost takes the desk and all its backups with it."
        yield _odd(Level.HINT, "BACKUP_TO is not set, so backups lie beside what they are of", why, "BACKUP_TO=/backups")
    if settings.admin_password:
        why = "It makes the first administrator and is of no use afterwards, but lies in the container's configuration."
        yield _odd(Level.HINT, "ADMIN_PASSWORD is still set", why, "ADMIN_EMAIL=\nADMIN_PASSWORD=")
    if settings.log_level == "debug":
        why = "The log grows fast, and what matters is hard to find."
        yield _odd(Level.HINT, "LOG_LEVEL is debug", why, "LOG_LEVEL=info")


def _odd(level: Level, what: str, why: str, paste: str) -> Finding:
    return Finding(SUBJECT, level, what, why, paste)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True

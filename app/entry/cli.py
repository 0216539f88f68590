"""`atum`: what an administrator does from the container's shell. Exit 0 done, 1 found a problem, 2 wrong usage."""

import argparse
import getpass
import json
import sys
from collections.abc import Callable
from typing import Any

from app import __version__, config
from app.accounts import actions as accounts
from app.accounts import queries as people
from app.accounts.rules import Role
from app.audit import queries as audit
from app.config import BadSettings, Settings
from app.core.errors import DeskError, NotFound
from app.db.redis import Counters
from app.db.session import now
from app.entry import cli_mail, dev
from app.entry.cli_mail import Answer, database
from app.ops import demo, migrate
from app.ops.health import Watch


def main(arguments: list[str] | None = None) -> int:
    """Run one command and answer its exit code. Errors are one sentence with the next step."""
    given = _parser().parse_args(arguments)
    try:
        settings = config.load()
        code, answer = given.run(settings, given)
    except BadSettings as wrong:
        return _complain(wrong.problems, given)
    except DeskError as refused:
        print(f"atum: {refused.message}", file=sys.stderr)
        return 1
    except (PermissionError, FileNotFoundError) as wrong:
        print(f"atum: {wrong}. Run it inside the container: docker compose exec desk atum …", file=sys.stderr)
        return 1
    _show(answer, as_json=getattr(given, "json", False))
    return int(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="atum", description="ATUM Desk from the shell.")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")

    def verb(name: str, run: Callable[..., Answer], words: str, under: Any = verbs) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = under.add_parser(name, help=words, description=words)
        made.add_argument("--json", action="store_true", help="answer in JSON")
        made.set_defaults(run=run)
        return made

    def noun(name: str, words: str) -> Any:
        return verbs.add_parser(name, help=words, description=words).add_subparsers(required=True, metavar="VERB")

    verb("version", version, "Say which version this is.")
    verb("health", health, "Tell the state of every part.")
    verb("setup-link", setup_link, "Make a one-time link to make the first administrator with.")
    verb("demo", fill_demo, "Fill an empty desk with people and tickets to try it with.")
    verb("dev", run_dev, "Run the desk from a checkout: Hypercorn, TLS, HTTP/2.")
    verb("check", check_settings, "Check the settings and tell every problem.", noun("config", "The settings."))
    verb("verify", verify_audit, "Check the audit chain and name the first bad row.", noun("audit", "The audit."))

    migrations = noun("migrate", "The database's revision.")
    verb("status", migrate_status, "Say which migrations are still to come.", migrations)
    verb("up", migrate_up, "Migrate to this version.", migrations)

    user = noun("user", "People.")
    adding = verb("add", add_user, "Add somebody.", user)
    adding.add_argument("email")
    adding.add_argument("--name", default="")
    adding.add_argument("--role", choices=[role.value for role in Role], default=Role.AGENT.value)
    adding.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    verb("list", list_users, "List the staff.", user)
    verb("disable", disable_user, "Let nobody in as this person any more.", user).add_argument("email")
    password = verb("password", set_password, "Give somebody a new password.", user)
    password.add_argument("email")
    password.add_argument("--password-stdin", action="store_true", help="read the password from standard input")

    cli_mail.add_to(noun("mailbox", "Mailboxes."), noun("mail", "The ledger of incoming mail."), verb)
    return parser


def version(settings: Settings, given: argparse.Namespace) -> Answer:
    return 0, {"version": __version__} if given.json else f"ATUM Desk {__version__}"


def check_settings(settings: Settings, given: argparse.Namespace) -> Answer:
    return 0, {"problems": []} if given.json else "The settings are fine."


def health(settings: Settings, given: argparse.Namespace) -> Answer:
    db = database(settings)
    report = Watch(settings, db, Counters(settings.redis_dsn)).report()
    told = report.told(whole=True)
    if given.json:
        return int(report.status != "healthy"), told
    lines = [
        report.status,
        *(f"  {name}: {part.status}{f' - {part.reason}' if part.reason else ''}" for name, part in report.parts.items()),
    ]
    return int(report.status != "healthy"), "\n".join(lines)


def setup_link(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings).transaction() as s:
        url = f"{settings.atum_url}/setup/{accounts.make_setup_link(s, now=now(s))}"
    return 0, {"url": url} if given.json else f"Good for 15 minutes and one use: {url}"


def fill_demo(settings: Settings, given: argparse.Namespace) -> Answer:
    demo.fill(database(settings), settings)
    return 0, "The demo is in place; its sign-ins are printed above."


def run_dev(settings: Settings, given: argparse.Namespace) -> Answer:
    return dev.serve(settings), ""


def verify_audit(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings).transaction() as s:
        broken = audit.first_broken(s)
    if given.json:
        return int(broken is not None), {"first_bad_row": broken}
    return (0, "The audit chain is whole.") if broken is None else (1, f"The audit chain is broken at row {broken}.")


def migrate_status(settings: Settings, given: argparse.Namespace) -> Answer:
    steps = migrate.pending(database(settings).engine)
    if given.json:
        return int(bool(steps)), {"pending": steps}
    return int(bool(steps)), f"Still to come: {', '.join(steps)}" if steps else "The database is at this version."


def migrate_up(settings: Settings, given: argparse.Namespace) -> Answer:
    steps = migrate.up(settings.database_dsn)
    return 0, {"done": steps} if given.json else f"Done: {', '.join(steps) or 'nothing was to be done'}."


def add_user(settings: Settings, given: argparse.Namespace) -> Answer:
    password = _password(given)
    with database(settings).transaction() as s:
        made = accounts.add(s, email=given.email, name=given.name, role=Role(given.role), now=now(s), password=password)
        told = {"id": made.id, "email": made.email, "role": made.role.value}
    return 0, told if given.json else f"Added {told['email']} as {told['role']}."


def list_users(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings).transaction() as s:
        rows = [{"email": p.email, "name": p.name, "role": p.role.value} for p in people.staff(s)]
    return 0, rows if given.json else "\n".join(f"{r['role']:<16}{r['email']:<40}{r['name']}" for r in rows) or "Nobody yet."


def disable_user(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings).transaction() as s:
        accounts.disable(s, _person(s, given.email), by=None, now=now(s))
    return 0, f"{given.email} is disabled and signed out everywhere."


def set_password(settings: Settings, given: argparse.Namespace) -> Answer:
    password = _password(given)
    with database(settings).transaction() as s:
        accounts.set_password(s, _person(s, given.email), password, by=None, now=now(s))
    return 0, f"{given.email} has a new password and is signed out everywhere."


def _person(s: Any, email: str) -> Any:
    found = people.by_email(s, email)
    if found is None:
        raise NotFound(f"There is nobody with the address {email}. List the staff with: atum user list")
    return found


def _password(given: argparse.Namespace) -> str:
    if given.password_stdin or not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return getpass.getpass("Password: ")


def _complain(problems: list[config.Problem], given: argparse.Namespace) -> int:
    if getattr(given, "json", False):
        print(json.dumps({"problems": [vars(p) for p in problems]}))
    else:
        print("The settings have problems; nothing was started or changed:", file=sys.stderr)
        for problem in problems:
            print(f"  {problem}", file=sys.stderr)
    return 1


def _show(answer: Any, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(answer, default=str, ensure_ascii=False, indent=2))
    elif answer:
        print(answer)


if __name__ == "__main__":
    sys.exit(main())

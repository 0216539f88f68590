"""`atum`: what an administrator does from the container's shell. Exit 0 done, 1 found a problem, 2 wrong usage."""

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from app import __version__, config
from app.accounts import actions as accounts
from app.config import BadSettings, Settings
from app.core.errors import DeskError
from app.db.redis import Counters
from app.db.session import now
from app.entry import (
    cli_audit,
    cli_backup,
    cli_dkim,
    cli_doctor,
    cli_fsck,
    cli_mail,
    cli_mailbox,
    cli_migrate,
    cli_restore,
    cli_sla,
    cli_user,
    cli_webhook,
    dev,
)
from app.entry.cli_mail import Answer, database
from app.ops import demo
from app.ops.health import Watch
from app.outbox.keys import KeysBroken

# What a stranger's words could do to a terminal is shown as a sign instead (Unicode's control pictures), and does nothing.
_SEEN = {n: 0x2400 + n for n in range(32) if n not in b"\n\t"} | {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
_SEEN |= dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], 0xFFFD)  # they turn the direction of what follows


def main(arguments: list[str] | None = None) -> int:
    """Run one command and answer its exit code. Errors are one sentence with the next step."""
    given = _parser().parse_args(arguments)
    try:
        code, answer = _run(given)
    except BadSettings as wrong:
        return _complain(wrong.problems, given)
    except DeskError as refused:
        print(f"atum: {refused.message.translate(_SEEN)}", file=sys.stderr)
        return 1
    except KeysBroken as wrong:
        print(f"atum: {wrong}.", file=sys.stderr)
        return 1
    except (PermissionError, FileNotFoundError) as wrong:
        print(f"atum: {wrong}. Run it inside the container: docker compose exec desk atum …", file=sys.stderr)
        return 1
    _show(answer, as_json=getattr(given, "json", False))
    return int(code)


def _run(given: argparse.Namespace) -> Answer:
    """Do it; or what is left to do with settings that the desk does not start with, where the command knows such a thing."""
    try:
        settings = config.load()
    except BadSettings as wrong:
        if not hasattr(given, "refused"):
            raise
        answer: Answer = given.refused(wrong, given)
        return answer
    done: Answer = given.run(settings, given)
    return done


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
    verb("dkim", cli_dkim.listed, "The DNS record that each domain's mail is signed for, and whether it is published.")
    verb("demo", fill_demo, "Fill an empty desk with people and tickets to try it with.")
    verb("dev", run_dev, "Run the desk from a checkout: Hypercorn, TLS, HTTP/2.")
    verb("check", check_settings, "Check the settings and tell every problem.", noun("config", "The settings."))
    cli_audit.add_to(noun("audit", "The audit."), verb)
    cli_doctor.add_to(verb)
    cli_fsck.add_to(verb)
    cli_backup.add_to(verbs, verb)
    cli_restore.add_to(verb)

    cli_migrate.add_to(noun("migrate", "The database's revision, and the way back from an upgrade."), verb)
    cli_sla.add_to(noun("sla", "Service levels."), verb)
    cli_user.add_to(noun("user", "People."), verb)
    cli_mailbox.add_to(noun("mailbox", "Mailboxes."), verb)
    cli_mail.add_to(noun("mail", "The ledger of incoming mail."), verb)
    cli_webhook.add_to(noun("webhook", "Programs elsewhere that are told of what happens."), verb)
    return parser


def version(settings: Settings, given: argparse.Namespace) -> Answer:
    return 0, {"version": __version__} if given.json else f"ATUM Desk {__version__}"


def check_settings(settings: Settings, given: argparse.Namespace) -> Answer:
    return 0, {"problems": []} if given.json else "The settings are fine."


def health(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db:
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
    with database(settings) as db, db.transaction() as s:
        url = f"{settings.atum_url}/setup/{accounts.make_setup_link(s, now=now(s))}"
    return 0, {"url": url} if given.json else f"Good for 15 minutes and one use: {url}"


def fill_demo(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db:
        demo.fill(db, settings)
    return 0, "The demo is in place; its sign-ins are printed above."


def run_dev(settings: Settings, given: argparse.Namespace) -> Answer:
    return dev.serve(settings), ""


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
        print(answer.replace("\r\n", "\n").translate(_SEEN) if isinstance(answer, str) else answer)


if __name__ == "__main__":
    sys.exit(main())

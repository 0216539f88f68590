"""What a command asks of whoever gives it."""

import argparse
import getpass
import sys


def unseen(what: str) -> str:
    """A secret, typed unseen, or the next line of standard input where that is no terminal."""
    return getpass.getpass(f"{what}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")


def line(what: str) -> str:
    """What is typed next."""
    tell(f"{what}: ")
    return sys.stdin.readline().strip()


def tell(words: str) -> None:
    """Say something that is not the command's answer."""
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()


def password(given: argparse.Namespace) -> str:
    """A password, typed unseen, or from standard input where that is no terminal or `--password-stdin` says so."""
    if given.password_stdin or not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return getpass.getpass("Password: ")

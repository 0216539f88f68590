"""What a command asks of whoever gives it."""

import argparse
import getpass
import sys


def password(given: argparse.Namespace) -> str:
    """A password, typed unseen, or from standard input where that is no terminal or `--password-stdin` says so."""
    if given.password_stdin or not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return getpass.getpass("Password: ")

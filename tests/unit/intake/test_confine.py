"""What the child that reads mail can't do even if a mail made it try."""

import subprocess
import sys

import pytest

TRY = """
import os, socket, sys
from app.core.confine import confine
there = socket.create_server(("127.0.0.1", 0)).getsockname()
if not confine():
    sys.exit("no landlock")
def tried(deed):
    try:
        deed()
    except OSError as wrong:
        return type(wrong).__name__
    return "done"
import encodings.cp932
print(tried(lambda: {deed}))
"""


@pytest.mark.parametrize(
    ("deed", "outcome"),
    [
        ("open('/etc/passwd')", "PermissionError"),
        ("open(sys.argv[1])", "PermissionError"),
        ("open('/proc/1/environ')", "PermissionError"),
        ("os.listdir('/')", "PermissionError"),
        ("open('/tmp/x', 'w')", "PermissionError"),
        ("socket.create_connection(there, timeout=5)", "PermissionError"),
        ("socket.create_server(('127.0.0.1', 0))", "PermissionError"),
        ("os.kill(os.getppid(), 0)", "PermissionError"),
        ("os.execv(sys.executable, [sys.executable, '-V'])", "PermissionError"),
        ("open(os.__file__).close()", "done"),
        ("open('/etc/ssl/certs/ca-certificates.crt').close()", "done"),
    ],
)
def test_it_reads_programs_and_nothing_else(deed: str, outcome: str) -> None:
    code = TRY.replace("{deed}", deed)
    said = subprocess.run([sys.executable, "-c", code, __file__], capture_output=True, text=True, check=False)
    if said.stderr.strip() == "no landlock":
        pytest.skip("this kernel has no Landlock, or forbids it here")
    assert said.stdout.strip() == outcome, said.stderr

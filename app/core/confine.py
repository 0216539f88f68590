"""What the kernel takes from a child that reads what strangers wrote (Landlock): every file but the programs' and the
certificates that everybody has, and every connection.

A process gives up rights for good, and needs none for that. Where the kernel is older than this, or was built without it, or the
container's rules forbid it, the child goes on with its other limits.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the system calls, the same on every architecture
_ASK_VERSION = 1
_BENEATH_A_PATH = 1
_NO_NEW_PRIVILEGES = 38
_READ = 1 << 2 | 1 << 3  # files and folders
# What each version of the kernel's interface can take away: rights on files, rights on TCP, reach beyond the process.
_FILES = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_TCP = 3  # from version 4 on: to bind and to connect
_BEYOND = 3  # from version 6 on: abstract sockets and signals
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
_PROGRAMS = (
    sys.prefix,
    sys.base_prefix,
    str(Path(__file__).parents[1]),
    "/usr/lib",
    "/usr/lib64",
    "/lib",
    "/lib64",
    "/usr/share/zoneinfo",
    str(AUTHORITIES.parent),
)


def confine() -> bool:
    """Give up all files but these, TCP and signals to others; whether the kernel could."""
    kernel = ctypes.CDLL(None, use_errno=True)
    version = kernel.syscall(_CREATE, None, 0, _ASK_VERSION)
    if version < 1:
        return False
    rights = struct.pack("QQQ", _FILES[min(version, 5)], _TCP if version >= 4 else 0, _BEYOND if version >= 6 else 0)
    rules = kernel.syscall(_CREATE, rights, 8 if version < 4 else 16 if version < 6 else 24, 0)
    if rules < 0:
        return False
    _allow(kernel, rules, _PROGRAMS)
    failed = kernel.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or kernel.syscall(_RESTRICT, rules, 0)
    os.close(rules)
    return not failed


def _allow(kernel: ctypes.CDLL, rules: int, folders: Iterable[str]) -> None:
    for folder in dict.fromkeys(folders):
        if Path(folder).is_dir():
            handle = os.open(folder, os.O_PATH | os.O_CLOEXEC)
            kernel.syscall(_ADD, rules, _BENEATH_A_PATH, struct.pack("=Qi", _READ, handle), 0)
            os.close(handle)

"""The end of the disk is kept back: there the desk takes nothing new in, so that what it has can be read and it goes on alone.

A database that finds no room for its log stops; mail that waits at its server is nowhere safer.
"""

import os
from pathlib import Path

LEAST_FREE, LEAST_SHARE = 1_000_000_000, 0.05  # bytes and part of the disk; whichever is less
LEAST_FILES = 1_000  # that may still be made, where the disk counts them
WORDS = "The disk of the desk is nearly full or read-only: everything can be read, and nothing new is taken until that is mended."


def is_short(folder: Path) -> bool:
    """Whether the disk that a folder lies on has come to what is kept back, in bytes or in files, or takes nothing at all."""
    try:
        found = os.statvfs(folder)
    except FileNotFoundError:  # nothing was ever kept there
        return False
    free, whole = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    few = found.f_files and found.f_favail < min(LEAST_FILES, found.f_files * LEAST_SHARE)
    return free < min(LEAST_FREE, whole * LEAST_SHARE) or bool(few) or bool(found.f_flag & os.ST_RDONLY)

"""The archive: a tar in age's format (https://age-encryption.org/v1), so that it opens without us: `age -d -i KEY FILE | tar x`.

`manifest.json` is its first member and SHA256SUMS, of all the others, its last. It is written and read as a stream: neither needs
room beside the archive itself. age seals every 64 KiB and marks the last, so a bit that flipped or an end that is missing shows.
"""

import hashlib
import json
import os
import re
import tarfile
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import pyrage

from app.core.errors import Conflict

FORMAT = 1
MANIFEST, SUMS = "manifest.json", "SHA256SUMS"
PIECE = 1 << 20  # bytes
MOST_HELD = 64 << 20  # bytes of a member that is read as a whole
# Nothing that leads out of the folder it is unpacked in.
_NAME = re.compile(r"(?!.*(?:^|/)\.{1,2}(?:/|$))[^/\x00-\x1f\x7f]+(?:/[^/\x00-\x1f\x7f]+)*")


class Refused(Conflict):
    """This archive can't be used. Nothing was changed."""


class Damaged(Refused):
    """The archive is damaged or was cut short: what it says of itself does not hold. Nothing was changed. Take another one."""


class WrongKey(Refused):
    """The archive was made for another key. Nothing was changed. Give the one that `atum backup key` printed at that desk."""


class Newer(Refused):
    """A newer version of the desk made this archive. Nothing was changed. Use that version, or a later one."""


class Source(Protocol):
    """What can be read."""

    def read(self, size: int, /) -> bytes: ...


class Writer:
    """Takes members one after the other."""

    def __init__(self, tar: tarfile.TarFile, made: float) -> None:
        self._tar, self._made = tar, made
        self._sums: list[str] = []

    def add(self, name: str, content: bytes) -> str:
        """A member that is in memory. Its SHA-256."""
        return self.add_stream(name, BytesIO(content), len(content))

    def add_stream(self, name: str, source: Source, size: int) -> str:
        """A member of exactly `size` bytes. Its SHA-256. Raises OSError where there are fewer, ValueError for a strange name."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} can't be a member's name")
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, 0o600, int(self._made)
        hashing = _Hashing(source)
        self._tar.addfile(info, hashing)
        digest = hashing.digest.hexdigest()
        self._sums.append(f"{digest}  {name}\n")
        return digest

    def finish(self) -> None:
        self.add(SUMS, "".join(self._sums).encode())


@contextmanager
def writing(sink: BinaryIO, recipient: str, manifest: dict[str, Any], *, made: float) -> Iterator[Writer]:
    """An archive for this recipient (age1…), written to `sink` as the block goes on; whole when the block has ended well.

    Raises the OSError of a sink that takes no more.
    """
    full = _Sink(sink)
    to = pyrage.x25519.Recipient.from_str(recipient)
    source, target = os.pipe()
    with _Beside(lambda: _encrypt(source, full, to)) as beside:
        try:
            with (
                os.fdopen(target, "wb", PIECE) as plain,
                tarfile.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT, bufsize=PIECE) as tar,
            ):
                tar.copybufsize = PIECE  # type: ignore[attr-defined]
                writer = Writer(tar, made)
                writer.add(MANIFEST, json.dumps({"format": FORMAT} | manifest, indent=1).encode())
                yield writer
                writer.finish()
        except BrokenPipeError:  # whoever encrypts ended before us, and knows why
            beside.join()
            raise full.wrong or beside.wrong or OSError from None
        beside.join()
        if full.wrong or beside.wrong:
            raise full.wrong or beside.wrong or OSError


@dataclass
class Member:
    """One member while it is its turn."""

    name: str
    size: int
    _source: "_Hashing"
    _words: Callable[[Exception], Refused]

    def read(self, size: int = PIECE) -> bytes:
        """The next bytes, none at its end. Raises Refused where the archive is not what it was."""
        try:
            return self._source.read(size)
        except (tarfile.TarError, OSError) as wrong:
            raise self._words(wrong) from wrong

    def whole(self) -> bytes:
        """All of it, where it is not large. Raises Refused."""
        if self.size > MOST_HELD:
            raise Damaged
        return b"".join(iter(self.read, b""))

    def digest(self) -> str:
        """Read what is left: its SHA-256."""
        while self.read():
            pass
        return self._source.digest.hexdigest()


@dataclass
class _Seen:
    sums: list[str] = field(default_factory=list)
    finished: bool = False


def members(path: Path, identity: str) -> Generator[Member, None, None]:
    """Each member in turn, the manifest first, all but SHA256SUMS. Raises Refused. At the end it was whole."""
    with _plain(path, _identity(identity)) as (stream, words):
        seen = _Seen()
        try:
            with tarfile.open(fileobj=stream, mode="r|", bufsize=PIECE) as tar:
                yield from _each(tar, seen, words)
            while stream.read(PIECE):
                pass
        except (tarfile.TarError, OSError, UnicodeError) as wrong:
            raise words(wrong) from wrong
        if not seen.finished:
            raise Damaged


def format_of(manifest: bytes) -> dict[str, Any]:
    """What an archive says of itself. Raises Refused."""
    try:
        found: dict[str, Any] = json.loads(manifest)
        number = int(found["format"])
    except (ValueError, KeyError, TypeError) as wrong:
        raise Damaged from wrong
    if number > FORMAT:
        raise Newer
    return found


def _each(tar: tarfile.TarFile, seen: _Seen, words: Callable[[Exception], Refused]) -> Iterator[Member]:
    for number, info in enumerate(tar):
        found = tar.extractfile(info) if info.isfile() and _NAME.fullmatch(info.name) else None
        if found is None or seen.finished or (info.name == MANIFEST) != (number == 0):
            raise Damaged
        member = Member(info.name, info.size, _Hashing(found), words)
        if info.name == SUMS:
            seen.finished = member.whole().decode() == "".join(seen.sums)
            if not seen.finished:
                raise Damaged
            continue
        yield member
        seen.sums.append(f"{member.digest()}  {info.name}\n")


@contextmanager
def _plain(path: Path, identity: pyrage.x25519.Identity) -> Iterator[tuple[BinaryIO, Callable[[Exception], Refused]]]:
    """What the archive holds, decrypted beside us, and the words for what goes wrong with it."""
    source, target = os.pipe()
    with path.open("rb") as sealed, _Beside(lambda: _decrypt(sealed, target, identity)) as beside:

        def words(wrong: Exception) -> Refused:
            beside.join()
            if isinstance(beside.wrong, pyrage.DecryptError) and "No matching keys" in str(beside.wrong):
                return WrongKey()
            return wrong if isinstance(wrong, Refused) else Damaged()

        with os.fdopen(source, "rb", PIECE) as stream:
            try:
                yield stream, words
                beside.join()
                if beside.wrong:
                    raise words(beside.wrong)
            finally:
                stream.close()  # whoever still writes to it ends by that


def _encrypt(source: int, sink: "_Sink", to: pyrage.x25519.Recipient) -> None:
    with os.fdopen(source, "rb", PIECE) as plain:
        pyrage.encrypt_io(plain, sink, [to])


def _decrypt(sealed: BinaryIO, target: int, identity: pyrage.x25519.Identity) -> None:
    with os.fdopen(target, "wb", PIECE) as plain:
        pyrage.decrypt_io(sealed, plain, [identity])


def _identity(text: str) -> pyrage.x25519.Identity:
    try:
        return pyrage.x25519.Identity.from_str(text.strip())
    except pyrage.IdentityError as wrong:
        raise WrongKey("This is no key of a backup: one begins with AGE-SECRET-KEY-1. Nothing was changed.") from wrong


class _Beside(threading.Thread):
    """Work done beside the block, and what went wrong with it."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self.wrong: Exception | None = None

    def __enter__(self) -> "_Beside":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.join()

    def run(self) -> None:
        try:
            self._work()
        except (OSError, pyrage.EncryptError, pyrage.DecryptError) as wrong:
            self.wrong = wrong


class _Sink:
    """Remembers why it took no more, which the library only has as text."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.wrong: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as wrong:
            self.wrong = wrong
            raise

    def flush(self) -> None:
        try:
            self._file.flush()
        except OSError as wrong:
            self.wrong = wrong
            raise


class _Hashing:
    """Reads on, and adds up what was read."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.digest = hashlib.sha256()

    def read(self, size: int = PIECE) -> bytes:
        data = self._source.read(size)
        self.digest.update(data)
        return data

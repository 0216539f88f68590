"""Where backups are copied to, beside the desk's own volume: a folder of another disk, or a bucket of S3's kind."""

import hashlib
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import MinioException, S3Error

from app.config import Settings
from app.core.errors import NotFound, Unavailable

PART = ".part"
PIECE = 1 << 20  # bytes
_CONNECT, _READ = 10.0, 120.0  # seconds


class PlaceFailed(Unavailable):
    """Backups can't be copied to where they are to be copied."""


class Place(Protocol):
    """Somewhere else. Whatever fails there is PlaceFailed, in words."""

    def put(self, archive: Path) -> None:
        """Copy an archive there, under its own name, and see that it is whole there."""

    def names(self) -> list[str]:
        """What lies there."""

    def fetch(self, name: str, to: Path) -> None:
        """Copy one from there. Raises NotFound."""

    def remove(self, name: str) -> None:
        """Let go of one."""


def of(settings: Settings) -> Place | None:
    """The place that the settings name, if they do."""
    if settings.backup_to is None:
        return None
    return Bucket(settings) if settings.backup_to.startswith("s3://") else Folder(Path(settings.backup_to))


class Folder:
    """A folder: an archive appears there whole or not at all."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, archive: Path) -> None:
        with _told(self._path):
            if not self._path.is_dir():
                raise PlaceFailed(f"There is no folder {self._path} to copy backups to. Is the disk mounted?")
            part = self._path / (archive.name + PART)
            try:
                _copy(archive, part)
                part.replace(self._path / archive.name)
            finally:
                part.unlink(missing_ok=True)

    def names(self) -> list[str]:
        with _told(self._path):
            return [path.name for path in self._path.iterdir()]

    def fetch(self, name: str, to: Path) -> None:
        with _told(self._path):
            if not (self._path / name).is_file():
                raise NotFound(f"There is no {name} in {self._path}.")
            _copy(self._path / name, to)

    def remove(self, name: str) -> None:
        with _told(self._path):
            (self._path / name).unlink(missing_ok=True)


class Bucket:
    """A bucket, or what lies below a prefix in it."""

    def __init__(self, settings: Settings) -> None:
        place, server = urlsplit(settings.backup_to or ""), urlsplit(settings.backup_s3_endpoint or "")
        self._bucket, self._prefix = place.netloc, place.path.strip("/")
        self._where = settings.backup_to
        pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=_CONNECT, read=_READ),
            retries=urllib3.Retry(total=3, backoff_factor=1, status_forcelist=[500, 502, 503, 504]),
            ssl_context=ssl.create_default_context(),
        )
        self._server = Minio(
            server.netloc,
            access_key=settings.backup_s3_key,
            secret_key=settings.backup_s3_secret,
            secure=server.scheme == "https",
            region=settings.backup_s3_region,
            http_client=pool,
        )

    def put(self, archive: Path) -> None:
        size = archive.stat().st_size
        with _told(self._where), archive.open("rb") as file:
            self._server.put_object(self._bucket, self._key(archive.name), file, size)
            if self._server.stat_object(self._bucket, self._key(archive.name)).size != size:
                raise PlaceFailed(f"What {self._where} keeps of {archive.name} is not as long as what it was sent.")

    def names(self) -> list[str]:
        with _told(self._where):
            found = self._server.list_objects(self._bucket, prefix=self._key(""), recursive=False)
            return [str(one.object_name).rpartition("/")[2] for one in found]

    def fetch(self, name: str, to: Path) -> None:
        with _told(self._where):
            try:
                self._server.fget_object(self._bucket, self._key(name), str(to))
            except S3Error as wrong:
                if wrong.code == "NoSuchKey":
                    raise NotFound(f"There is no {name} in {self._where}.") from wrong
                raise

    def remove(self, name: str) -> None:
        with _told(self._where):
            self._server.remove_object(self._bucket, self._key(name))

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name


@contextmanager
def _told(where: object) -> Iterator[None]:
    """Say in words what goes wrong there."""
    try:
        yield
    except S3Error as wrong:
        raise PlaceFailed(f"{where} refuses: {wrong.message or wrong.code} ({wrong.code}).") from wrong
    except OSError as wrong:
        raise PlaceFailed(f"{wrong.filename or where}: {wrong.strerror or wrong}.") from wrong
    except (MinioException, urllib3.exceptions.HTTPError, ValueError) as wrong:
        raise PlaceFailed(f"{where} can't be used: {wrong}") from wrong


def _copy(source: Path, target: Path) -> None:
    """Copy, and read back from the disk what it was given. Raises OSError, PlaceFailed."""
    with source.open("rb") as reading, target.open("wb") as writing:
        os.fchmod(writing.fileno(), 0o600)
        sent = hashlib.sha256()
        while piece := reading.read(PIECE):
            sent.update(piece)
            writing.write(piece)
        writing.flush()
        os.fsync(writing.fileno())
    with target.open("rb") as kept:
        if hashlib.file_digest(kept, "sha256").digest() != sent.digest():
            raise PlaceFailed(f"{target.parent} does not keep what it is given: what was read back is not what was written.")

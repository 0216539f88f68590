"""Whether an archive is what it says it is: opened, read to its end, each part held against what says how it should be."""

import json
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from app.ops import migrate
from app.ops.backup import archive, fingerprints, packing
from app.ops.backup.archive import Damaged, Member, Newer
from app.ops.backup.fingerprints import Contents

BLOBS = (packing.FILES, packing.MAIL)
_BLOB = re.compile(r"[0-9a-f]{64}")
Take = Callable[[Member], None]


@dataclass
class Checked:
    """A whole archive: what it says of itself, of its tables and of its files."""

    manifest: dict[str, Any] = field(default_factory=dict)
    contents: Contents = field(default_factory=dict)
    blobs: dict[str, Any] = field(default_factory=dict)
    pieces: int = 0
    found: dict[str, int] = field(default_factory=lambda: dict.fromkeys(BLOBS, 0))

    @property
    def when(self) -> str:
        """The moment that it is of, for people."""
        return f"{datetime.fromisoformat(self.manifest['taken_at']):%Y-%m-%d %H:%M} UTC"

    def told(self) -> dict[str, Any]:
        """For people and programs."""
        kept = ("version", "revision", "postgresql", "taken_at", "url", "recipient")
        rows = sum(one.rows for one in self.contents.values())
        return {name: self.manifest.get(name) for name in kept} | {"tables": len(self.contents), "rows": rows} | self.found


def nobody(member: Member) -> None:
    """Takes nothing; what it doesn't read is read and checked all the same."""


def check(path: Path, identity: str, take: Take = nobody) -> Checked:
    """Read it all. `take` is handed each member of the database, of files, mail, secrets and certificates. Raises Refused."""
    checked = Checked()
    damaged: dict[str, str] = {}
    for member in archive.members(path, identity):
        kind, _, rest = member.name.partition("/")
        if member.name == archive.MANIFEST:
            checked.manifest = _known(archive.format_of(member.whole()))
        elif member.name == packing.TABLES:
            checked.contents = _parsed(member, fingerprints.untold)
        elif member.name == packing.BLOBS:
            checked.blobs = _parsed(member, dict)
        elif kind in checked.found:
            blob = rest.rpartition("/")[2]
            if not _BLOB.fullmatch(blob) or member.name != packing.where(kind, blob):
                raise Damaged
            take(member)
            checked.found[kind] += 1
            if member.digest() != blob:
                damaged[member.name] = member.digest()
        elif kind in (packing.DATABASE, packing.SECRETS, packing.TLS):
            checked.pieces += kind == packing.DATABASE
            if kind == packing.DATABASE and rest != f"{checked.pieces:05}":
                raise Damaged
            take(member)
        else:
            raise Damaged
    _complete(checked, damaged)
    return checked


def manifest(path: Path, identity: str) -> dict[str, Any]:
    """What an archive says of itself; only its beginning is read. Raises Refused."""
    with closing(archive.members(path, identity)) as reading:
        first = next(reading, None)
        if first is None or first.name != archive.MANIFEST:
            raise Damaged
        return _known(archive.format_of(first.whole()))


def _known(manifest: dict[str, Any]) -> dict[str, Any]:
    """Raises Newer where this version does not know the database's revision."""
    if manifest.get("revision") not in migrate.known():
        version, revision = manifest.get("version"), manifest.get("revision")
        raise Newer(
            f"Version {version} of the desk made this archive (revision {revision}), which this version does not know. "
            "Nothing was changed. Use that version, or a later one."
        )
    return manifest


def _parsed(member: Member, how: Callable[[Any], Any]) -> Any:
    try:
        return how(json.loads(member.whole()))
    except (ValueError, TypeError) as wrong:
        raise Damaged from wrong


def _complete(checked: Checked, damaged: dict[str, str]) -> None:
    """What was damaged in the desk is so in the archive, and says so; nothing else may be."""
    counted = {kind: checked.blobs.get(kind) for kind in checked.found}
    if not checked.pieces or not checked.contents or counted != checked.found:
        raise Damaged
    if set(damaged) != set(checked.blobs.get("damaged", ())):
        raise Damaged

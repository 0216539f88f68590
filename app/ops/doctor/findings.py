"""What a look at one subject comes to, and what it may look with."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from app import __version__
from app.config import Settings
from app.db.session import Database

DESK = "docker compose exec desk"


class Level(StrEnum):
    """How bad it is. A hint is worth knowing; a warning will hurt; bad hurts now."""

    OK = "ok"
    HINT = "hint"
    WARNING = "warning"
    BAD = "bad"

    @property
    def rank(self) -> int:
        return list(Level).index(self)


@dataclass(frozen=True)
class Finding:
    """One thing: what is so, why that matters, and the line to paste that mends it: a command, a setting or a record."""

    subject: str
    level: Level
    what: str
    why: str | None = None
    paste: str | None = None


@dataclass(frozen=True)
class Room:
    """What a look has to go by."""

    settings: Settings
    db: Database


Look = Callable[[Room], Iterable[Finding]]


@dataclass(frozen=True)
class Examination:
    """Everything that was found, in the order of the subjects."""

    at: datetime
    seconds: float
    findings: tuple[Finding, ...]

    @property
    def worst(self) -> Level:
        return max((finding.level for finding in self.findings), key=lambda level: level.rank, default=Level.OK)

    @property
    def amiss(self) -> bool:
        return self.worst.rank >= Level.WARNING.rank

    def told(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "at": self.at.isoformat(),
            "version": __version__,
            "seconds": round(self.seconds, 1),
            "worst": self.worst,
            "findings": [asdict(finding) for finding in self.findings],
        }


def in_words(examination: Examination) -> str:
    """For people: the worst of each subject first is what they look for, so what is fine is one line."""
    lines = []
    for finding in sorted(examination.findings, key=lambda one: -one.level.rank):
        lines.append(f"{finding.level.value:<8} {finding.subject}: {finding.what}")
        if finding.level is not Level.OK:
            lines += [f"         {finding.why}"] if finding.why else []
            lines += [f"         > {line}" for line in (finding.paste or "").splitlines()]
    counts = {level: sum(one.level is level for one in examination.findings) for level in reversed(Level)}
    told = ", ".join(f"{count} {level.value}" for level, count in counts.items() if count)
    return "\n".join([*lines, f"{told}; looked at in {examination.seconds:.1f} s."])


def sql_line(room: Room, statement: str, *, superuser: bool = False) -> str:
    """The line by which somebody at a shell has the database do this."""
    if not room.settings.embedded_database:
        return f'psql "$DATABASE_URL" -c "{statement}"'
    who, role = ("postgres", "postgres") if superuser else ("app", "atum")
    return f'docker compose exec -u {who} desk psql -h /run/postgresql -U {role} -d atum -c "{statement}"'

"""What every request needs of the house it comes to."""

from dataclasses import dataclass

from fastapi import Request

from app.config import Settings
from app.core.signing import Signer
from app.db.redis import Counters
from app.db.session import Database
from app.files.disk import Blobs
from app.ops.health import Watch


@dataclass(frozen=True)
class Desk:
    """The parts that a process is wired from."""

    settings: Settings
    db: Database
    counters: Counters
    signer: Signer
    blobs: Blobs
    watch: Watch


def desk_of(request: Request) -> Desk:
    """The desk that this application was made for."""
    found: Desk = request.app.state.desk
    return found

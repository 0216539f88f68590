"""The smtp-in process, to be killed around its commit: `python -m tests.mail.smtp_child before|after`."""

import os
import signal
import sys
from typing import Any

from app.entry import smtp_in
from app.intake import by_smtp
from app.intake.smtp import Door

if __name__ == "__main__":
    take, told = by_smtp.take, Door.take

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def before(*given: Any, **more: Any) -> None:
        take(*given, **more)
        die()

    async def after(door: Door, envelope: Any, rows: Any, spool: Any) -> str:
        answer = await told(door, envelope, rows, spool)
        assert answer.startswith("250")
        die()
        return answer

    if sys.argv[1] == "before":
        by_smtp.take = before
    else:
        Door.take = after  # type: ignore[assignment, method-assign]
    smtp_in.main()

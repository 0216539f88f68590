"""One JSON object a line on stderr: ts, level, proc, msg, and whatever else was given by `extra`."""

import contextvars
import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

request_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("request_id", default=None)
_subject: contextvars.ContextVar[Mapping[str, object] | None] = contextvars.ContextVar("subject", default=None)
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

# What JSON allows and a terminal obeys, or a reader of logs takes for the end of a line.
_UNSEEN = re.compile("[\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON; a traceback goes into `trace`."""

    def __init__(self, proc: str) -> None:
        super().__init__()
        self._proc = proc

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "proc": self._proc,
            "msg": record.getMessage(),
        }
        if rid := request_id.get():
            line["request_id"] = rid
        line.update(_subject.get() or {})
        line.update({key: value for key, value in record.__dict__.items() if key not in _STANDARD})
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(line, default=str, ensure_ascii=False))


@contextmanager
def about(**what: object) -> Iterator[None]:
    """Whatever is logged meanwhile, by whomever, is about this: `with about(mail=3):`."""
    before = _subject.set({**(_subject.get() or {}), **what})
    try:
        yield
    finally:
        _subject.reset(before)


def start(proc: str, level: str = "info") -> None:
    """Set up logging for this process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(proc))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("alembic.runtime.migration", "imapclient", "httpx", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)

"""What a program wrote, as one record: {ts, level, proc, msg, …}. Pure: bytes and text in, records and text out.

Every program has its own way to say when and how bad. Ours write JSON already; PostgreSQL, nginx, Redis, supervisord and
uvicorn are read by their documented line formats; anything else is taken as a plain message.
"""

import json
import re
from collections.abc import Callable, Iterator

Record = dict[str, object]

LIMIT = 16 * 1024  # bytes of one line, and of one joined traceback; Docker itself cuts there
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_OTHER_NAMES = {
    "log": "info", "notice": "info", "detail": "info", "hint": "info", "statement": "info", "context": "info",
    "trac": "debug", "blat": "debug", "debg": "debug", "warn": "warning", "erro": "error", "err": "error", "crit": "critical",
    "fatal": "error", "panic": "critical", "alert": "critical", "emerg": "critical",
}  # fmt: skip

_POSTGRES = re.compile(
    r"\d{4}-\d\d-\d\d [\d:.]+ \w+ \[\d+\] (?:(?P<who>\S+@\S+) )?(?P<level>[A-Z]+\d?):\s+(?P<msg>.*)", re.DOTALL
)
_NGINX = re.compile(r"(?:\d{4}/\d\d/\d\d [\d:]+|nginx:) \[(?P<level>[a-z]+)\] (?:\d+#\d+: )?(?P<msg>.*)", re.DOTALL)
_REDIS = re.compile(r"\d+:[A-Z] \d+ \w+ \d{4} [\d:.]+ (?P<level>[.*#-]) (?P<msg>.*)", re.DOTALL)
_SUPERVISORD = re.compile(r"\d{4}-\d\d-\d\d [\d:,]+ (?P<level>[A-Z]{4}) (?P<msg>.*)", re.DOTALL)
_PLAIN = re.compile(r"(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL)[: ]\s*(?P<msg>.*)", re.DOTALL)
_REDIS_LEVELS = {".": "debug", "-": "debug", "*": "info", "#": "warning"}
# A request line may carry a one-time link or a token after its question mark.
_QUERY = re.compile(r"\?[^\s\"]*")
# A terminal obeys control characters, and a line break could fake a line of its own.
_HARMLESS = dict.fromkeys((*range(32), *range(127, 160)), "\ufffd") | {ord("\n"): "\n    ", ord("\t"): "  "}
# What JSON allows and a terminal obeys all the same, or a reader of logs takes for the end of a line.
_UNSEEN = re.compile("[\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_TRACEBACK = "Traceback (most recent call last):"
_CHAINED = ("During handling of the above", "The above exception was", _TRACEBACK)


def parse(proc: str, line: str, ts: str) -> Record:
    """The record of one line (or joined lines) that `proc` wrote, received at `ts` (ISO 8601)."""
    if line.startswith("{") and (record := _json(line)) is not None:
        return {"ts": ts, "level": "info", "proc": proc, "msg": ""} | record | {"level": level(record.get("level", "info"))}
    if _TRACEBACK in line:
        return {"ts": ts, "level": "error", "proc": proc, "msg": line.rstrip().rsplit("\n", 1)[-1], "trace": line}
    how_bad, msg = _READERS.get(proc, _plain)(line)
    return {"ts": ts, "level": how_bad, "proc": proc, "msg": msg}


def level(name: object) -> str:
    """One of our five words for what any program calls it."""
    word = str(name).lower()
    return word if word in LEVELS else _OTHER_NAMES.get(word, "debug" if word.startswith("debug") else "info")


def as_json(record: Record) -> str:
    written = json.dumps(record, ensure_ascii=False, default=str)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


def as_text(record: Record) -> str:
    """A line for people: time, level, program, message, and the rest as key=value; a traceback or last lines below it."""
    below = [str(record["trace"])] if "trace" in record else []
    rest = {key: value for key, value in record.items() if key not in {"ts", "level", "proc", "msg", "trace"}}
    below += [str(line) for value in rest.values() if isinstance(value, list) for line in value]
    when = str(record["ts"])[11:23].partition("+")[0]
    words = [when.ljust(12), str(record["level"]).upper().ljust(8), str(record["proc"]).ljust(14)]
    words += [str(record["msg"]), *(f"{key}={value}" for key, value in rest.items() if not isinstance(value, list))]
    return "\n".join([" ".join(words), *below]).translate(_HARMLESS)


def _json(line: str) -> Record | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _by(pattern: re.Pattern[str]) -> Callable[[str], tuple[str, str]]:
    def read(line: str) -> tuple[str, str]:
        found = pattern.match(line)
        return (level(found["level"]), found["msg"]) if found else _plain(line)

    return read


def _plain(line: str) -> tuple[str, str]:
    found = _PLAIN.match(line)
    return (level(found["level"]), found["msg"]) if found else ("info", line)


def _nginx(line: str) -> tuple[str, str]:
    how_bad, msg = _by(_NGINX)(line)
    return how_bad, _QUERY.sub("?…", msg)


def _redis(line: str) -> tuple[str, str]:
    """It warns of saving in the background, which ours never does, and says farewell as a warning."""
    found = _REDIS.match(line)
    if not found:
        return _plain(line)
    msg = found["msg"]
    return ("debug" if "Memory overcommit" in msg or "bye bye" in msg else _REDIS_LEVELS[found["level"]]), msg


def _postgres(line: str) -> tuple[str, str]:
    """A refused connection while it starts or stops is FATAL to that connection, and nothing to worry about."""
    how_bad, msg = _by(_POSTGRES)(line)
    return ("info" if msg.startswith("the database system is ") else how_bad), msg


def _supervisord(line: str) -> tuple[str, str]:
    """Its everyday talk is for debugging; what nobody expected is not."""
    how_bad, msg = _by(_SUPERVISORD)(line)
    if "not expected)" in msg or "SIGKILL" in msg or msg.startswith(("gave up:", "spawnerr:")):
        return "warning", msg
    quiet = how_bad == "info" or msg.startswith(("received SIG", "stopped: ")) or "HTTP authentication" in msg
    return ("debug" if quiet else how_bad), msg


_READERS: dict[str, Callable[[str], tuple[str, str]]] = {
    "postgres": _postgres, "nginx": _nginx, "redis": _redis, "supervisord": _supervisord,
}  # fmt: skip


class Lines:
    """Cuts a stream of bytes into lines. A line over LIMIT is cut, says so, and its rest is thrown away."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[str]:
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            if self._skipping:
                self._skipping = False
            else:
                yield self._text(line)
        if len(self._rest) > LIMIT:
            if not self._skipping:
                yield self._text(self._rest)
            self._rest, self._skipping = b"", True

    @staticmethod
    def _text(line: bytes) -> str:
        cut = " … (cut: the line was longer than 16 KB)" if len(line) > LIMIT else ""
        return line[:LIMIT].decode("utf-8", "replace").rstrip("\r") + cut


class Joiner:
    """Puts a traceback, or a line and the indented ones after it, together again.

    `feed` answers what is complete; what may still go on is held until `flush` (called when the program pauses).
    """

    def __init__(self) -> None:
        self._held: list[str] = []
        self._size = 0
        self._ended = False  # the traceback's last line has come; only another, chained one may follow

    def feed(self, line: str) -> Iterator[str]:
        if not self._goes_on(line):
            yield from self.flush()
        if line.startswith("{"):
            yield line
        elif line.strip() or self._held:
            self._held.append(line)
            self._size += len(line) + 1

    def flush(self) -> Iterator[str]:
        if self._held:
            yield "\n".join(self._held).rstrip()
        self._held, self._size, self._ended = [], 0, False

    def _goes_on(self, line: str) -> bool:
        if not self._held or line.startswith("{") or self._size + len(line) > LIMIT:
            return False
        if _TRACEBACK not in self._held[0]:
            return line.startswith((" ", "\t"))
        blank_or_inside = not line.strip() or line.startswith((" ", "\t"))
        if self._ended and not line.startswith(_CHAINED) and line.strip():
            return False
        self._ended = not line.startswith(_CHAINED) and (self._ended or not blank_or_inside)
        return True

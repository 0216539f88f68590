"""What may leave the house for somebody who helps: no secret, no address in full, no word that a customer wrote.

Two ways, one behind the other. Of the log only what is known to be ours is kept, field by field. Whatever is written down goes
through a mask that knows every secret of the desk and what addresses and tokens look like.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

HIDDEN = "(hidden)"
# Each begins where a word does, or a long one would be read anew from each of its letters.
_ADDRESS = re.compile(r"(?<![^\s@<>\"'(),;:=\[\]])[^\s@<>\"'(),;:=\[\]]+@(?=[\w.-])")
_IPV4 = re.compile(r"\b(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}\b")
_IPV6 = re.compile(r"\b([0-9a-fA-F]{1,4}:[0-9a-fA-F]{1,4}:[0-9a-fA-F]{1,4}):[0-9a-fA-F:]{3,}")
_TOKEN = re.compile(r"(?<![\w-])(?=[A-Za-z_-]*\d)(?=[\d_-]*[A-Za-z])[\w-]{20,}")
_QUOTED = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|“[^”\n]*”")
_OURS = re.compile(r"[\"'][a-z][a-z0-9]*(?:_[a-z0-9]+)+[\"']")  # a table, an index, a setting
_LINK = re.compile(r"/(setup|invite|reset|confirm-email|unfollow|acknowledge)/\S+")
_PLACE = re.compile(r'\s*File "[^"\n]+", line \d+, in [\w<>.]+')
_RAISED = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Gone|Refused|Invalid|Interrupt|Timeout|Trouble|Failure)(?=:|$)")
_REQUEST = re.compile(r"[A-Z]{3,8} \S+ \d{3}")
_SEGMENT = re.compile(r"[a-z][a-z-]{0,24}")
_NO_SUCH = frozenset({400, 404, 405, 414, 421})  # then a path may be anything
# The fields of a record that are ours to name, beside numbers.
_KEPT = frozenset({"program", "warning", "state", "class", "kind", "method", "reason", "since", "failing_since", "shown", "via"})


class Mask:
    """Hides what is in a text: `secrets`, as they are."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = sorted({secret for secret in secrets if len(secret) >= 4}, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, known))) if known else None

    def text(self, words: str) -> str:
        """Without secrets, addresses, tokens, and the last part of network addresses."""
        words = self.secrets(words)
        words = _LINK.sub(rf"/\1/{HIDDEN}", words)
        words = _ADDRESS.sub("…@", words)
        words = _TOKEN.sub("…", words)
        return _IPV6.sub(r"\1:…", _IPV4.sub(r"\1.…", words))

    def secrets(self, words: str) -> str:
        """Without secrets alone, for what is known to hold nothing else."""
        return self._secrets.sub(HIDDEN, words) if self._secrets else words

    def said(self, words: str) -> str:
        """The same for what a program or a server says, which may repeat in quotation marks what somebody wrote."""
        return self.text(_QUOTED.sub(lambda found: found[0] if _OURS.fullmatch(found[0]) else '"…"', words))

    def value(self, told: Any) -> Any:
        """The same for whatever JSON can hold."""
        if isinstance(told, dict):
            return {key: self.value(each) for key, each in told.items()}
        if isinstance(told, list | tuple):
            return [self.value(each) for each in told]
        return told if told is None or isinstance(told, int | float) else self.said(str(told))

    def line(self, raw: str) -> str | None:
        """A line of the log, as far as it is ours. Nothing for what is no record."""
        try:
            record = json.loads(raw)
        except ValueError:
            return None
        if not isinstance(record, dict):
            return None
        kept: dict[str, Any] = {key: str(record.get(key, ""))[:40] for key in ("ts", "level", "proc")}
        kept["msg"] = self._message(record)
        if re.fullmatch(r"[0-9a-f]{32}", str(record.get("request_id", ""))):
            kept["request_id"] = record["request_id"]
        more = {key: self._field(key, value) for key, value in record.items() if key not in kept and key != "trace"}
        kept |= {key: value for key, value in more.items() if value is not None}
        if "trace" in record:
            kept["trace"] = trace(str(record["trace"]))
        return json.dumps(kept, ensure_ascii=False)

    def _message(self, record: dict[str, Any]) -> str:
        msg = str(record.get("msg", ""))
        if record.get("proc") == "nginx" and _REQUEST.fullmatch(msg):
            method, path, status = msg.split(" ")
            return f"{method} {self._path(path, int(status))} {status}"
        if "trace" in record:
            raised = _RAISED.match(msg)
            return raised[0] if raised else self.said(msg)
        return self.said(msg)

    @staticmethod
    def _path(path: str, status: int) -> str:
        if status in _NO_SUCH:
            return HIDDEN
        at = 3 if path.startswith("/api/v1/") else 2  # so many names of ours may a path begin with
        segments = path.split("/")
        return "/".join(
            each if not each or each == "v1" or (n <= at and _SEGMENT.fullmatch(each)) else "…" for n, each in enumerate(segments)
        )

    def _field(self, key: str, value: Any) -> Any:
        if isinstance(value, bool | int | float):
            return value
        return self.said(value) if key in _KEPT and isinstance(value, str) else None


def trace(words: str) -> list[str]:
    """Where something was raised and what, without what it said."""
    found = []
    for line in words.splitlines():
        if place := _PLACE.match(line):
            found.append(place[0].strip())
        elif raised := _RAISED.match(line):
            found.append(raised[0])
    return found

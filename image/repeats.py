"""What a program says again and again is written a few times a minute, and the rest counted. Pure: times are told to it."""

import re
from dataclasses import dataclass

from image.loglines import Record

MOST, WITHIN = 20, 60.0  # so many times within so many seconds
KINDS, KEY = 500, 200  # of messages that are counted at once, beyond which each is written; and characters that tell them apart
_NUMBERS = re.compile(r"\d[0-9a-f]*")

Kind = tuple[object, object, str]


@dataclass
class _Told:
    """One kind of message within its minute: the first that was kept back is repeated with the count."""

    since: float
    times: int = 1
    kept_back: int = 0
    last: Record | None = None


class Repeats:
    """Counts by program, level, and message without its numbers. What is critical is always written."""

    def __init__(self) -> None:
        self._told: dict[Kind, _Told] = {}

    def passes(self, record: Record, now: float) -> bool:
        """Whether this one is to be written."""
        if record["level"] == "critical":
            return True
        kind = (record["proc"], record["level"], _NUMBERS.sub("0", str(record["msg"])[:KEY]))
        told = self._told.get(kind)
        if told is None or (now - told.since >= WITHIN and not told.kept_back):
            if told or len(self._told) < KINDS:
                self._told[kind] = _Told(now)
            return True
        told.times += 1
        if told.times <= MOST:
            return True
        told.kept_back, told.last = told.kept_back + 1, record
        return False

    def over(self, now: float) -> list[Record]:
        """For each kind whose minute is over: the last that was kept back, with how many there were."""
        ended = [kind for kind, told in self._told.items() if now - told.since >= WITHIN]
        gone = [self._told.pop(kind) for kind in ended]
        return [_summed(told.last, told.kept_back) for told in gone if told.last]


def _summed(last: Record, times: int) -> Record:
    msg = f"said {times} times more within a minute: {last['msg']}"
    return {key: value for key, value in last.items() if key != "trace"} | {"msg": msg, "repeats": times}

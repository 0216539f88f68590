"""The engine's vocabulary: what is promised, what happens, and what becomes of it."""

from enum import StrEnum


class Metric(StrEnum):
    """What is promised."""

    FIRST_RESPONSE = "first_response"
    NEXT_RESPONSE = "next_response"
    RESOLUTION = "resolution"
    PERIODIC_UPDATE = "periodic_update"


class Start(StrEnum):
    """Where the first clocks of a ticket start."""

    ACCEPTED = "accepted"
    CREATED = "created"


class Reopening(StrEnum):
    """What becomes of a resolution that was reached and isn't: it goes on with what was left, or starts anew."""

    RESUME = "resume"
    RESTART = "restart"


class Merging(StrEnum):
    """What becomes of a ticket's resolution when an older ticket is merged into it: nothing, or it counts from the older one."""

    UNCHANGED = "unchanged"
    EARLIEST = "earliest"


class Moment(StrEnum):
    """What happens to a ticket and matters to its clocks.

    `arisen`: created by a machine's mail. `taken_on`: accepted before a customer asked anything on it. `customer_spoke`: on
    a ticket that waits to be accepted; `customer_asked`: on any other. `asked_before`: a question came from another ticket;
    `waits_since`: one went there, and whoever still waits does since then. `joined`: an older ticket became part of it;
    `parted`: that is one of its own again, and what counted from it counts from then on.
    """

    CREATED = "created"
    ARISEN = "arisen"
    ACCEPTED = "accepted"
    TAKEN_ON = "taken_on"
    CUSTOMER_SPOKE = "customer_spoke"
    CUSTOMER_ASKED = "customer_asked"
    ASKED_BEFORE = "asked_before"
    WAITS_SINCE = "waits_since"
    JOINED = "joined"
    PARTED = "parted"
    AGENT_ANSWERED = "agent_answered"
    PAUSED = "paused"
    RESUMED = "resumed"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    ENDED = "ended"
    FACTS_CHANGED = "facts_changed"
    MOVED_AWAY = "moved_away"
    UNDONE = "undone"
    MERGED = "merged"
    SET_ASIDE = "set_aside"
    TAKEN_BACK = "taken_back"


class State(StrEnum):
    """Where a clock stands. `met` is fulfilled in time; whatever else came to an end is `stopped` or `cancelled`."""

    RUNNING = "running"
    PAUSED = "paused"
    BREACHED_OPEN = "breached_open"
    MET = "met"
    STOPPED = "stopped"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """How a clock ended: fulfilled in time or late, or without being fulfilled. From the last two it may come back."""

    MET = "met"
    LATE = "late"
    CLOSED_UNANSWERED = "closed_unanswered"
    RESOLVED = "resolved"
    ENDED = "ended"
    MOVED = "moved"
    NO_POLICY = "no_policy"
    MERGED = "merged"
    TRASHED = "trashed"


class Stretch(StrEnum):
    """How a span of a clock's life counts: only `run` does."""

    RUN = "run"
    PAUSE = "pause"
    RESOLVED = "resolved"
    AWAY = "away"


class Kind(StrEnum):
    """How a threshold was dealt with. `reminder`: one that lies after the breach. `skipped`: a higher one had passed as well, and
    only that is told.
    """

    WARNING = "warning"
    BREACH = "breach"
    REMINDER = "reminder"
    SKIPPED = "skipped"


class Ending(StrEnum):
    """Why nobody is told of a threshold any more: it was acknowledged, there is nothing to tell any more, or enough was told."""

    ACKNOWLEDGED = "acknowledged"
    OVER = "over"
    TOLD = "told"

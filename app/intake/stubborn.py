"""Mails that a server lists but does not give: a broken one must not keep all that come after it waiting.

After a failed fetch, mails are asked for one at a time, so that it shows which one it is. That one is asked for three times
whole and three times for its header; then it is taken as far as it was given, and asked for again when we look back.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from app.intake.failure import MailboxFailure
from app.intake.folder import Fetched, Folder

AT_ONCE = 20
ROOM = 5_000_000  # bytes fetched at once
LARGEST = 60_000_000  # bytes of one mail
TRIES = 3  # whole, and as many for the header; what one says that is too large is asked for in all but the last of these


class Stubborn:
    """What is remembered of failed fetches, from session to session. UIDs are those of one UIDVALIDITY."""

    def __init__(self) -> None:
        self._uidvalidity = 0
        self._failed: Counter[int] = Counter()
        self._words: dict[int, str] = {}
        self._alone = 0

    def batches(self, folder: Folder, uids: Sequence[int]) -> Iterator[list[tuple[int, int]]]:
        """(UID, size) in order, as many at a time as are asked for together."""
        if folder.uidvalidity != self._uidvalidity:
            self._uidvalidity, self._alone = folder.uidvalidity, 0
            self._failed.clear()
        alone = uids[: self._alone]
        yield from folder.batches(alone, count=1, room=ROOM)
        self._alone = 0
        yield from folder.batches(uids[len(alone) :], count=AT_ONCE, room=ROOM)

    def fetch(self, folder: Folder, batch: Sequence[tuple[int, int]]) -> list[Fetched]:
        """These mails, as far as the server gives them. Raises MailboxFailure as long as it is worth another try."""
        first, size = batch[0]
        failed = self._failed[first] if len(batch) == 1 else 0
        if failed >= 2 * TRIES:
            return [Fetched(first, b"", size, None, header_only=True, refusal=self._words[first])]
        try:
            found = folder.fetch(batch, largest=LARGEST if failed < TRIES else -1, texts=failed < TRIES - 1)
        except MailboxFailure as failure:
            self._alone = AT_ONCE
            if len(batch) == 1:
                self._failed[first] += 1
                self._words[first] = str(failure)
            raise
        return [mail.refused(self._words[first]) for mail in found] if failed >= TRIES else found

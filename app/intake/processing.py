"""From a ledger row to its outcome: read the bytes in the child, outside any transaction, then settle in one."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from app.config import Settings
from app.core.errors import DeskError
from app.core.log import about
from app.db.session import Database, DatabaseGone, TookTooLong
from app.db.session import now as database_now
from app.files import actions as files
from app.files.actions import File
from app.files.disk import Blobs
from app.intake import actions, authentication, keys, outcomes, queries
from app.intake.authentication import Believed
from app.intake.dns import Lookup, silent
from app.intake.reader import Reader, Unreadable
from app.intake.rules.authentication import Checked
from app.intake.rules.keys import Confirmed
from app.intake.rules.mail import Found, Mail
from app.outbox.house import house

AT_ONCE = 100
TOO_LONG = "the database took too long over it"


class Processor:
    """Gives mails their outcome.

    `beat` is called between mails, and while one is being read; `names` gives the DNS look-ups for one mail.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        *,
        reader: Reader,
        beat: Callable[[], None],
        names: Callable[[], Lookup] = lambda: silent,
    ) -> None:
        self._database = database
        self._settings = settings
        self._reader = reader
        self._beat = beat
        self._names = names
        self._blobs = Blobs(Path(settings.data_dir) / "files")

    def waiting(self, *, after: int = 0) -> list[int]:
        """The next mails that nobody has tried, oldest first."""
        with self._database.reading() as c:
            return list(queries.waiting(c, after=after, limit=AT_ONCE))

    def failed_before(self) -> list[int]:
        """All mails that wait for another try."""
        with self._database.reading() as c:
            return list(queries.failed_before(c))

    def process(self, id: int) -> None:
        """One mail. Raises DatabaseGone, and OSError; then it was not the mail's fault.

        One that can't be read, or that the database takes too long over, keeps its row; after three tries it gets before a
        person as it came.
        """
        self._beat()
        with about(mail=id):
            try:
                self._try(id)
            except TookTooLong:
                self.failed(id, TOO_LONG)
            except DatabaseGone:
                raise  # a DeskError too
            except (Unreadable, DeskError) as wrong:
                self.failed(id, str(wrong))

    def _try(self, id: int) -> None:
        if self._withheld(id):
            self._show_withheld(id)
            return
        with self._database.reading() as c:
            raw = actions.kept(c, self._settings, id) or b""
        found: list[File] = []
        mail = self._reader.read(raw, lambda file: found.append(self._found(file)), self._known)
        self._beat()
        checked = self._checked(id, mail, raw)
        self._beat()
        with self._database.transaction() as s:
            ours = house(self._settings, others=queries.addresses(s))
            gate = self._settings.accept_gate
            outcomes.settle(s, id, mail, found, house=ours, gate=gate, checked=checked, now=database_now(s))

    def _known(self, names: Sequence[str]) -> Sequence[Confirmed]:
        with self._database.reading() as c:
            return keys.confirmed(c, names)

    def _checked(self, id: int, mail: Mail, raw: bytes | Path) -> Checked:
        """Whether it is from the address it names. Our own SMTP server writes its result above everything else."""
        with self._database.reading() as c:
            straight, servers, forwarders, whole = queries.believed_by(c, id)
        if straight:
            mail, servers = replace(mail, results=mail.results[:1]), (self._settings.host,)
        believed = Believed(servers, forwarders)
        return authentication.check(mail, raw, believed=believed, txt=self._names(), whole=whole)

    def failed(self, id: int, reason: str) -> None:
        """Count a failed try; after the last one show the mail to a person."""
        self._beat()
        with self._database.transaction() as s:
            last = actions.attempted(s, id, reason)
        if not last:
            return
        original = self._keep(f"mail-{id}.eml", self._raw(id))
        try:
            with self._database.transaction() as s:
                gate = self._settings.accept_gate
                outcomes.quarantine(s, id, reason, original, gate=gate, now=database_now(s))
        except TookTooLong:
            self.give_up(id, reason)

    def give_up(self, id: int, reason: str) -> None:
        """Set a mail aside for which not even a ticket could be made."""
        with self._database.transaction() as s:
            outcomes.give_up(s, id, reason, now=database_now(s))

    def _withheld(self, id: int) -> bool:
        with self._database.reading() as c:
            return queries.refusal(c, id) is not None

    def _show_withheld(self, id: int) -> None:
        raw = self._raw(id)
        try:
            header = self._reader.read(raw, lambda *_: None) if raw else None
        except Unreadable:
            header = None
        with self._database.transaction() as s:
            outcomes.withheld(s, id, header, gate=self._settings.accept_gate, now=database_now(s))

    def _raw(self, id: int) -> bytes:
        with self._database.reading() as c:
            return actions.raw(c, self._settings, id) or b""

    def _found(self, file: Found) -> File:
        shown_as = (file.content_id or file.location) if file.inline else None
        kept = files.keep(self._blobs, name=file.name, content=file.content, content_id=shown_as)
        return replace(kept, preview=asdict(file.preview) if file.preview else None)

    def _keep(self, name: str, content: bytes) -> File:
        return files.keep(self._blobs, name=name, content=content)

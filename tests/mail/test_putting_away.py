"""What was taken is moved to another folder, where somebody wants that, and never lost on the way."""

from datetime import UTC, datetime, timedelta

import pytest

from app.intake.comparison import compare
from app.intake.watch import Watch
from tests.mail.conftest import Desk
from tests.mail.imap_server import Server, eventually
from tests.mail.test_watch import letter


class TestPuttingAway:
    """What was taken is moved to another folder, where somebody wants that."""

    def taken(self, desk: Desk, peer: Server, count: int = 2) -> None:
        desk.pretend(processed_folder="Processed")
        peer.add(*(letter(n) for n in range(count)))

    def settled(self, desk: Desk, watch: Watch, count: int = 2) -> None:
        eventually(lambda: len(desk.ledger()) == count)
        desk.process()
        watch.settled.set()
        eventually(lambda: all(row.server_acked_at for row in desk.ledger()))

    def moved(self, peer: Server) -> list[bytes]:
        return [stored.raw for stored in peer.folders.get("Processed", [])]

    @pytest.mark.parametrize("there", [True, False])
    def test_after_its_outcome_it_is_moved_to_a_folder_made_where_it_is_missing(
        self, desk: Desk, peer: Server, there: bool
    ) -> None:
        peer.capabilities += " MOVE"
        peer.folders = {"Processed": []} if there else {}
        settings = desk.boot()
        self.taken(desk, peer)
        with desk.watching(settings) as watch:
            eventually(lambda: len(desk.ledger()) == 2)
            assert self.moved(peer) == []
            self.settled(desk, watch)
        assert self.moved(peer) == [letter(0), letter(1)]
        assert all(stored.flags == {r"\Seen", "$AtumDesk"} for stored in peer.folders["Processed"])
        assert (peer.mails, [asked for asked in peer.asked if "EXPUNGE" in asked]) == ({}, [])

    def test_without_move_it_is_copied_and_deleted_by_number_and_nobody_elses_deletions_are_touched(
        self, desk: Desk, peer: Server
    ) -> None:
        peer.capabilities += " UIDPLUS"
        settings = desk.boot()
        [theirs] = peer.add(letter(9), flags=r"\Seen \Deleted", at=datetime.now(UTC) - timedelta(days=9))
        self.taken(desk, peer)
        with desk.watching(settings) as watch:
            self.settled(desk, watch)
        assert self.moved(peer) == [letter(0), letter(1)]
        assert set(peer.mails) == {theirs}
        assert {asked for asked in peer.asked if "EXPUNGE" in asked} <= {"UID EXPUNGE 2,3", "UID EXPUNGE 2", "UID EXPUNGE 3"}

    def test_with_neither_it_stays_flagged(self, desk: Desk, peer: Server) -> None:
        settings = desk.boot()
        self.taken(desk, peer)
        with desk.watching(settings) as watch:
            self.settled(desk, watch)
        assert peer.flagged("$AtumDesk") == {1, 2}
        assert not any(verb in asked for asked in peer.asked for verb in ("EXPUNGE", "MOVE", "COPY"))

    def test_a_folder_chosen_while_it_is_read_is_used_at_the_next_look(self, desk: Desk, peer: Server) -> None:
        peer.capabilities += " MOVE"
        with desk.watching(desk.boot()) as watch:
            eventually(lambda: desk.mailbox().last_ok_at)
            self.taken(desk, peer)
            self.settled(desk, watch)
            eventually(lambda: len(self.moved(peer)) == 2)

    def test_moved_mails_are_not_missing(self, desk: Desk, peer: Server) -> None:
        peer.capabilities += " MOVE"
        settings = desk.boot(DATABASE_URL=desk.database.dsn)
        self.taken(desk, peer)
        with desk.watching(settings) as watch:
            self.settled(desk, watch)
        compared = compare(desk.database, settings, desk.mailbox())
        assert (compared.on_server, compared.missing, compared.coming, compared.withheld) == (0, [], 0, [])

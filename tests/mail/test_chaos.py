"""kill -9 at every step of a mail's way in: 0 lost, 0 there twice, with one poller and with two, with new numbers in between."""

import random
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from app.db.session import now
from app.intake import managed
from scripts.load.mail import PASSWORD, dovecot
from tests.mail.chaos import DATABASE, FOR_EACH_MAIL, WIRE, Chaos, chaos
from tests.mail.conftest import Desk
from tests.mail.imap_server import USER, Server, eventually, running
from tests.unit.intake.letters import mail

CUT, ANY = "cut", "any time"
# With another poller at work, the server is not signed in to anew for each.
STEADY = (*(step for step in WIRE if not step.startswith(("LOGIN", "SELECT"))), CUT, *DATABASE)
EVERY = (*WIRE, CUT, *DATABASE)
SMOKE = ("FETCH BODY came", "FETCH BODY told", CUT, "STORE came", "STORE done", *DATABASE, ANY)
HASTY = "from app.db import locks; locks.LEASE, locks.RENEW = 3, 0.5; from app.entry import mail_poller; mail_poller.main()"
KILLS = 25  # for each of eight seeds: 200 in all


def steps(seed: int, pollers: int) -> list[str]:
    """Which steps the kills of this seed hit: each once, as far as they go, and the rest at any time."""
    chance = random.Random(seed)
    chosen = EVERY if pollers == 1 else STEADY
    found = chance.sample(chosen, min(len(chosen), KILLS - 3))
    return chance.sample([*found, *[ANY] * (KILLS - len(found))], KILLS)


def live(desk: Chaos, step: str, pollers: int) -> None:
    """One kill: mails come before and while the pollers work, and one of them is killed at this step."""
    server = desk.desk.server
    many = desk.chance.randint(3, 9)
    server.add(*desk.mails(many))

    def begin() -> None:
        while len(desk.pollers.alive) < pollers:
            desk.pollers.start()
        server.add(*desk.mails(desk.chance.randint(0, 4)))

    if step == ANY:
        desk.at_any_time(begin)
    elif step in DATABASE:
        desk.at_database(step, begin, nth=desk.chance.randint(1, many) if step in FOR_EACH_MAIL else 1)
    else:
        desk.at_wire(step, begin, cut_after=desk.chance.randint(1, 300 * many) if step == CUT else 0)
    desk.kills[step] += 1


def lives(chosen: Sequence[str], desk: Desk, seed: int, pollers: int) -> Counter[str]:
    """All kills, new numbers halfway, and the proof in the end; how many of which there were."""
    server = desk.server
    with chaos(desk, seed) as whole:

        def prove(*, renumbered: bool) -> None:
            while len(whole.pollers.alive) < pollers:
                whole.pollers.start()
            whole.prove(flagged=lambda: len(server.flagged(r"\Seen")), on_server=len(server.mails), renumbered=renumbered)
            if pollers == 1:
                whole.pollers.close()

        for n, step in enumerate(chosen):
            if n == len(chosen) // 2:
                prove(renumbered=False)  # what was lost would be found again with the new numbers
                server.renumber()
            live(whole, step, pollers)
        prove(renumbered=True)
        print(f"seed {seed}, {pollers} pollers: {sum(whole.kills.values())} kills, {len(whole.book.sent)} mails, 0 lost, 0 twice")
    return whole.kills


def on_dovecot(chosen: Sequence[str], desk: Desk, seed: int) -> int:
    """The same with Dovecot, which can't be told to stop at a step of its own; how many kills there were."""
    with dovecot() as server:
        here = {"IMAP_PORT": str(server.port), "IMAP_USER": USER, "IMAP_PASSWORD": PASSWORD}
        with chaos(desk, seed, **here) as whole:

            def prove(*, renumbered: bool) -> None:
                whole.pollers.start()
                on_server = len(whole.book.sent) + whole.copies
                whole.prove(flagged=lambda: server.flagged(USER), on_server=on_server, renumbered=renumbered)
                whole.pollers.close()

            for n, step in enumerate(chosen):
                if n == len(chosen) // 2:
                    prove(renumbered=False)
                    server.renumber(USER)
                server.put(USER, *whole.mails(whole.chance.randint(3, 9)))
                if step == ANY:
                    whole.at_any_time(whole.pollers.start)
                else:
                    whole.at_database(step, whole.pollers.start, nth=whole.chance.randint(1, 3) if step in FOR_EACH_MAIL else 1)
                whole.kills[step] += 1
            prove(renumbered=True)
            return whole.kills.total()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("pollers", [1, 2])
def test_killed_at_the_steps_that_matter_nothing_is_lost_or_doubled(desk: Desk, pollers: int) -> None:
    chosen = SMOKE if pollers == 1 else SMOKE[::3]
    assert lives(chosen, desk, seed=pollers, pollers=pollers).total() == len(chosen)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(8))
def test_two_hundred_kills_with_seeds_lose_and_double_nothing(desk: Desk, seed: int) -> None:
    pollers = 1 + seed % 2
    assert lives(steps(seed, pollers), desk, seed=seed, pollers=pollers).total() == KILLS


def test_killed_on_a_real_mail_server_nothing_is_lost_or_doubled(desk: Desk) -> None:
    assert on_dovecot(["rows commit", ANY, "an outcome commits", "flagged is noted"], desk, seed=3) == 4


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fifty_kills_on_a_real_mail_server_lose_and_double_nothing(desk: Desk) -> None:
    chance = random.Random(4)
    assert on_dovecot([*chance.choices(list(DATABASE), k=35), *[ANY] * 15], desk, seed=4) == 50


@pytest.mark.parametrize(
    "step",
    [
        "FETCH BODY done",
        "rows commit",
        pytest.param("STORE done", marks=pytest.mark.slow),
        pytest.param("an outcome is written", marks=pytest.mark.slow),
    ],
)
def test_a_poller_that_was_paused_past_its_lease_and_goes_on_loses_and_doubles_nothing(desk: Desk, step: str) -> None:
    with chaos(desk, seed=59) as whole:
        stopped_and_continued(whole, step, whole.pause)


# A transaction that was begun is ended by the database after a minute.
@pytest.mark.parametrize(
    "step", ["FETCH BODY done", *(pytest.param(each, marks=pytest.mark.slow) for each in ("STORE done", "an outcome is written"))]
)
@pytest.mark.timeout(300)
def test_a_poller_that_is_stopped_gives_its_mailbox_up_and_going_on_loses_and_doubles_nothing(desk: Desk, step: str) -> None:
    with chaos(desk, seed=60) as whole:
        whole.pollers.command = ("-c", HASTY)
        stopped_and_continued(whole, step, whole.stop)


def stopped_and_continued(whole: Chaos, step: str, stop: Callable[[str], None]) -> None:
    server = whole.desk.server

    def told() -> bool:
        return len(server.flagged(r"\Seen")) == len(server.mails)

    paused = whole.pollers.start()
    server.add(*whole.mails(3))
    eventually(told, within=60)
    begin = partial(server.add, *whole.mails(6))
    if step in DATABASE:
        whole.at_database(step, begin, act=stop)
    else:
        whole.at_wire(step, begin, act=stop)
    other = whole.pollers.start()
    server.add(*whole.mails(4))
    eventually(told, within=100)
    whole.pollers.alive[paused].send_signal(signal.SIGCONT)
    server.add(*whole.mails(4))
    eventually(told, within=60)
    whole.pollers.kill(other)  # so that the one that was paused has the mailbox again
    server.add(*whole.mails(4))
    whole.prove(flagged=lambda: len(server.flagged(r"\Seen")), on_server=len(server.mails), renumbered=False)


def test_each_mail_three_times_in_two_mailboxes_at_once_stands_once_in_each_and_an_answer_once_in_all(desk: Desk) -> None:
    """Copies differ in what stations on the way add, and two pollers take them in."""
    sales = "sales@desk.example"
    ways = [f"Received: from mx{n}.example by mail.desk.example; {n}\r\n".encode() for n in range(3)]

    def deliver(letters: Sequence[bytes], servers: Sequence[Server]) -> None:
        for server in servers:
            server.add(*whole.chance.sample([way + letter for way in ways for letter in letters], len(ways) * len(letters)))
        eventually(lambda: all(len(s.flagged(r"\Seen")) == len(s.mails) for s in servers), within=60)

    def outcomes(prefix: str) -> Counter[tuple[str, str]]:
        query = "SELECT m.name, i.state FROM inbound_mail i JOIN mailbox m ON m.id = i.mailbox_id WHERE i.subject LIKE %s"
        return Counter(whole.db.execute(query, [f"{prefix}%"]).fetchall())

    with chaos(desk, seed=44) as whole, running(Server(user=sales)) as other:
        with desk.database.transaction() as s:
            managed.add(s, desk.settings(), other.account(), address=sales, now=now(s))
        whole.pollers.start()
        whole.pollers.start()
        letters = [whole.book.write() for _ in range(10)]
        deliver(letters, [desk.server, other])
        assert outcomes("chaos") == {(box, state): n for box in (USER, sales) for state, n in (("done", 10), ("duplicate", 20))}
        for [messages] in whole.db.execute("SELECT count(*) FROM message GROUP BY ticket"):
            assert messages == 1
        answers = [
            mail(
                f"And {n}.",
                sender=f"carol{n}@acme.example",
                subject="Re: that",
                mail_id=f"<re.{n}@x>",
                In_Reply_To=f"<{id}@acme.example>",
            )
            for n, id in enumerate(whole.book.sent)
        ]
        deliver(answers, [desk.server, other])
        found = Counter(state for (_, state), n in outcomes("Re:").items() for _ in range(n))
        assert found == {"done": 10, "duplicate": 50}
        assert whole.db.execute("SELECT count(*), count(DISTINCT ticket) FROM message").fetchone() == (30, 20)
        lost = "SELECT count(*) FROM inbound_mail i WHERE NOT EXISTS (SELECT FROM message m WHERE m.ticket = i.ticket)"
        assert whole.db.execute(lost).fetchone() == (0,)

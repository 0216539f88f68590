"""`atum mail rotate-key`: new letters are signed with a new key, old ones stay known, and nothing has to be restarted."""

import json
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from sqlalchemy import select

from app import config
from app.audit.models import Entry, Event
from app.config import Settings
from app.core.errors import DeskError
from app.core.signing import Signer
from app.db.session import now as time_of
from app.entry.cli import main
from app.outbox import actions, keys
from app.outbox.house import House, house
from tests.db.outbox.conftest import Outbox, line
from tests.db.outbox.sink import Sink
from tests.db.outbox.test_outbox_sender import eventually, sender

pytestmark = pytest.mark.db
CAROL = "carol@acme.example"
Said = Callable[..., str]


@pytest.fixture
def said(outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    """What `atum mail …` prints, of a desk that was there before it had keys for mail."""
    folder = tmp_path / "data/secrets"
    folder.mkdir(parents=True)
    (folder / "secret_key").write_text("6b" * 32)
    given = {"DATABASE_URL": outbox.database.dsn, "DATA_DIR": str(tmp_path / "data"), "SMTP_FROM": "support@desk.example"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    def run(*words: str, code: int = 0) -> str:
        assert main(["mail", *words]) == code
        printed = capsys.readouterr()
        return printed.out if code == 0 else printed.err

    return run


@pytest.fixture
def settings(said: Said) -> Settings:
    return config.load()


def test_a_desk_without_the_file_has_its_own_key_alone(said: Said, settings: Settings) -> None:
    assert said("keys") == "   0  the desk's own, from its first day: signs\n"
    assert house(settings).reply_address(7, CAROL) == House("", "", "support@desk.example", "", Signer(b"k" * 32)).reply_address(
        7, CAROL
    )
    assert not (settings.data_dir / "secrets/mail_keys").exists()


def test_a_new_key_signs_and_an_old_one_is_known_until_it_is_withdrawn(said: Said, settings: Settings) -> None:
    old = house(settings).reply_address(7, CAROL)
    assert said("rotate-key").endswith("atum mail rotate-key --withdraw 0\n")
    new = house(settings).reply_address(7, CAROL)
    assert new != old
    assert [house(settings).ticket_of_address(one, CAROL) for one in (old, new)] == [7, 7]
    said("rotate-key", "--withdraw", "0")
    assert [house(settings).ticket_of_address(one, CAROL) for one in (old, new)] == [None, 7]
    said("rotate-key", "--withdraw", "0")  # as often as one likes
    assert ["withdrawn" in one for one in said("keys").splitlines()] == [True, False]
    assert [bool(key["withdrawn_at"]) for key in json.loads(said("keys", "--json"))] == [True, False]


def test_the_file_is_its_owners_alone_and_no_key_is_printed(said: Said, settings: Settings) -> None:
    said("rotate-key")
    file = settings.data_dir / "secrets/mail_keys"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secret = json.loads(file.read_bytes())[1]["secret"]
    assert len(secret) == 64
    printed = said("keys") + said("keys", "--json") + said("rotate-key", "--json") + repr(house(settings).keys.known)
    assert secret not in printed


def test_both_are_in_the_audit_without_the_key(said: Said, outbox: Outbox) -> None:
    said("rotate-key")
    said("rotate-key", "--withdraw", "0")
    said("rotate-key", "--withdraw", "0")
    with outbox.database.transaction() as s:
        told = s.scalars(select(Entry.data).where(Entry.kind == Event.MAIL_KEY_CHANGED).order_by(Entry.seq)).all()
    assert told == [{"key": 1, "new": True}, {"key": 0, "withdrawn": True}]


def test_the_key_that_signs_and_one_that_is_none_can_not_be_withdrawn(said: Said) -> None:
    assert "Make another first: atum mail rotate-key" in said("rotate-key", "--withdraw", "0", code=1)
    assert "There is no key 9" in said("rotate-key", "--withdraw", "9", code=1)


def test_there_are_ten_in_force_at_most(said: Said) -> None:
    for _ in range(9):
        said("rotate-key")
    assert "Withdraw an old one first: atum mail rotate-key --withdraw 0" in said("rotate-key", code=1)
    said("rotate-key", "--withdraw", "0")
    said("rotate-key")


def test_two_who_rotate_at_once_make_two_keys(said: Said, settings: Settings, outbox: Outbox) -> None:
    def rotate(_: int) -> int:
        with outbox.database.transaction() as s:
            return keys.rotate(s, settings, now=time_of(s)).id

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(rotate, range(4))) == [1, 2, 3, 4]
    assert [key.id for key in house(settings).keys.known] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '[{"id": 1}]', '[{"id": 1, "secret": "00", "since": null, "withdrawn_at": null}]']
)
def test_a_file_that_is_broken_is_trouble_of_the_desk_and_no_mails_fault(said: Said, settings: Settings, content: str) -> None:
    (settings.data_dir / "secrets/mail_keys").write_text(content)
    with pytest.raises(OSError, match="put it back from a backup") as told:
        house(settings)
    assert not isinstance(told.value, DeskError)
    assert "put it back from a backup" in said("keys", code=1)


def taken(sink: Sink) -> list[Message]:
    return [message_from_bytes(one.raw) for one in sink.taken]


def test_the_process_that_sends_takes_up_a_new_key_by_itself(said: Said, outbox: Outbox, sink: Sink, tmp_path: Path) -> None:
    first, second = actions.new_mail_id(7, 9), actions.new_mail_id(7, 10)
    with sender(outbox, sink, tmp_path):
        outbox.put("first", mail_id=first)
        eventually(lambda: len(sink.taken) == 1)
        said("rotate-key")
        outbox.put("second", mail_id=second, in_reply_to=first, references=(first,))
        eventually(lambda: len(sink.taken) == 2)
    ours = house(config.load())
    assert [f"<{ours.reply_address(7, CAROL)}>" in mail["Reply-To"] for mail in taken(sink)] == [False, True]
    assert [ours.bare(mail["Message-ID"]) for mail in taken(sink)] == [first, second]
    assert taken(sink)[1]["In-Reply-To"] == taken(sink)[1]["References"] == taken(sink)[0]["Message-ID"]


def test_a_letter_that_is_sent_again_after_a_new_key_is_the_same_mail(
    said: Said, settings: Settings, outbox: Outbox, sink: Sink
) -> None:
    sink.drop = 1
    outbox.put()
    for _ in range(2):
        with line(sink.account()) as carrier:
            replace(outbox, house=house(settings)).carry(carrier)
        outbox.later()
        said("rotate-key")
        said("rotate-key", "--withdraw", str(house(settings).keys.known[-2].id))
    first, again = taken(sink)
    assert first["Message-ID"] == again["Message-ID"]

"""`atum webhook …`: the same verbs from the shell, and one more network."""

import json
from collections.abc import Callable
from threading import Thread

import pytest

from app.entry import cli
from tests.db.outbox.hooked import Hooked
from tests.db.outbox.receiver import Receiver

pytestmark = pytest.mark.db
Atum = Callable[..., tuple[int, str]]


@pytest.fixture
def atum(hooked: Hooked, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Atum:
    monkeypatch.setattr("app.config.load", lambda: hooked.settings)

    def run(*words: str) -> tuple[int, str]:
        code = cli.main(["webhook", *words])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def test_one_on_one_s_own_network_is_added_tried_and_removed(hooked: Hooked, receiver: Receiver, atum: Atum) -> None:
    code, said = atum("add", receiver.url, "--event", "desk.warning")
    assert (code, "own network" in said) == (1, True)
    _, said = atum("add", receiver.url, "--event", "desk.warning", "--own-network", "--json")
    made = json.loads(said)
    said = tried(hooked, atum, made["id"])
    assert said == "It answers 200.\n"
    assert receiver.heard[0].signed_by(made["secret"])
    receiver.status = 500
    assert tried(hooked, atum, made["id"]) == "It was not taken: it answers 500.\n"
    assert "failing, 1 waiting (desk.warning) - it answers 500" in atum("list")[1]
    for verb, state in (("off", "off"), ("on", "ok")):
        assert atum(verb, str(made["id"]))[0] == 0
        assert hooked.shown(made["id"])["state"] == state
    assert atum("secret", str(made["id"]))[1].rpartition(" ")[2].startswith("whsec_")
    assert atum("remove", str(made["id"])) == (0, f"Webhook {made['id']} is removed.\n")
    assert atum("remove", str(made["id"])) == (1, f"atum: There is no webhook {made['id']} here.\n")
    assert atum("list")[1] == "There is no webhook. Add one with: atum webhook add\n"


def test_a_test_that_nobody_sends_says_so(
    hooked: Hooked, receiver: Receiver, atum: Atum, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.entry.cli_webhook.PATIENCE", 0.1)
    id, _ = hooked.add(receiver)
    code, said = atum("test", str(id))
    assert (code, "has not told it yet" in said) == (1, True)


def tried(hooked: Hooked, atum: Atum, id: int) -> str:
    """What the command says while a sender works beside it."""
    sending = Thread(target=until_told, args=(hooked, id))
    sending.start()
    said = atum("test", str(id))[1]
    sending.join()
    return said


def until_told(hooked: Hooked, id: int) -> None:
    known = len(hooked.deliveries(id))
    while len(hooked.deliveries(id)) == known:
        pass
    hooked.turn()

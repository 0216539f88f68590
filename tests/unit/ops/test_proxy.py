"""Who hands on requests for others, told by the log that is kept."""

import json
from pathlib import Path

import pytest

from app import config
from app.db.session import Database
from app.ops.doctor import kept, proxy
from app.ops.doctor.findings import Finding, Level, Room


def looked(tmp_path: Path, requests: list[tuple[str, str]], **settings: str) -> list[Finding]:
    room = Room(config.load({"RUN_DIR": str(tmp_path), **settings}, secrets=tmp_path / "none"), Database("postgresql://nowhere"))
    kept.folder(room.settings).mkdir(parents=True)
    lines = [json.dumps({"proc": "nginx", "msg": "GET / 200", "client": client, "via": via}) for client, via in requests]
    (kept.folder(room.settings) / kept.NAMES[1]).write_text("\n".join(['{"proc": "boot", "msg": "ready"}', "broken {", *lines]))
    return list(proxy.look(room))


STRANGERS, OURS = ("10.0.0.7", "10.0.0.7"), ("203.0.113.9", "10.0.0.7")
STRAIGHT = ("203.0.113.9", "")


def test_a_proxy_that_is_not_believed_is_named_with_the_line_that_changes_it(tmp_path: Path) -> None:
    [found] = looked(tmp_path, [STRANGERS] * 9 + [STRAIGHT], TRUSTED_PROXIES="10.9.9.9")
    assert found.level is Level.WARNING
    assert found.what.startswith("9 of the last 10 requests came through 10.0.0.7")
    assert found.paste == "TRUSTED_PROXIES=10.9.9.9/32, 10.0.0.7"


def test_somebody_who_only_pretends_to_be_one_is_a_hint(tmp_path: Path) -> None:
    [found] = looked(tmp_path, [STRAIGHT] * 9 + [STRANGERS])
    assert found.level is Level.HINT


def test_one_that_is_believed_is_fine(tmp_path: Path) -> None:
    [found] = looked(tmp_path, [OURS] * 3, TRUSTED_PROXIES="10.0.0.0/8")
    assert (found.level, found.what) == (Level.OK, "3 of the last 3 requests came through 10.0.0.7, which is believed")


@pytest.mark.parametrize(("tls", "level"), [("self-signed", Level.OK), ("off", Level.WARNING)])
def test_none_at_all_is_odd_only_where_one_has_to_be(tmp_path: Path, tls: str, level: Level) -> None:
    [found] = looked(tmp_path, [STRAIGHT] * 3, ATUM_TLS=tls, TRUSTED_PROXIES="10.0.0.0/8")
    assert found.level is level

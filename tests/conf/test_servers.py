"""PostgreSQL and Redis, when they are embedded; and what holds for every file that is rendered."""

import re
from pathlib import Path

import pytest

from app.config import load
from app.ops.render import Machine, NotPlain, memory, plain, render
from tests.conf.conftest import Render

SECRETS = {
    "DATABASE_URL": "postgresql://atum:canary-1@db.example.com/atum",
    "REDIS_URL": "redis://:canary-2@redis.example.com",
    "IMAP_HOST": "imap.example.com", "IMAP_USER": "u", "IMAP_PASSWORD": "canary-3",
    "SMTP_HOST": "smtp.example.com", "SMTP_FROM": "a@example.com", "SMTP_USER": "u", "SMTP_PASSWORD": "canary-4",
    "ADMIN_EMAIL": "a@example.com", "ADMIN_PASSWORD": "canary-5-and-more",
}  # fmt: skip


def settings_in(text: str) -> dict[str, str]:
    """`name = value` and `name value` lines."""
    pairs = (re.split(r"\s*=\s*|\s+", line, maxsplit=1) for line in text.splitlines() if line and not line.startswith("#"))
    return {pair[0]: pair[1] for pair in pairs}


def test_no_secret_is_written_into_any_file(rendered: Render) -> None:
    assert "canary" not in "".join(rendered(**SECRETS).values())


@pytest.mark.parametrize("value", ["a b", "a;b", "a{b", 'a"b', "a$b", "a\nb", "a#b", ["fine", "not fine"]])
def test_a_value_that_could_become_a_directive_is_refused(value: object) -> None:
    with pytest.raises(NotPlain):
        plain(value)


def test_a_folder_with_a_blank_is_refused_before_anything_is_written() -> None:
    with pytest.raises(NotPlain):
        render(load({"DATA_DIR": "/my data"}), Machine(ipv6=True, processors=2, memory=1024))


def test_postgresql_listens_to_no_network_and_loses_nothing_it_acknowledged(rendered: Render) -> None:
    found = settings_in(rendered()["postgres/postgresql.conf"])
    assert found["listen_addresses"] == "''"
    assert (found["fsync"], found["synchronous_commit"], found["full_page_writes"]) == ("on", "on", "on")
    assert found["jit"] == "off"
    assert found["wal_buffers"] == "4MB"  # four times as much otherwise, and all of it stays in memory
    assert found["timezone"] == found["log_timezone"] == "'UTC'"


def test_postgresqls_log_is_quiet_and_holds_no_data(rendered: Render) -> None:
    found = settings_in(rendered()["postgres/postgresql.conf"])
    assert found["log_checkpoints"] == "off"
    assert found["log_error_verbosity"] == "terse"
    assert found["log_min_error_statement"] == "panic"


@pytest.mark.parametrize(("given", "buffers"), [(512, 64), (768, 96), (2048, 256), (64000, 2048)])
def test_postgresql_takes_its_share_of_what_the_container_may_use(rendered: Render, given: int, buffers: int) -> None:
    found = settings_in(rendered(memory=given)["postgres/postgresql.conf"])
    assert (found["shared_buffers"], found["effective_cache_size"]) == (f"{buffers}MB", f"{given // 2}MB")


def test_the_containers_limit_is_found_by_either_version_of_control_groups(tmp_path: Path) -> None:
    whole = memory(tmp_path)
    assert whole > 200
    (tmp_path / "memory.max").write_text("max\n")
    assert memory(tmp_path) == whole
    (tmp_path / "memory.max").write_text("134217728\n")
    assert memory(tmp_path) == 128
    (tmp_path / "memory.max").unlink()
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory/memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert memory(tmp_path) == whole
    (tmp_path / "memory/memory.limit_in_bytes").write_text("209715200\n")
    assert memory(tmp_path) == 200


def test_every_workers_pool_fits_into_postgresqls_connections(rendered: Render) -> None:
    for workers in (1, 4, 16):
        found = settings_in(rendered(WEB_CONCURRENCY=str(workers))["postgres/postgresql.conf"])
        assert int(found["max_connections"]) >= workers * 10 + 20


def test_nobody_comes_in_but_by_the_operating_systems_word(rendered: Render) -> None:
    rules = [line.split() for line in rendered()["postgres/pg_hba.conf"].splitlines() if line and not line.startswith("#")]
    assert rules == [
        ["local", "atum,atum_next,atum_before_restore,postgres", "atum", "peer", "map=desk"],
        ["local", "all", "postgres", "peer", "map=desk"],
        ["local", "all", "all", "reject"],
    ]
    names = [line.split() for line in rendered()["postgres/pg_ident.conf"].splitlines() if line]
    assert names == [["desk", "app", "atum"], ["desk", "postgres", "postgres"]]


def test_redis_is_a_cache_on_a_socket(rendered: Render) -> None:
    text = rendered()["redis/redis.conf"]
    found = settings_in(text)
    assert found["port"] == "0"
    assert found["unixsocketperm"] == "770"
    assert (found["save"], found["appendonly"]) == ('""', "no")
    assert found["maxmemory-policy"] == "allkeys-lru"
    assert {"CONFIG", "DEBUG", "MODULE"} <= set(re.findall(r'^rename-command (\w+) ""$', text, re.MULTILINE))


def test_who_has_no_name_is_let_in_by_the_socket_that_is_closed_to_others(rendered: Render) -> None:
    rules = [line.split() for line in rendered(root=False)["postgres/pg_hba.conf"].splitlines() if line[:1] != "#"]
    assert rules == [["local", "all", "atum,postgres", "trust"], ["local", "all", "all", "reject"]]

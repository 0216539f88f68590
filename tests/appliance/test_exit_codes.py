"""Each way for the container to end says why, by its exit code and in words."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.appliance.conftest import Make
from tests.appliance.driver import ROOT, Appliance

BROKEN_MIGRATION = '''"""One that can't work."""

from alembic import op

revision = "9999"
down_revision = "{last}"


def upgrade() -> None:
    op.execute("CREATE TABLE half_done (id int)")
    op.execute("SELECT no_such_function()")


def downgrade() -> None:
    pass
'''


@pytest.fixture(scope="module", autouse=True)
def without_its_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """It waits a minute for its database, so it is started before everything else here."""
    settings = {"DATABASE_URL": "postgresql://atum:secret@127.0.0.1:9/atum"}
    desk = Appliance(tmp_path_factory.mktemp("unreachable"), settings=settings, mail=False)
    try:
        yield desk.up(wait=False)
    finally:
        desk.down()


def test_asked_to_stop_it_ends_with_0(make: Make) -> None:
    code, seconds = make(mail=False).up().stop()
    assert (code, seconds < 9) == (0, True)


def test_bad_settings_are_told_all_at_once_and_end_it_with_64_before_anything_is_touched(make: Make, tmp_path: Path) -> None:
    volume = tmp_path / "data"
    volume.mkdir()
    settings = {
        "ATUM_URL": "ftp://desk",
        "ATUM_ULR": "https://desk.example",
        "API_RATE": "fast",
        "IMAP_PASSWORD": "x",
        "IMAP_PASSWORD_FILE": "/run/secrets/imap",
        "TZ": "Mars/Olympus",
    }
    desk = make(mail=False, settings=settings, more=f'volumes: !override ["{volume}:/data"]').up(wait=False)
    assert desk.exit_code(30) == 64
    logs = desk.logs()
    for words in (
        "ATUM_URL",
        "did you mean ATUM_URL?",
        "API_RATE",
        "both IMAP_PASSWORD and IMAP_PASSWORD_FILE are set",
        "Mars/Olympus",
    ):
        assert words in logs, words
    assert list(volume.iterdir()) == []


def test_data_from_a_newer_version_ends_it_with_65_untouched_and_no_database_is_made_in_the_place_of_one(make: Make) -> None:
    desk = make(mail=False).up()
    desk.atum("user", "add", "alice@desk.example", "--password-stdin", stdin="correct horse battery\n")
    [[revision]] = desk.sql("SELECT version_num FROM alembic_version")
    desk.sql("UPDATE alembic_version SET version_num = 'from_the_future'")
    before = desk.sql("SELECT seq, hash FROM audit_event ORDER BY seq")
    desk.stop()
    desk.start(wait=False)
    assert desk.exit_code(60) == 65
    assert "from_the_future" in desk.logs()
    with_its_database_elsewhere(desk)
    as_the_newer_version_would(desk, f"UPDATE alembic_version SET version_num = '{revision}'")
    desk.start()
    assert desk.sql("SELECT seq, hash FROM audit_event ORDER BY seq")[: len(before)] == before
    assert "whole" in desk.atum("audit", "verify")


def with_its_database_elsewhere(desk: Appliance) -> None:
    """No other is made in its place, nor beside it."""
    for elsewhere, major, code, words in (
        ("/data/postgres/18", "18", 65, "was made by PostgreSQL 18"),
        ("/data/postgres/old", "17", 66, "A database lies in /data/postgres/old"),
        ("/data/elsewhere", "17", 66, "/data/secrets/.database_made says so"),
    ):
        on_the_volume(desk, f"mv /data/postgres/17 {elsewhere} && echo {major} >{elsewhere}/PG_VERSION")
        desk.start(wait=False)
        assert (desk.exit_code(30), words in desk.logs()) == (code, True), desk.logs()[-2000:]
        on_the_volume(desk, f"echo 17 >{elsewhere}/PG_VERSION && mv {elsewhere} /data/postgres/17")


def on_the_volume(desk: Appliance, script: str) -> None:
    within_its_volume(desk, ["sh", "-c", script], user="root")


def as_the_newer_version_would(desk: Appliance, statement: str) -> None:
    """Change the database of a desk that doesn't run."""
    command = ["/usr/lib/postgresql/17/bin/postgres", "--single", "-D", "/data/postgres/17", "atum"]
    within_its_volume(desk, command, user="postgres", stdin=statement + "\n")


def within_its_volume(desk: Appliance, command: list[str], *, user: str, stdin: str = "") -> None:
    [volume] = [mount["Name"] for mount in desk.container.attrs["Mounts"] if mount["Destination"] == "/data"]
    first, *words = command
    run = ["docker", "run", "--rm", "-i", "--user", user, "-v", f"{volume}:/data", "--entrypoint", first, desk.image, *words]
    subprocess.run(run, input=stdin, text=True, check=True, capture_output=True)


def test_a_volume_that_can_not_be_used_ends_it_with_66_and_the_command_that_mends_it(make: Make, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o555)
    desk = make(mail=False, more=f'volumes: !override ["{tmp_path}/locked:/data:ro"]').up(wait=False)
    assert desk.exit_code(30) == 66
    assert "Mount it at /data without :ro" in desk.logs()


def test_a_root_without_what_it_needs_ends_it_with_66_and_the_list(make: Make) -> None:
    desk = make(mail=False, more="cap_add: !override [CHOWN, SETUID, KILL]").up(wait=False)
    assert desk.exit_code(30) == 66
    assert "root lacks the capabilities SETGID, NET_BIND_SERVICE" in desk.logs()


def test_a_program_that_dies_five_times_ends_it_with_70_and_its_name(make: Make) -> None:
    desk = make(mail=False).up()
    for _ in range(4):
        desk.until_replaced("sla-worker", desk.signal("sla-worker"))
    desk.signal("sla-worker")
    assert desk.exit_code(20) == 70
    assert [line for line in desk.logs().splitlines() if "sla-worker" in line and "died 5 times" in line]


def test_a_program_that_can_not_start_ends_it_with_70_and_its_last_words(make: Make, tmp_path: Path) -> None:
    broken = tmp_path / "redis.conf"
    broken.write_text("no-such-directive yes\n")
    desk = make(mail=False, more=f'volumes: ["{broken}:/opt/atum/conf/redis/redis.conf:ro"]').up(wait=False)
    assert desk.exit_code(60) == 70
    [last] = [line for line in desk.logs().splitlines() if "redis failed for good" in line]
    assert "no-such-directive" in last


def test_a_migration_that_fails_ends_it_with_75_its_name_and_the_way_back_and_is_not_tried_again(
    make: Make, tmp_path: Path
) -> None:
    last = max(path.stem for path in (ROOT / "app/migrations/versions").glob("[0-9]*.py")).partition("_")[0]
    broken = tmp_path / "9999_broken.py"
    broken.write_text(BROKEN_MIGRATION.format(last=last))
    desk = make(mail=False).up()
    desk.more = f'volumes: ["{broken}:/opt/atum/app/migrations/versions/9999_broken.py:ro"]'
    desk.up(wait=False)
    assert desk.exit_code(60) == 75
    for words in ("Migration 9999 failed", "no_such_function", f"/data/backups/before-{last}-", "desk migrate retry"):
        assert words in desk.logs(), words
    desk.start(wait=False)
    assert desk.exit_code(60) == 75
    assert desk.logs().count("a migration failed") == 1
    assert "The next start migrates" in desk.compose("run", "--rm", "--entrypoint", "atum", "desk", "migrate", "retry")
    desk.start(wait=False)
    assert desk.exit_code(60) == 75
    assert desk.logs().count("a migration failed") == 2
    desk.more = ""
    desk.up()
    assert desk.sql("SELECT to_regclass('half_done') IS NULL") == [["t"]]
    assert f"before-{last}" in desk.atum("migrate", "status")


def test_a_database_that_stays_away_for_a_minute_ends_it_with_69(without_its_database: Appliance) -> None:
    assert without_its_database.exit_code(90) == 69
    assert "DATABASE_URL" in without_its_database.logs()
    assert "secret" not in without_its_database.logs()

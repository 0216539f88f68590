"""`atum`, whatever is typed after it."""

from pathlib import Path

import psycopg
import pytest

from app.db.session import Database
from app.entry.cli import main
from tests.mail.imap_server import eventually

COMMANDS = ["health", "setup-link", "migrate status", "audit verify", "audit checkpoint", "audit export", "sla verify"]
COMMANDS += ["user list", "user disable nobody@acme.example", "mailbox list", "mail list", "mail suppressed", "mail ledger"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_leaves_no_connection_behind(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "secret_key").write_text("ab" * 32)
    for name, value in {"DATABASE_URL": database.dsn, "DATA_DIR": str(tmp_path), "RUN_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    main(command.split())
    with psycopg.connect(database.dsn, autocommit=True) as c:
        left = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'atum' AND pid <> %s"
        pid = c.info.backend_pid
        eventually(lambda: not c.execute(left, [pid]).fetchall())

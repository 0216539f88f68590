"""A database that can only be read: told as that, and as something that passes; other refusals of rights stay our mistakes."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from app.db.session import Database, OnlyRead

RAISES = "DO $$BEGIN RAISE EXCEPTION '%' USING ERRCODE = 'insufficient_privilege'; END$$"


def test_a_server_that_became_a_standby_is_told_as_that(database: Database) -> None:
    with pytest.raises(OnlyRead), database.transaction() as s:
        s.execute(text("SET TRANSACTION READ ONLY; CREATE TABLE never (id int)"))


def test_a_disk_that_turned_read_only_is_told_as_that_and_no_other_want_of_rights_is(database: Database) -> None:
    says = 'could not open file "base/5/1259": Read-only file system'
    with pytest.raises(OnlyRead), database.transaction() as s:
        s.execute(text(RAISES.replace("%", says).replace(":", r"\:")))
    with pytest.raises(ProgrammingError), database.transaction() as s:
        s.execute(text(RAISES.replace("%", "permission denied for table person")))

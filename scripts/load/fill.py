"""A desk's database with any number of tickets, made by a few statements: three messages each, two clocks, words to be found by.

Every thirty tickets share a model number (`model17`), as people look for something that a few dozen tickets are about, however
many there are; every fifth says "printer"; half of the teams are the asker's.
"""

import hashlib
import os
from pathlib import Path

import psycopg
from psycopg import sql

from app.db.session import Database
from app.ops import migrate
from app.sla import actions as sla

# So many that hardly anybody opens two tickets in an hour: each is acknowledged, as the reference does.
CUSTOMERS = 100_000
TOKEN = "atum_benchbenchbenchbenchbenchbenchbezst4wht"  # noqa: S105 (of a database that is thrown away)
# A million rows go in faster before there are indexes than into them.
INDEXES = """
SELECT i.indexname, i.indexdef FROM pg_indexes i
WHERE i.schemaname = 'public' AND i.tablename IN ('ticket', 'message', 'ticket_text', 'sla_clock')
  AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conname = i.indexname)
"""
STATEMENTS = Path(__file__).with_name("fill.sql")


def fill(dsn: str, tickets: int) -> None:
    """Migrate the empty database of this URL and fill it with so many tickets."""
    migrate.up(dsn)
    db = Database(dsn, pool=1)
    with db.transaction() as s:
        sla.ensure_defaults(s, now=s.connection().exec_driver_sql("SELECT now()").scalar_one())
    db.close()
    size = {"tickets": tickets, "customers": CUSTOMERS, "organizations": max(20, tickets // 500)}
    with psycopg.connect(dsn, autocommit=True) as c:
        c.execute("SET session_replication_role = replica")  # no look-up of foreign keys for rows that are made to fit
        c.execute("SET maintenance_work_mem = '512MB'")
        made_after = c.execute(INDEXES).fetchall()
        for name, _ in made_after:
            c.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
        for statement in filter(str.strip, STATEMENTS.read_text().split(";\n")):
            c.execute(statement, size)
        for _, definition in made_after:
            c.execute(definition)
        c.execute(
            "INSERT INTO api_token (person_id, name, prefix, token_hash, scopes, created_at)"
            " VALUES (1, 'bench', 'atum_bench', %s, %s, now())",
            (hashlib.sha256(TOKEN.encode()).digest(), '["tickets:write"]'),
        )
        c.execute("VACUUM ANALYZE")
        c.execute("CHECKPOINT")
    os.sync()  # writing all this down is no part of what is measured afterwards


def requests(kind: str, tickets: int, folder: Path) -> Path:
    """A script for wrk that asks for different things of this kind, one after the other."""
    model = 1 + tickets // 30
    path = {
        "list": '"/api/v1/tickets?limit=50"',
        # Of the asker's teams: the others' are not theirs to see.
        "ticket": f'"/api/v1/tickets/" .. (11 * (n * 7919 % {tickets // 11}) + 1 + n % 5) .. "?expand=messages"',
        "search": f'"/api/v1/tickets?limit=50&q=model" .. (n * 7919 % {model}) .. "%20status:open"',
        "create": '"/api/v1/tickets"',
    }[kind]
    asked = r'{\"subject\": \"Question " .. n .. "\", \"body\": \"It smokes.\", '
    asked += rf'\"requester\": \"customer" .. (1 + n * 7919 % {CUSTOMERS}) .. "@example.org\"}}'
    post = f', nil, "{asked}"' if kind == "create" else ""
    script = folder / f"{kind}-{tickets}.lua"
    script.write_text(
        f"math.randomseed(os.time())\nlocal n = math.random(0, 1000000)\n"
        f'wrk.headers["Authorization"] = "Bearer {TOKEN}"\nwrk.headers["Content-Type"] = "application/json"\n'
        f'wrk.method = "{"POST" if kind == "create" else "GET"}"\n'
        f"function request()\n  n = n + 1\n  return wrk.format(nil, {path}{post})\nend\n"
        "local refused = 0\n"
        "function response(status) if status >= 300 then refused = refused + 1; wrk.thread:set('refused', refused) end end\n"
    )
    return script

"""When something breaks on our side: one line in the log, no secret in it, and the connection stays."""

import asyncio
import contextlib
import logging
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from app.entry.web import calm
from app.people import links
from tests.web.conftest import Web

SECRET = "canary8c1f0a9be2"


def test_the_token_of_a_link_that_broke_is_not_logged(
    web: Web, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("it broke")

    monkeypatch.setattr(links, "shown", broken)
    visitor = TestClient(web.app, base_url="https://localhost", raise_server_exceptions=False)
    for path in ("/reset", "/invite"):
        assert visitor.get(f"{path}/{SECRET}").status_code == 500
        assert visitor.post(f"{path}/{SECRET}", headers={"Origin": "https://localhost"}).status_code == 500
    told = [record for record in caplog.records if record.message == "a request failed"]
    assert [getattr(record, "path", "") for record in told] == ["/reset/{token}"] * 2 + ["/invite/{token}"] * 2
    assert SECRET not in "".join(logging.Formatter().format(record) + str(record.__dict__) for record in told)


def test_a_statement_that_fails_does_not_tell_what_it_was_given(web: Web) -> None:
    with pytest.raises(ProgrammingError) as told, web.desk.db.transaction() as s:
        s.execute(text("SELECT * FROM no_such_table WHERE name = :name"), {"name": SECRET})
    assert "no_such_table" in str(told.value)
    assert SECRET not in str(told.value)


@pytest.mark.parametrize("more", [False, True])
def test_what_was_answered_whole_leaves_the_connection_to_the_next_and_what_was_not_ends_it(more: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": more})
        raise RuntimeError("it broke")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def go() -> None:
        nothing: Any = None
        await calm(app)({"type": "http"}, nothing, send)

    with pytest.raises(RuntimeError) if more else contextlib.nullcontext():
        asyncio.run(go())
    assert len(sent) == 2

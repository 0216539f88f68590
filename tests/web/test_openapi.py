"""Made-up requests to every operation of the API, in every role: nothing breaks, and nothing is answered that isn't documented.

`pytest tests/web/test_openapi.py --examples 200` sends more of them.
"""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core import clock
from app.db.redis import Counters
from app.intake import managed, oauth
from app.ops.health import Report, Watch
from app.web import describe
from app.web.app import create
from tests.web.conftest import Web
from tests.web.furniture import furnish, headers
from tests.web.undone import Undone

pytestmark = [pytest.mark.db, pytest.mark.timeout(900)]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ROLES = ("nobody", "customer", "customer_admin", "mallory", "reader", "agent", "manager", "admin")


QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def test_whatever_anybody_sends_is_answered_as_documented(
    web: Web, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counters, "add", lambda *_, **__: 1)
    monkeypatch.setattr(Watch, "report", lambda _: Report("healthy", clock.now(), {}))
    monkeypatch.setattr(managed, "tried", lambda _: 0)  # made-up hosts are somebody's
    monkeypatch.setattr(oauth, "_asked", lambda *_: (503, {}))
    found = furnish(web)
    db = Undone(web.desk.db)
    app = create(replace(web.desk, db=db))
    app.state.live.life = 0.0
    turn = itertools.cycle([(who, real) for real in (True, True, False) for who in reversed(ROLES)])
    schema = schemathesis.openapi.from_dict(json.loads(json.dumps(describe.document(app))))
    schema.app = _calm(app)
    wrong: list[str] = []

    def send(case: Case[Any]) -> None:
        who, real = next(turn)
        if real and case.path_parameters:
            case.path_parameters |= found.places(case.method, case.path)
        with db.again():
            answer = case.call(base_url="http://localhost", headers=headers(found, who, page=False))
            note(f"as {who}")
            case.validate_response(answer, checks=CHECKS)

    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                _many(pytestconfig.getoption("--examples"), operation.as_strategy(generation_mode=mode), send)
            except (FailureGroup, Failure, Unsatisfiable) as failure:  # each operation is told, not the first alone
                if not isinstance(failure, Unsatisfiable):
                    wrong.append(f"{operation.label}: {failure}")
    assert not wrong, "\n\n".join(wrong)


def _many(examples: int, cases: Any, send: Callable[[Case[Any]], None]) -> None:
    trial = given(case=cases)(send)
    kept = settings(max_examples=examples, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=QUIET)
    seed(1)(kept(trial))()


def _calm(app: ASGIApp) -> ASGIApp:
    """The framework raises what it has answered with 500 once more, for servers to log."""

    async def calm(scope: Scope, receive: Receive, send: Send) -> None:
        answered = False

        async def sent(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await app(scope, receive, sent)
        except Exception:
            if not answered:
                raise

    return calm

import pytest

from scripts.house.rules import commit
from tests.unit.house.trial import lines_found


def test_it_refuses_a_commit_in_an_action() -> None:
    code = """
    def close(s, ticket):
        ticket.status = "closed"
        s.commit()
    """
    assert lines_found(commit, code) == [3]


def test_it_refuses_a_commit_that_is_only_passed_on() -> None:
    assert lines_found(commit, "later(session.commit)") == [1]


@pytest.mark.parametrize("code", ["s.flush()", "repository.committed_at", "# s.commit()", "words = 's.commit()'"])
def test_it_accepts_what_is_no_commit(code: str) -> None:
    assert lines_found(commit, code) == []


@pytest.mark.parametrize("path", ["app/db/session.py", "tests/db/test_session.py"])
def test_it_accepts_a_commit_at_the_door_and_in_tests(path: str) -> None:
    assert lines_found(commit, "s.commit()", at=path) == []

"""A change, to and from JSON."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Invalid
from app.core.priority import Priority
from app.tickets.change import UNSET, Change
from app.tickets.rules import Status

TAGS = st.lists(st.from_regex("[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True), min_size=1, max_size=5, unique=True)
IDS = st.none() | st.integers(1, 2**63 - 1)
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "subject": st.text(),
        "status": st.sampled_from([s.value for s in Status]),
        "priority": st.sampled_from([p.value for p in Priority]),
        "team_id": IDS,
        "assignee_id": IDS,
        "add_tags": TAGS,
        "remove_tags": TAGS,
        "fields": st.dictionaries(st.text(), st.none() | st.booleans() | st.text()),
        "snoozed_until": st.none() | st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    },
)


@given(CHANGES)
def test_it_is_told_as_it_was_given(given: dict[str, Any]) -> None:
    change = Change.of(given)
    assert change.told() == given
    assert json.loads(json.dumps(change.told())) == given
    assert change.empty == (not given)
    assert Change.of(change.told()) == change


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ({"revision": 1}, "'revision' is nothing that can be changed"),
        ({"requester_id": 1}, "requester_id"),
        ({"subject": None}, "subject is a text"),
        ({"status": "lost"}, "new, accepted"),
        ({"status": ["new"]}, "new, accepted"),
        ({"priority": None}, "low, medium"),
        ({"team_id": True}, "team_id is a number"),
        ({"team_id": "1"}, "team_id is a number"),
        ({"assignee_id": 2**63}, "assignee_id is a number"),
        ({"add_tags": "vpn"}, "add_tags is a list"),
        ({"add_tags": [1]}, "add_tags is a list"),
        ({"add_tags": ["a"] * 21}, "at most 20"),
        ({"remove_tags": ["two words"]}, "two words"),
        ({"fields": []}, "fields is an object"),
        ({"snoozed_until": "soon"}, "snoozed_until is a time"),
        ({"snoozed_until": 5}, "snoozed_until is a time"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(given: dict[str, Any], hint: str) -> None:
    with pytest.raises(Invalid, match=hint):
        Change.of(given)


def test_what_is_not_said_is_unset_and_none_is_something_said() -> None:
    change = Change.of({"team_id": None})
    assert change.team_id is None
    assert change.assignee_id is UNSET
    assert change.told() == {"team_id": None}

"""The index by which Outlook sorts a conversation (MS-OXOMSG 2.2.1.3)."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.outbox.rules import conversation_index, topic

GUID = bytes(range(16))
SINCE_1601 = datetime(1601, 1, 1, tzinfo=UTC)
# One that Exchange made: a conversation that began in March 2024, and seven answers.
REAL = bytes.fromhex(
    "0101DA71727C814696A637E92446A36574D21F90B594B12E05C500800003D08080000079008000019680800001D50080043BDF008000043980"
)


def read(index: bytes) -> tuple[datetime, bytes, datetime]:
    """When the conversation began, its GUID, and when its first answer was given, as the specification says to read them."""
    assert index[0] == 1
    began = int.from_bytes(index[1:6], "big") << 24
    level = int.from_bytes(index[22:26], "big")
    delta = (level & 0x7FFFFFFF) << (23 if level >> 31 else 18)
    return at(began), index[6:22], at(began + delta)


def at(filetime: int) -> datetime:
    return SINCE_1601 + timedelta(microseconds=filetime // 10)


def test_what_exchange_writes_is_read_as_it_was_meant() -> None:
    began, guid, answered = read(REAL)
    assert (began.date().isoformat(), UUID(bytes_le=guid).version) == ("2024-03-08", 4)
    assert answered > began
    assert (len(REAL) - 22) % 5 == 0


@settings(deadline=None)
@given(st.datetimes(datetime(2020, 1, 3), datetime(2070, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 (hypothesis adds the zone)
def test_it_tells_the_conversation_and_the_time(said: datetime) -> None:
    index = conversation_index(GUID, said, 0)
    began, guid, answered = read(index)
    assert len(index) == 27
    assert guid == GUID
    assert began.date().isoformat() == "2020-01-02"
    assert timedelta() <= said - answered <= timedelta(seconds=1)


@pytest.mark.parametrize(
    ("said", "index"),
    [
        (datetime(2020, 1, 2, tzinfo=UTC), "0101d5c10000" + GUID.hex() + "0000000000"),
        (datetime(2020, 1, 3, tzinfo=UTC), "0101d5c10000" + GUID.hex() + "00322f7600"),
        (datetime(2026, 3, 29, 1, 30, tzinfo=UTC), "0101d5c10000" + GUID.hex() + "8dfc371e00"),
    ],
)
def test_it_is_the_same_each_time(said: datetime, index: str) -> None:
    assert conversation_index(GUID, said, 0).hex() == index


def test_letters_of_one_instant_differ_in_their_last_byte() -> None:
    said = datetime(2026, 3, 29, tzinfo=UTC)
    one, other = conversation_index(GUID, said, 0x1234), conversation_index(GUID, said, 0x1235)
    assert one[:26] == other[:26]
    assert (one[26], other[26]) == (0x34, 0x35)


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Re: My printer burns [#7]", "My printer burns"),
        ("My printer burns", "My printer burns"),
        ("RE: re:  Regards [#7]", "Regards"),
        ("Re: See [#8] [#7]", "See [#8]"),
        ("Re: [#7]", ""),
    ],
)
def test_the_topic_is_what_the_customer_called_it(subject: str, expected: str) -> None:
    assert topic(subject, 7) == expected

"""The archive: what was put in comes out, and anything that was done to it since is noticed."""

import io
import json
import tarfile
from pathlib import Path

import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ops.backup import archive
from app.ops.backup.archive import Damaged, Newer, Refused, WrongKey

KEY = str(pyrage.x25519.Identity.generate())
RECIPIENT = str(pyrage.x25519.Identity.from_str(KEY).to_public())
CONTENT = {"database/00001": b"\x00\x01" * 70_000, "files/ab/cd/abcd": b"", "secrets/secret_key": b"ab" * 32}


def written(content: dict[str, bytes], manifest: dict[str, object] | None = None) -> bytes:
    sink = io.BytesIO()
    with archive.writing(sink, RECIPIENT, manifest or {"version": "1"}, made=0) as writer:
        for name, data in content.items():
            writer.add(name, data)
    return sink.getvalue()


def sealed(members: dict[str, bytes]) -> bytes:
    """An archive of just these members, whatever they say of each other."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return bytes(pyrage.encrypt(plain.getvalue(), [pyrage.x25519.Recipient.from_str(RECIPIENT)]))


@pytest.fixture(scope="module")
def whole() -> bytes:
    return written(CONTENT)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("archive") / "one.tar.age"


def read(place: Path, data: bytes, key: str = KEY) -> dict[str, bytes]:
    place.write_bytes(data)
    return {member.name: member.whole() for member in archive.members(place, key)}


def test_what_was_put_in_comes_out_in_order(place: Path, whole: bytes) -> None:
    found = read(place, whole)
    assert list(found) == [archive.MANIFEST, *CONTENT]
    assert json.loads(found.pop(archive.MANIFEST)) == {"format": archive.FORMAT, "version": "1"}
    assert found == CONTENT


def test_what_nobody_reads_is_checked_all_the_same(place: Path, whole: bytes) -> None:
    place.write_bytes(whole)
    assert len(list(archive.members(place, KEY))) == 4
    place.write_bytes(whole[:-1])
    with pytest.raises(Damaged):
        list(archive.members(place, KEY))


@given(data=st.data())
def test_it_is_refused_wherever_it_was_cut(place: Path, whole: bytes, data: st.DataObject) -> None:
    with pytest.raises(Refused):
        read(place, whole[: data.draw(st.integers(0, len(whole) - 1))])


@given(data=st.data())
def test_it_is_refused_whichever_bit_flipped(place: Path, whole: bytes, data: st.DataObject) -> None:
    changed = bytearray(whole)
    changed[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Refused):
        read(place, bytes(changed))


def test_it_is_refused_with_something_after_its_end(place: Path, whole: bytes) -> None:
    with pytest.raises(Damaged):
        read(place, whole + b"x")


def test_another_key_does_not_open_it(place: Path, whole: bytes) -> None:
    with pytest.raises(WrongKey, match="another key"):
        read(place, whole, str(pyrage.x25519.Identity.generate()))


def test_what_is_no_key_is_told_apart_from_another_one(place: Path, whole: bytes) -> None:
    with pytest.raises(WrongKey, match="AGE-SECRET-KEY-1"):
        read(place, whole, "open sesame")


def test_a_newer_format_is_refused_by_its_number() -> None:
    with pytest.raises(Newer):
        archive.format_of(json.dumps({"format": archive.FORMAT + 1}).encode())


@pytest.mark.parametrize("manifest", [b"", b"[]", b"{}", b'{"format": "x"}'])
def test_a_manifest_that_says_nothing_is_damage(manifest: bytes) -> None:
    with pytest.raises(Damaged):
        archive.format_of(manifest)


MANIFEST = b'{"format": 1}'
SUM = "7c4b7a8a5b3e0b1d0a7d1d3b1dfd9a0e7a3ce5f7e1a4fb2d4c0a4ba2d8d9e0aa"


@pytest.mark.parametrize(
    "members",
    [
        {archive.MANIFEST: MANIFEST},
        {archive.SUMS: b""},
        {"files/a": b"x", archive.MANIFEST: MANIFEST, archive.SUMS: b""},
        {archive.MANIFEST: MANIFEST, archive.SUMS: f"{SUM}  {archive.MANIFEST}\n".encode()},
        {archive.MANIFEST: MANIFEST, archive.SUMS: b"\xff\xfe"},
        {archive.MANIFEST: MANIFEST, "../outside": b"x", archive.SUMS: b""},
        {archive.MANIFEST: MANIFEST, "/etc/passwd": b"x", archive.SUMS: b""},
        {archive.MANIFEST: MANIFEST, "files/../../x": b"x", archive.SUMS: b""},
    ],
)
def test_what_was_sealed_with_our_key_by_somebody_else_is_looked_at_as_closely(place: Path, members: dict[str, bytes]) -> None:
    with pytest.raises(Damaged):
        read(place, sealed(members))


def test_nothing_may_stand_behind_the_sums(place: Path, whole: bytes) -> None:
    plain = bytes(pyrage.decrypt(whole, [pyrage.x25519.Identity.from_str(KEY)]))
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        found = {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]
    assert read(place, sealed(found)).keys() == {archive.MANIFEST, *CONTENT}
    with pytest.raises(Damaged):
        read(place, sealed(found | {"files/later": b"x"}))


class Full(io.BytesIO):
    """A disk with room for so much and no more."""

    def write(self, data: object, /) -> int:
        if self.tell() + len(bytes(data)) > 50_000:  # type: ignore[call-overload]
            raise OSError(28, "No space left on device")
        return super().write(data)  # type: ignore[arg-type]


def fill(sink: io.BytesIO, members: int) -> None:
    with archive.writing(sink, RECIPIENT, {}, made=0) as writer:
        for number in range(members):
            writer.add(f"database/{number:05}", bytes(100_000))


def test_a_disk_that_is_full_is_told_as_that_and_keeps_nobody_waiting() -> None:
    with pytest.raises(OSError, match="No space left") as told:
        fill(Full(), 200)
    assert told.value.errno == 28


def test_what_goes_wrong_while_it_is_written_is_told_as_it_is() -> None:
    with pytest.raises(ValueError, match="can't be a member's name"):
        written({"files/a": b"x", "files/../b": b"y"})


def test_whoever_stops_reading_leaves_nothing_running(place: Path) -> None:
    place.write_bytes(written({"files/a": bytes(5_000_000)}))
    reading = archive.members(place, KEY)
    assert next(reading).name == archive.MANIFEST
    reading.close()


def test_it_is_what_age_calls_an_encrypted_file(whole: bytes) -> None:
    assert whole.startswith(b"age-encryption.org/v1\n-> X25519 ")

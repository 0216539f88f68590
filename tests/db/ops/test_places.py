"""A good backup is copied elsewhere too: whole or not at all, so many of them, and told where it can't be."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app import config
from app.config import BadSettings, Settings
from app.core.errors import NotFound
from app.db.session import Database
from app.ops.backup import making, places
from app.ops.backup.places import Place, PlaceFailed
from app.ops.models import BackupState
from tests.db.ops import bucket
from tests.db.ops.bucket import Bucket

NAMES = [f"atum-202611{day:02}T020000Z.tar.age" for day in range(1, 4)]
Make = Callable[..., Settings]


@pytest.fixture
def keeper() -> Iterator[Bucket]:
    with bucket.serving() as one:
        yield one


def of_bucket(keeper: Bucket, **different: str) -> Settings:
    wanted = {"BACKUP_TO": "s3://backups/desk", "BACKUP_S3_ENDPOINT": keeper.url, "BACKUP_S3_REGION": bucket.REGION}
    return config.load(wanted | {"BACKUP_S3_KEY": bucket.KEY, "BACKUP_S3_SECRET": bucket.SECRET} | different)


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, keeper: Bucket, tmp_path: Path) -> Place:
    (tmp_path / "there").mkdir()
    found = places.of(config.load({"BACKUP_TO": str(tmp_path / "there")}) if request.param == "folder" else of_bucket(keeper))
    assert found is not None
    return found


def archive(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("size", [0, 1, 100_000, 12_000_000])
def test_what_is_put_there_comes_back_the_same(place: Place, tmp_path: Path, size: int) -> None:
    content = (bytes(range(251)) * (size // 251 + 1))[:size]
    place.put(archive(tmp_path, NAMES[0], content))
    assert place.names() == [NAMES[0]]
    place.fetch(NAMES[0], tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == content
    place.remove(NAMES[0])
    place.remove(NAMES[0])
    assert place.names() == []
    with pytest.raises(NotFound):
        place.fetch(NAMES[0], tmp_path / "back")


def test_a_prefix_keeps_two_desks_in_one_bucket_apart(keeper: Bucket, tmp_path: Path) -> None:
    one, other = places.of(of_bucket(keeper)), places.of(of_bucket(keeper, BACKUP_TO="s3://backups"))
    assert one is not None
    assert other is not None
    one.put(archive(tmp_path, NAMES[0], b"x"))
    other.put(archive(tmp_path, NAMES[1], b"y"))
    assert set(keeper.kept) == {f"desk/{NAMES[0]}", NAMES[1]}
    assert one.names() == [NAMES[0]]


@pytest.mark.parametrize(
    ("different", "words"),
    [
        ({"BACKUP_S3_SECRET": "another"}, "SignatureDoesNotMatch"),
        ({"BACKUP_S3_KEY": "nobody"}, "InvalidAccessKeyId"),
        ({"BACKUP_TO": "s3://elsewhere"}, "NoSuchBucket"),
    ],
)
def test_a_server_that_refuses_is_told_in_its_words(
    keeper: Bucket, tmp_path: Path, different: dict[str, str], words: str
) -> None:
    place = places.of(of_bucket(keeper, **different))
    assert place is not None
    with pytest.raises(PlaceFailed, match=words):
        place.put(archive(tmp_path, NAMES[0], b"x"))
    assert keeper.kept == {}


def test_a_folder_that_is_not_mounted_is_not_made(tmp_path: Path) -> None:
    place = places.Folder(tmp_path / "nowhere")
    with pytest.raises(PlaceFailed, match="Is the disk mounted"):
        place.put(archive(tmp_path, NAMES[0], b"x"))
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    ("environ", "wrong"),
    [
        ({"BACKUP_TO": "/data/elsewhere"}, {"BACKUP_TO"}),
        ({"BACKUP_TO": "ftp://x"}, {"BACKUP_TO"}),
        ({"BACKUP_TO": "s3://bucket"}, {"BACKUP_S3_ENDPOINT", "BACKUP_S3_KEY", "BACKUP_S3_SECRET"}),
    ],
)
def test_a_place_that_can_not_be_one_is_told_at_the_start(environ: dict[str, str], wrong: set[str]) -> None:
    with pytest.raises(BadSettings) as told:
        config.load(environ)
    assert {problem.name for problem in told.value.problems} == wrong


@pytest.fixture
def to(settings: Settings, folder: Path, database: Database, tmp_path: Path) -> Make:
    """The same desk with its backups copied to a folder."""

    def made(place: Path) -> Settings:
        environ: dict[str, Any] = {"DATABASE_URL": database.dsn, "DATA_DIR": str(folder), "RUN_DIR": str(folder / "run")}
        return config.load(environ | {"BACKUP_TO": str(place), "BACKUP_KEEP": "2"}, secrets=folder / "none")

    return made


@pytest.mark.usefixtures("programs", "room")
def test_a_good_backup_is_copied_and_so_many_are_kept_there(database: Database, to: Make, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    for name in [*NAMES[:2], "theirs.txt"]:
        archive(there, name, b"x")
    made = making.make(database, to(there))
    assert (made["state"], made["problem"], made["copied_to"]) == (BackupState.SOUND, None, str(there))
    assert sorted(path.name for path in there.iterdir()) == [NAMES[1], made["name"], "theirs.txt"]
    assert (there / made["name"]).read_bytes() == (to(there).data_dir / "backups" / made["name"]).read_bytes()


@pytest.mark.usefixtures("programs", "room")
def test_one_that_could_not_be_copied_is_kept_here_and_told(database: Database, to: Make, tmp_path: Path) -> None:
    made = making.make(database, to(tmp_path / "nowhere"))
    assert (made["state"], made["copied_to"]) == (BackupState.SOUND, None)
    assert made["problem"].startswith("It could not be copied. There is no folder")

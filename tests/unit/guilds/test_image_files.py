"""Files of chain images: complete and checked or not there, and bounded together."""

import os
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from markov_shard.errors import DamagedImageError, SettingsError
from markov_shard.guilds.image_files import ImageFiles
from markov_shard.store.images import ImageRow


def row(data: bytes, *, guild: int = 1, version: int = 1) -> ImageRow:
    return ImageRow(guild, "general", version, 1, 0, 2, 1, len(data), zlib.crc32(data))


async def pieces(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_an_image_received_in_pieces_is_mapped_whole(tmp_path: Path) -> None:
    files, data = ImageFiles(tmp_path), os.urandom(10_500)
    await files.receive(row(data), pieces(data), "here")
    mapped = files.open(row(data))
    assert mapped is not None
    assert mapped[:] == data
    assert files.is_sound(row(data))
    assert names(tmp_path) == {"1-general-v1.chain"}


@pytest.mark.parametrize("came", [b"a" * 99, b"a" * 100 + b"b", b"b" * 100, b""])
async def test_what_is_not_the_published_image_is_not_kept(tmp_path: Path, came: bytes) -> None:
    files = ImageFiles(tmp_path)
    with pytest.raises(DamagedImageError, match=r"general v1 of guild 1 in Redis is damaged"):
        await files.receive(row(b"a" * 100), pieces(came), "Redis")
    assert names(tmp_path) == set()


async def test_a_source_that_fails_leaves_nothing(tmp_path: Path) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"a"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await ImageFiles(tmp_path).receive(row(b"aa"), failing(), "here")
    assert names(tmp_path) == set()


async def test_a_file_that_changed_since_is_not_sound(tmp_path: Path) -> None:
    files, data = ImageFiles(tmp_path), os.urandom(300_000)
    await files.receive(row(data), pieces(data, 100_000), "here")
    path = files.path(1, "general", 1)
    path.write_bytes(data[:200_000] + bytes([data[200_000] ^ 1]) + data[200_001:])
    assert files.open(row(data)) is not None  # its length is right, and nobody has read it through
    assert not files.is_sound(row(data))


async def test_a_newer_image_replaces_all_but_the_one_before_it(tmp_path: Path) -> None:
    files = ImageFiles(tmp_path)
    for version in (1, 2, 3):
        await files.receive(row(b"x", version=version), pieces(b"x"), "here")
    assert names(tmp_path) == {"1-general-v2.chain", "1-general-v3.chain"}


async def test_files_used_from_longest_ago_go_when_there_are_too_many_bytes(tmp_path: Path) -> None:
    files, data = ImageFiles(tmp_path, limit=2500), b"x" * 1000
    for guild in (1, 2):
        await files.receive(row(data, guild=guild), pieces(data), "here")
        os.utime(files.path(guild, "general", 1), (guild, guild))
    assert files.open(row(data, guild=1)) is not None  # used just now
    await files.receive(row(data, guild=3), pieces(data), "here")
    assert names(tmp_path) == {"1-general-v1.chain", "3-general-v1.chain"}


async def test_an_image_larger_than_the_limit_is_kept_while_it_is_the_newest(tmp_path: Path) -> None:
    files, data = ImageFiles(tmp_path, limit=100), b"x" * 1000
    await files.receive(row(data, guild=1), pieces(data), "here")
    assert names(tmp_path) == {"1-general-v1.chain"}
    await files.receive(row(b"x", guild=2), pieces(b"x"), "here")
    assert names(tmp_path) == {"2-general-v1.chain"}


async def test_what_a_dead_process_left_unfinished_is_swept(tmp_path: Path) -> None:
    old, young = tmp_path / ".old.tmp", tmp_path / ".young.tmp"
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(old, (0, 0))
    await ImageFiles(tmp_path).receive(row(b"x"), pieces(b"x"), "here")
    assert names(tmp_path) == {".young.tmp", "1-general-v1.chain"}


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SettingsError, match=r"file/images cannot be written: .*DATA_DIR"):
        ImageFiles(tmp_path / "file" / "images")

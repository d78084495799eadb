"""Chain images as files that are mapped, not read: one copy on disk and in the page cache for all processes."""

import asyncio
import contextlib
import errno
import mmap
import os
import re
import tempfile
import time
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

from markov_shard.errors import SettingsError
from markov_shard.store.images import CHUNK_BYTES, Audience, ImageRow, check_image

_NAME = re.compile(r"(?P<guild>\d+)-(?P<audience>general|all)-v(?P<version>\d+)\.chain")
_READ_BYTES = 1 << 16  # small enough to be given back by the thread that read it
_ABANDONED_SECONDS = 3600.0  # a file still being written after so long was left by a process that died


class ImageFiles:
    """The directory of image files that the processes of one host share.

    A file appears complete and checked or not at all (written beside, then renamed), and is never changed
    afterwards. Together the files take `limit` bytes at most, but for the newest: those mapped from longest ago go.
    """

    def __init__(self, folder: Path, *, limit: int = 1 << 40) -> None:
        self.folder = folder
        self._limit = limit
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError(errno.EACCES, "it is another user's")
        except OSError as error:
            raise SettingsError(
                f"{folder} cannot be written: {error.strerror}; set DATA_DIR to a directory that can"
            ) from None

    def path(self, guild_id: int, audience: Audience, version: int) -> Path:
        """Where that image's file is, or would be."""
        return self.folder / f"{guild_id}-{audience}-v{version}.chain"

    def open(self, image: ImageRow) -> mmap.mmap | None:
        """The mapped file of an image; None when there is none of the published length."""
        path = self.path(image.guild_id, image.audience, image.version)
        try:
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_size != image.bytes:
                    return None
                with contextlib.suppress(OSError):  # another user's file
                    os.utime(file.fileno())
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (FileNotFoundError, ValueError):
            return None

    def is_sound(self, image: ImageRow) -> bool:
        """Reads the file through and compares its checksum; reading, unlike looking, maps nothing into memory."""
        try:
            return _checksum(self.path(image.guild_id, image.audience, image.version)) == (image.bytes, image.crc32)
        except FileNotFoundError:
            return True  # dropped meanwhile

    async def receive(self, image: ImageRow, chunks: AsyncIterator[bytes], place: str) -> None:
        """Writes an image as it comes in, a chunk at a time, and keeps it if it is the published one.

        Raises DamagedImageError, naming the image and the `place` it came from, when it is not; and what `chunks`
        raises. Drops the files of the guild's earlier images.
        """
        descriptor, name = await asyncio.to_thread(tempfile.mkstemp, dir=self.folder, prefix=".", suffix=".tmp")
        checksum = size = 0
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                async for chunk in chunks:
                    checksum = await asyncio.to_thread(_write, file.fileno(), chunk, checksum)
                    size += len(chunk)
            check_image(image, size, checksum, place)
            await asyncio.to_thread(self._keep, Path(name), image)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                await asyncio.to_thread(os.unlink, name)
            raise

    def _keep(self, written: Path, image: ImageRow) -> None:
        path = self.path(image.guild_id, image.audience, image.version)
        written.replace(path)
        self.drop(image.guild_id, image.audience, before=image.version - 1)
        self._trim(path)

    def chunk(self, image: ImageRow, number: int) -> bytes:
        """A piece of the image's file; empty past its end. Raises FileNotFoundError when it was dropped."""
        with self.path(image.guild_id, image.audience, image.version).open("rb") as file:
            return os.pread(file.fileno(), CHUNK_BYTES, number * CHUNK_BYTES)

    def guilds(self) -> set[int]:
        """The guilds that have files here."""
        return {int(match["guild"]) for path in self.folder.iterdir() if (match := _NAME.fullmatch(path.name))}

    def drop(self, guild_id: int, audience: Audience | None = None, *, before: int | None = None) -> int:
        """Removes a guild's files, all of them or those of versions below `before`; returns how many.

        A process that has one mapped keeps its mapping: the bytes go when the last mapping does.
        """
        dropped = 0
        for path in self.folder.glob(f"{guild_id}-*.chain"):
            match = _NAME.fullmatch(path.name)
            if not match or (audience and match["audience"] != audience):
                continue
            if before is None or int(match["version"]) < before:
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()
                    dropped += 1
        return dropped

    def _trim(self, newest: Path) -> None:
        """Removes the files used from longest ago until the limit holds, and what dead processes left unfinished."""
        found: list[tuple[float, int, Path]] = []
        for entry in os.scandir(self.folder):
            with contextlib.suppress(FileNotFoundError):
                stat = entry.stat()
                if entry.name.endswith(".tmp") and stat.st_mtime < time.time() - _ABANDONED_SECONDS:
                    Path(entry.path).unlink()
                elif _NAME.fullmatch(entry.name):
                    found.append((stat.st_mtime, stat.st_size, Path(entry.path)))
        used = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if used <= self._limit:
                return
            if path != newest:
                path.unlink(missing_ok=True)
                used -= size


def _write(descriptor: int, chunk: bytes, checksum: int) -> int:
    left = memoryview(chunk)
    while left:
        left = left[os.write(descriptor, left) :]
    return zlib.crc32(chunk, checksum)


def _checksum(path: Path) -> tuple[int, int]:
    checksum = size = 0
    buffer = memoryview(bytearray(_READ_BYTES))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            checksum, size = zlib.crc32(buffer[:count], checksum), size + count
    return size, checksum

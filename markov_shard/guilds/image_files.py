"""Chain images as files that are mapped, not read: one copy on disk and in the page cache for all processes."""

import contextlib
import mmap
import os
import re
import tempfile
from pathlib import Path

from markov_shard.store.images import Audience, ImageRow

_NAME = re.compile(r"(?P<guild>\d+)-(?P<audience>general|all)-v(?P<version>\d+)\.chain")


class ImageFiles:
    """The directory of image files that the processes of one host share.

    A file appears complete or not at all (written beside, synced, renamed) and is never changed afterwards.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

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
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (FileNotFoundError, ValueError):
            return None

    def write(self, image: ImageRow, data: bytes) -> None:
        """Keeps checked bytes as the image's file, and drops the files of the guild's earlier images."""
        path = self.path(image.guild_id, image.audience, image.version)
        descriptor, name = tempfile.mkstemp(dir=self.folder, prefix=".", suffix=".tmp")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        self.drop(image.guild_id, image.audience, before=image.version - 1)

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

"""Reading files that may be packed, and may be made to do harm: gzip, bounded in what it unpacks to, and long lines."""

import gzip
import io
from collections.abc import Iterator
from pathlib import Path

from markov_shard.errors import TrainingInputError

MAX_LINE = 16 << 20
"""Bytes of a line of JSON lines at most."""
_GZIP = b"\x1f\x8b"
_ALWAYS_ALLOWED = 64 << 20
_MAX_RATIO = 200
"""Chat packs to a fifth or a tenth of its size; a file made to fill memories and disks to a thousandth."""
_BUFFER = 1 << 18


def open_unpacked(path: Path) -> io.BufferedReader:
    """The file's content, unpacked where it is gzip. Raises OSError; reading raises TrainingInputError for a bomb."""
    with path.open("rb") as file:
        zipped = file.read(2) == _GZIP
    if not zipped:
        return io.BufferedReader(path.open("rb", buffering=0), _BUFFER)
    return io.BufferedReader(_Unpacked(path), _BUFFER)


class _Unpacked(io.RawIOBase):
    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._limit = max(_ALWAYS_ALLOWED, path.stat().st_size * _MAX_RATIO)
        self._file = gzip.open(path, "rb")  # noqa: SIM115 - closed with this
        self._unpacked = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        read = self._file.readinto(buffer)
        self._unpacked += read
        if self._unpacked > self._limit:
            raise TrainingInputError(f"{self._name}: a gzip bomb: it unpacks to more than {_MAX_RATIO} times its size")
        return read

    def close(self) -> None:
        self._file.close()
        super().close()


def lines_of(file: io.BufferedReader) -> Iterator[bytes | None]:
    """The lines; None in the place of one that is longer than MAX_LINE, which is not held in memory."""
    while line := file.readline(MAX_LINE):
        if len(line) < MAX_LINE or line.endswith(b"\n"):
            yield line
            continue
        while (rest := file.readline(_BUFFER)) and not rest.endswith(b"\n"):
            pass
        yield None

"""Training files as streams of entries, in constant memory: JSON arrays, JSON lines, gzip, exports.

DiscordChatExporter's format: https://github.com/Tyrrrz/DiscordChatExporter (one JSON object a channel, with
`guild`, `channel` and `messages`).
"""

import codecs
import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

import ijson
import orjson

from markov_shard.errors import TrainingInputError
from markov_shard.training.entries import BadEntryError, Entry, parse_entry, parse_exported

_PEEK = 1 << 16
_PROBLEMS_KEPT = 10

Parsed = tuple[int, Entry | BadEntryError | None]
"""An entry's position, counted from 1, and what is there; None where there is nothing to learn."""


@dataclass
class Survey:
    """What a first reading of a file found."""

    path: Path
    sha256: bytes
    entries: int = 0
    bad: int = 0
    problems: list[str] = field(default_factory=list)
    """The first few bad entries, named by position."""


def training_files(paths: Sequence[Path]) -> list[Path]:
    """The files named, and those in the directories named. Raises TrainingInputError for a missing or empty one."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.name.endswith((".json", ".jsonl", ".json.gz", ".jsonl.gz")))
            if not inside:
                raise TrainingInputError(f"{path}: no .json, .jsonl or gzipped file is in this directory")
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise TrainingInputError(f"{path}: there is no such file")
    return files


def survey(path: Path, on_read: Callable[[int], None] = lambda entries: None) -> Survey:
    """Reads a whole file once, before anything of it is learned. Raises TrainingInputError, naming the place."""
    found = Survey(path, _hash(path))
    for position, parsed in read_entries(path):
        if isinstance(parsed, BadEntryError):
            found.bad += 1
            if len(found.problems) < _PROBLEMS_KEPT:
                found.problems.append(f"{path.name}, entry {position}: {parsed}")
        elif parsed is not None:
            found.entries += 1
        on_read(1)
    if not found.entries:
        what = found.problems[0] if found.problems else f"{path.name}: it holds no message"
        raise TrainingInputError(f"nothing to learn: {what}")
    return found


def _hash(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def read_entries(path: Path) -> Iterator[Parsed]:
    """The file's entries in order. Raises TrainingInputError when it is not what its beginning claims."""
    try:
        with _opened(path) as file:
            if file.peek(3).startswith(codecs.BOM_UTF8):
                file.read(3)
            start = file.peek(_PEEK).lstrip(b" \t\r\n")[:_PEEK]
            if start.startswith(b"["):
                yield from _array(file)
            elif start.startswith(b'"') or (start.startswith(b"{") and _is_line(start)):
                yield from _lines(file)
            elif start.startswith(b"{"):
                yield from _export(file, path)
            else:
                raise TrainingInputError(f"{path.name}: not JSON: it starts with {start[:20]!r}")
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise TrainingInputError(f"{path.name}: not valid JSON: {str(error).splitlines()[0]}") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TrainingInputError(f"{path.name}: damaged gzip file: {error}") from None
    except OSError as error:
        raise TrainingInputError(f"{path}: cannot be read: {error.strerror or error}") from None


def _opened(path: Path) -> Any:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")


def _is_line(start: bytes) -> bool:
    """Whether the first line is a whole entry, as in JSON lines; an export is one object over the whole file."""
    line = start.partition(b"\n")[0]
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, dict) and "messages" not in value


def _judged(position: int, value: object, parse: Callable[[object], Entry | None]) -> Parsed:
    try:
        return position, parse(value)
    except BadEntryError as error:
        return position, error


def _array(file: IO[bytes]) -> Iterator[Parsed]:
    for position, value in enumerate(ijson.items(file, "item", use_float=True), start=1):
        yield _judged(position, value, parse_entry)


def _lines(file: IO[bytes]) -> Iterator[Parsed]:
    for position, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            yield position, BadEntryError(f"not valid JSON: {error}")
            continue
        yield _judged(position, value, parse_entry)


def _export(file: IO[bytes], path: Path) -> Iterator[Parsed]:
    channel: int | None = None
    position, seen = 0, False
    builder: Any = None
    for prefix, event, value in ijson.parse(file, use_float=True):
        if prefix == "channel.id" and isinstance(value, str) and value.isdigit():
            channel = int(value)
        elif prefix == "messages" and event == "start_array":
            seen = True
        elif prefix == "messages.item" and event == "start_map":
            builder = ijson.ObjectBuilder()
        if builder is not None:
            builder.event(event, value)
        if prefix == "messages.item" and event == "end_map":
            position += 1
            exported, builder = builder.value, None
            yield _judged(position, exported, partial(parse_exported, channel_id=channel))
    if not seen:
        raise TrainingInputError(
            f"{path.name}: neither messages nor an export: a JSON object without a `messages` array"
        )

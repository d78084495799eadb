"""Training files, whatever their format: what is in them, and whether they are what they claim to be."""

import codecs
import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import ijson

from markov_shard.errors import TrainingInputError
from markov_shard.training.entries import BadEntryError
from markov_shard.training.formats import (
    Parsed,
    array_entries,
    export_entries,
    is_line,
    line_entries,
    read_head,
)
from markov_shard.training.nesting import ShallowReader
from markov_shard.training.old_bot import MAGIC, OldChannel, old_bot_channels, old_bot_entries
from markov_shard.training.unpacking import open_unpacked

_PEEK = 1 << 16
_PROBLEMS_KEPT = 10
_SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz", ".sqlite", ".sqlite3")


@dataclass
class Survey:
    """What a first reading of a file found."""

    path: Path
    sha256: bytes
    entries: int = 0
    bad: int = 0
    problems: list[str] = field(default_factory=list)
    """The first few bad entries, named by position."""
    channels: Sequence[OldChannel] = ()
    """Channels that the file says to listen to."""
    guild_id: int | None = None
    """The guild that the messages are of, where the file tells."""
    for_guild: int | None = None
    """The guild that it was read for."""


def training_files(paths: Sequence[Path]) -> list[Path]:
    """The files named, and those in the directories named. Raises TrainingInputError for a missing or empty one."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.name.endswith(_SUFFIXES) and p.is_file())
            if not inside:
                raise TrainingInputError(f"{path}: no .json, .jsonl, gzipped or .sqlite file is in this directory")
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise TrainingInputError(f"{path}: there is no such file")
    return files


def survey(path: Path, on_read: Callable[[int], None] = lambda entries: None, *, guild_id: int | None = None) -> Survey:
    """Reads a whole file once, before anything of it is learned. Raises TrainingInputError, naming the place."""
    found = Survey(path, _hash(path), for_guild=guild_id)
    for position, parsed in read_entries(path, guild_id):
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
    if _starts_with(path, MAGIC):
        found.channels = old_bot_channels(path, guild_id)
    else:
        found.guild_id = _guild_of_export(path)
    return found


def _hash(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise TrainingInputError(f"{path}: cannot be read: {error.strerror or error}") from None


def _starts_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def _guild_of_export(path: Path) -> int | None:
    with open_unpacked(path) as file:
        start = _start(file)
        if not start.startswith(b"{") or is_line(start):
            return None
        head = read_head(ShallowReader(file, path.name))
    return head.guild_id if head else None


def _start(file: io.BufferedReader) -> bytes:
    """The beginning without white space; what comes before it is read over."""
    if file.peek(3).startswith(codecs.BOM_UTF8):
        file.read(3)
    return file.peek(_PEEK).lstrip(b" \t\r\n")[:_PEEK]


def read_entries(path: Path, guild_id: int | None = None) -> Iterator[Parsed]:
    """The file's entries in order; of an old bot's file those of the guild.

    Raises TrainingInputError when it is not what its beginning claims.
    """
    try:
        if _starts_with(path, MAGIC):
            yield from old_bot_entries(path, guild_id)
            return
        with open_unpacked(path) as file:
            yield from _json_entries(file, path)
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise TrainingInputError(f"{path.name}: not valid JSON: {str(error).splitlines()[0]}") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TrainingInputError(f"{path.name}: damaged gzip file: {error}") from None
    except OSError as error:
        raise TrainingInputError(f"{path}: cannot be read: {error.strerror or error}") from None


def _json_entries(file: io.BufferedReader, path: Path) -> Iterator[Parsed]:
    start = _start(file)
    if start.startswith(b"["):
        yield from array_entries(ShallowReader(file, path.name))
    elif start.startswith(b'"') or (start.startswith(b"{") and is_line(start)):
        yield from line_entries(file)
    elif start.startswith(b"{"):
        head = read_head(ShallowReader(file, path.name))
        if head is None:
            raise TrainingInputError(
                f"{path.name}: neither messages nor an export: a JSON object without a `messages` array"
            )
        with open_unpacked(path) as again:
            _start(again)
            yield from export_entries(ShallowReader(again, path.name), head)
    else:
        if start[:100].lower().startswith((b"<!doctype html", b"<html")):
            raise TrainingInputError(f"{path.name}: an HTML page, not a file of messages")
        # Errors are logged and kept, so they quote nothing that somebody may have written.
        raise TrainingInputError(f"{path.name}: not JSON: it begins with neither an array nor an object")

"""The JSON formats of training files, as streams of entries in constant memory.

DiscordChatExporter's format: https://github.com/Tyrrrz/DiscordChatExporter (one JSON object a channel, with
`guild`, `channel` and `messages`).
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import ijson
import orjson

from markov_shard.training.entries import BadEntryError, Entry, foreign_id, parse_entry, parse_exported
from markov_shard.training.nesting import ShallowReader
from markov_shard.training.unpacking import MAX_LINE, lines_of

Parsed = tuple[int, Entry | BadEntryError | None]
"""An entry's position, counted from 1, and what is there; None where there is nothing to learn."""


@dataclass(frozen=True)
class ExportHead:
    """What a DiscordChatExporter export says before its messages."""

    guild_id: int | None
    channel_id: int | None


def array_entries(file: ShallowReader) -> Iterator[Parsed]:
    """The items of a JSON array."""
    for position, value in enumerate(ijson.items(file, "item", use_float=True), start=1):
        yield _judged(position, value, parse_entry)


def line_entries(file: io.BufferedReader) -> Iterator[Parsed]:
    """The lines of JSON lines; empty ones are passed over."""
    for position, line in enumerate(lines_of(file), start=1):
        if line is None:
            yield position, BadEntryError(f"is longer than {MAX_LINE >> 20} MiB")
            continue
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            if line.strip():
                yield position, BadEntryError(f"not valid JSON: {error}")
            continue
        yield _judged(position, value, parse_entry)


def read_head(file: ShallowReader) -> ExportHead | None:
    """What an export says before its `messages`; None for a JSON object that has none."""
    guild: int | None = None
    channel: int | None = None
    for prefix, event, value in ijson.parse(file, use_float=True):
        if prefix == "guild.id":
            guild = foreign_id(value)
        elif prefix == "channel.id":
            channel = foreign_id(value)
        elif prefix == "messages" and event == "start_array":
            return ExportHead(guild, channel)
    return None


def export_entries(file: ShallowReader, head: ExportHead) -> Iterator[Parsed]:
    """The messages of an export, from the beginning of its file."""
    parse = partial(parse_exported, channel_id=head.channel_id)
    for position, value in enumerate(ijson.items(file, "messages.item", use_float=True), start=1):
        yield _judged(position, value, parse)


def is_line(start: bytes) -> bool:
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

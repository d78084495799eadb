"""The SQLite file that the best-known single-process Markov bot keeps, as a stream of entries.

`markov_input_data` holds the messages of all its guilds: `string`, `custom` (JSON with `attachments`), `markovId`
(the guild) and `tags`, comma-separated IDs: message, thread if it was one, channel, guild; or the guild alone for
what was learned from a file. `channel` holds which channels it listens to; a fork also has `autoRespond`.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from markov_shard.errors import TrainingInputError
from markov_shard.training.entries import BadEntryError, Entry, attachment_urls, checked_text, foreign_id
from markov_shard.training.formats import Parsed

MAGIC = b"SQLite format 3\0"
_ROWS_AT_ONCE = 1000
_MAX_FIELD = 32 << 20
_NEEDED = {"string", "tags", "custom", "markovId"}


@dataclass(frozen=True)
class OldChannel:
    """A channel's settings in the old bot."""

    channel_id: int
    listen: bool
    autorespond: bool


def old_bot_entries(path: Path, guild_id: int | None) -> Iterator[Parsed]:
    """The messages that the file has of the guild; without one, those of its only guild.

    Raises TrainingInputError for a file of another schema, and for one without the guild.
    """
    try:
        with closing(_connect(path)) as connection:
            wanted = str(_guild(connection, path, guild_id))
            rows = connection.execute("SELECT string, tags, custom, markovId FROM markov_input_data ORDER BY id")
            position = 0
            while batch := rows.fetchmany(_ROWS_AT_ONCE):
                for row in batch:
                    position += 1
                    if _guild_of(row) == wanted:
                        yield position, _judged(row)
    except sqlite3.Error as error:
        raise TrainingInputError(f"{path.name}: not a readable SQLite file: {error}") from None


def old_bot_channels(path: Path, guild_id: int | None) -> list[OldChannel]:
    """The channels of the guild that the old bot listens to or answers in by itself."""
    try:
        with closing(_connect(path)) as connection:
            columns = _columns(connection, "channel")
            if not {"id", "listen", "guildId"} <= columns:
                return []
            answers = '"autoRespond"' if "autoRespond" in columns else "0"
            wanted = str(_guild(connection, path, guild_id))
            rows = connection.execute(f"SELECT id, listen, {answers} FROM channel WHERE guildId = ?", (wanted,))  # noqa: S608 - one of two constants
            found = [OldChannel(foreign_id(row[0]) or 0, bool(row[1]), bool(row[2])) for row in rows]
    except sqlite3.Error as error:
        raise TrainingInputError(f"{path.name}: not a readable SQLite file: {error}") from None
    return [channel for channel in found if channel.channel_id and (channel.listen or channel.autorespond)]


def _connect(path: Path) -> sqlite3.Connection:
    """Read-only, and believing nothing that the file says of itself: it may come from anybody."""
    place = f"file:{quote(str(path.absolute()))}?mode=ro"
    try:
        connection = sqlite3.connect(place, uri=True, check_same_thread=False)
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1")
    except sqlite3.OperationalError:  # in write-ahead mode, in a folder that may not be written
        connection = sqlite3.connect(f"{place}&immutable=1", uri=True, check_same_thread=False)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_FIELD)
    connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    return connection


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    """The columns of a table; none for a view of that name."""
    is_table = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone()
    rows = connection.execute("SELECT name FROM pragma_table_info(?)", (table,)) if is_table else ()
    return {str(row[0]) for row in rows}


def _guild(connection: sqlite3.Connection, path: Path, guild_id: int | None) -> int:
    if not _columns(connection, "markov_input_data") >= _NEEDED:
        raise TrainingInputError(
            f"{path.name}: an SQLite file of another schema, without the old bot's table markov_input_data"
        )
    found = [row[0] for row in connection.execute("SELECT DISTINCT markovId FROM markov_input_data LIMIT 1000")]
    guilds: list[int] = sorted(guild for guild in map(foreign_id, found) if guild is not None)
    if guild_id is None and len(guilds) == 1:
        return guilds[0]
    if guild_id not in guilds:
        known = ", ".join(map(str, guilds[:5])) + (" and others" if len(guilds) > 5 else "")
        raise TrainingInputError(
            f"{path.name}: holds no message of guild {guild_id}" + (f"; it is of guild {known}" if known else "")
        )
    assert guild_id is not None
    return guild_id


def _guild_of(row: Any) -> str:
    return str(row[3] if row[3] is not None else (row[1] or "").rpartition(",")[2])


def _judged(row: Any) -> Entry | BadEntryError | None:
    try:
        return _entry(row[0], row[1], row[2])
    except BadEntryError as error:
        return error


def _entry(text: object, tags: object, custom: object) -> Entry | None:
    string = checked_text(text)
    if not string.split():
        return None
    ids = [foreign_id(tag) for tag in str(tags or "").split(",")]
    if len(ids) in (3, 4) and None not in ids:
        thread = ids[1] if len(ids) == 4 else None
        return Entry(
            string, ids[0], None, thread or ids[-2], _attachments(custom), parent_id=ids[-2] if thread else None
        )
    if len(ids) == 1:
        return Entry(string, attachments=_attachments(custom))  # learned from a file
    raise BadEntryError("its tags are not the IDs of message, channel and guild")


def _attachments(custom: object) -> tuple[str, ...]:
    if not isinstance(custom, str):
        return ()
    try:
        value = orjson.loads(custom)
    except orjson.JSONDecodeError:
        return ()
    return attachment_urls(value.get("attachments")) if isinstance(value, dict) else ()

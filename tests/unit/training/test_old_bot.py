"""The file of the old bot: messages with their tags, and the channels it listened to."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from markov_shard.errors import TrainingInputError
from markov_shard.training.entries import BadEntryError, Entry
from markov_shard.training.files import read_entries, survey
from markov_shard.training.old_bot import OldChannel

GUILD, OTHER = 123456789012345678, 123456789012345679
REAL = Path(__file__).parents[4] / "shared" / "data" / "old-bot.sqlite"
Row = tuple[str, str | None, str | None, str | None]


def make(path: Path, rows: Sequence[Row], *, fork: bool = False) -> Path:
    """A file as the old bot leaves it: its tables, as far as they matter here."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TABLE markov_input_data (id integer PRIMARY KEY AUTOINCREMENT NOT NULL, string varchar NOT NULL,"
            " tags text, custom text, markovId text)"
        )
        more = ", autoRespond boolean NOT NULL DEFAULT (0)" if fork else ""
        connection.execute(
            f"CREATE TABLE channel (id text PRIMARY KEY NOT NULL, listen boolean NOT NULL, guildId text{more})"
        )
        connection.executemany(
            "INSERT INTO markov_input_data (string, tags, custom, markovId) VALUES (?, ?, ?, ?)", rows
        )
        channels = [("31", 1, str(GUILD)), ("32", 0, str(GUILD)), ("33", 1, str(OTHER))]
        connection.executemany("INSERT INTO channel (id, listen, guildId) VALUES (?, ?, ?)", channels)
        if fork:
            connection.execute("UPDATE channel SET autoRespond = 1 WHERE id = '32'")
    return path


ROWS: list[Row] = [
    ("said in a channel", f"11,31,{GUILD}", json.dumps({"attachments": ["https://cdn/a.png"]}), str(GUILD)),
    ("said in a thread", f"12,41,31,{GUILD}", None, str(GUILD)),
    ("from a file", str(GUILD), "not json", str(GUILD)),
    ("of another guild", f"13,33,{OTHER}", None, str(OTHER)),
    ("with odd tags", "a,b", None, str(GUILD)),
    (" ", f"14,31,{GUILD}", None, str(GUILD)),
]


def test_tags_say_where_a_message_was_said(tmp_path: Path) -> None:
    parsed = list(read_entries(make(tmp_path / "db.sqlite3", ROWS), GUILD))
    assert [position for position, _ in parsed] == [1, 2, 3, 5, 6]
    assert [value for _, value in parsed[:3]] == [
        Entry("said in a channel", 11, None, 31, ("https://cdn/a.png",)),
        Entry("said in a thread", 12, None, 41, (), 31),
        Entry("from a file"),
    ]
    assert isinstance(parsed[3][1], BadEntryError)
    assert parsed[4][1] is None


@pytest.mark.parametrize("fork", [False, True])
def test_channels_listened_to_are_taken_over_those_of_the_fork_too(tmp_path: Path, fork: bool) -> None:
    found = survey(make(tmp_path / "db.sqlite", ROWS, fork=fork), guild_id=GUILD)
    expected = [OldChannel(31, listen=True, autorespond=False)]
    assert list(found.channels) == expected + ([OldChannel(32, listen=False, autorespond=True)] if fork else [])
    assert (found.entries, found.bad) == (3, 1)


def test_a_guild_learns_nothing_of_another(tmp_path: Path) -> None:
    path = make(tmp_path / "db.sqlite", ROWS)
    assert [value for _, value in read_entries(path, OTHER)] == [Entry("of another guild", 13, None, 33)]
    with pytest.raises(TrainingInputError, match=f"no message of guild 5; it is of guild {GUILD}, {OTHER}"):
        survey(path, guild_id=5)


def test_invalid_text_is_a_bad_entry(tmp_path: Path) -> None:
    path = make(tmp_path / "db.sqlite", ROWS)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE markov_input_data SET string = CAST(x'61ff62' AS TEXT) WHERE id = 1")
        connection.execute("UPDATE markov_input_data SET string = x'6162' WHERE id = 2")
    first, second, *_ = (value for _, value in read_entries(path, GUILD))
    assert isinstance(first, BadEntryError)
    assert isinstance(second, BadEntryError)


def test_a_file_in_write_ahead_mode_is_read_with_what_its_log_holds(tmp_path: Path) -> None:
    path = make(tmp_path / "db.sqlite", ROWS)
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("INSERT INTO markov_input_data (string, tags, markovId) VALUES ('late', ?, ?)", (GUILD, GUILD))
        writer.commit()
        assert [value for _, value in read_entries(path, GUILD)][-1] == Entry("late")


@pytest.mark.skipif(not REAL.is_file(), reason="the sample of a real file is not here")
def test_a_real_file() -> None:
    found = survey(REAL, guild_id=GUILD)
    assert (found.entries, found.bad) == (400, 0)
    assert [channel.channel_id for channel in found.channels] == [300000000000000001]

"""Backups with real servers: what comes back is what was there, and nothing is half-restored."""

import os
import stat
from pathlib import Path

import asyncpg
import pytest

from markov_shard.store import dump as dump_module
from markov_shard.store.dump import BackupError, _find, dump, restore
from markov_shard.store.guilds import mark_joined
from markov_shard.store.messages import StoredMessage, learn_messages
from markov_shard.store.pool import Database

GUILD = 81384788765712384


async def fill(url: str) -> None:
    async with await Database.open(url, size=1) as database, database.transaction() as connection:
        await mark_joined(connection, GUILD)
        messages = [StoredMessage(n, 7, 9, f"line {n} \U0001f600", (), False) for n in range(1, 40)]
        await learn_messages(connection, GUILD, messages)


async def rows(url: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(url)
    found = await connection.fetch(
        "SELECT guild_id, message_id, content, learned_seq FROM messages ORDER BY message_id"
    )
    await connection.close()
    return [tuple(row) for row in found]


async def test_a_backup_restores_every_row_and_only_its_owner_may_read_it(
    migrated_url: str, database_url: str, tmp_path: Path
) -> None:
    await fill(migrated_url)
    file = tmp_path / "fleet.backup"
    assert await dump(migrated_url, file) == file.stat().st_size
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    assert await restore(database_url, file) == []
    assert await rows(database_url) == await rows(migrated_url) != []


async def test_a_database_with_something_in_it_is_left_alone(migrated_url: str, tmp_path: Path) -> None:
    await fill(migrated_url)
    before = await rows(migrated_url)
    file = tmp_path / "fleet.backup"
    await dump(migrated_url, file)
    with pytest.raises(BackupError, match="is not empty"):
        await restore(migrated_url, file)
    assert await rows(migrated_url) == before


async def test_a_damaged_backup_restores_nothing(migrated_url: str, database_url: str, tmp_path: Path) -> None:
    await fill(migrated_url)
    file = tmp_path / "fleet.backup"
    size = await dump(migrated_url, file)
    os.truncate(file, size * 3 // 4)
    with pytest.raises(BackupError, match="pg_restore failed"):
        await restore(database_url, file)
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    await connection.close()
    (tmp_path / "text").write_text("hello")
    with pytest.raises(BackupError, match="pg_restore failed"):
        await restore(database_url, tmp_path / "text")
    with pytest.raises(BackupError, match="no such file"):
        await restore(database_url, tmp_path / "missing")


async def test_a_failed_backup_keeps_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "fleet.backup"
    file.write_text("the one before")
    with pytest.raises(BackupError, match="pg_dump failed") as caught:
        await dump("postgresql://someone:hunter22@127.0.0.1:1/nothing", file)
    assert "hunter22" not in str(caught.value)
    assert file.read_text() == "the one before"
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    with pytest.raises(BackupError, match="cannot be written"):
        await dump("postgresql://127.0.0.1:1/nothing", tmp_path / "missing" / "file")


async def test_an_older_server_is_not_asked_for_a_setting_it_does_not_know(
    migrated_url: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers before 17 know no transaction_timeout; here one that every server refuses stands in its place."""
    await fill(migrated_url)
    file = tmp_path / "fleet.backup"
    await dump(migrated_url, file)
    newer = tmp_path / "pg_restore"
    newer.write_text(
        f"#!/bin/sh\n'{_find('pg_restore')}' \"$@\""
        " | sed 's/^SET transaction_timeout = 0;$/SET transaction_timeout_of_tomorrow = 0;/'\n"
    )
    newer.chmod(0o755)
    monkeypatch.setattr(dump_module, "_find", lambda program: str(newer) if program == "pg_restore" else _find(program))
    await restore(database_url, file)
    assert await rows(database_url) == await rows(migrated_url) != []

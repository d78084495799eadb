"""The migration runner against a real server."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from markov_shard.errors import DatabaseUnavailableError, SchemaError
from markov_shard.store.migrate import check_schema, migrate, read_migrations

TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations'"


async def test_forward_then_back_leaves_nothing(database_url: str) -> None:
    steps = [f"{m.version:04}_{m.name}" for m in read_migrations()]
    assert await migrate(database_url) == steps
    assert await migrate(database_url) == []
    assert await migrate(database_url, to=0) == [f"-{step}" for step in reversed(steps)]
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval(TABLES) == 0
    assert await connection.fetchval("SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace") == 0
    await connection.close()


async def test_many_processes_at_once_apply_each_step_once(database_url: str) -> None:
    results = await asyncio.gather(*(migrate(database_url) for _ in range(6)))
    assert sorted(step for result in results for step in result) == [
        f"{m.version:04}_{m.name}" for m in read_migrations()
    ]


async def test_a_step_that_fails_leaves_nothing_of_itself(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "0001_good.up.sql").write_text("CREATE TABLE good (a int)")
    (tmp_path / "0001_good.down.sql").write_text("DROP TABLE good")
    (tmp_path / "0002_bad.up.sql").write_text("CREATE TABLE half (a int); SELECT 1 / 0")
    (tmp_path / "0002_bad.down.sql").write_text("DROP TABLE half")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(database_url, folder=tmp_path)
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval(TABLES) == 1
    assert await connection.fetchval("SELECT max(version) FROM schema_migrations") == 1
    await connection.close()


async def test_a_database_too_new_is_refused(database_url: str) -> None:
    await migrate(database_url)
    connection = await asyncpg.connect(database_url)
    await connection.execute("INSERT INTO schema_migrations VALUES (9999, 'from_the_future', now(), 9999)")
    with pytest.raises(SchemaError, match="at migration 9999, newer than this program"):
        await migrate(database_url)
    with pytest.raises(SchemaError, match="newer"):
        await check_schema(connection, "here")
    await connection.close()


async def test_an_unmigrated_database_says_what_to_run(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    with pytest.raises(SchemaError, match="run `markov-shard migrate`"):
        await check_schema(connection, "here")
    await connection.close()


async def test_an_unreachable_server_is_one_clear_line() -> None:
    with pytest.raises(DatabaseUnavailableError, match=r"Postgres at 127\.0\.0\.1:9/db cannot be used") as caught:
        await migrate("postgresql://user:secret@127.0.0.1:9/db")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["0001_a.up.sql", "1_a.up.sql"])
def test_files_that_do_not_fit_are_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(SchemaError, match=r"a\.up\.sql"):
        read_migrations(tmp_path)


def write_step(folder: Path, name: str, up: str, down: str) -> None:
    (folder / f"{name}.up.sql").write_text(up)
    (folder / f"{name}.down.sql").write_text(down)


def test_a_number_used_twice_is_refused(tmp_path: Path) -> None:
    write_step(tmp_path, "0001_one", "SELECT 1", "SELECT 1")
    write_step(tmp_path, "0001_other", "SELECT 1", "SELECT 1")
    with pytest.raises(SchemaError, match="two migrations have the number 0001"):
        read_migrations(tmp_path)


async def test_a_step_that_came_in_below_the_newest_is_taken(database_url: str, tmp_path: Path) -> None:
    write_step(tmp_path, "0001_one", "CREATE TABLE one (a int)", "DROP TABLE one")
    write_step(tmp_path, "0015_late", "CREATE TABLE late (a int)", "DROP TABLE late")
    assert await migrate(database_url, folder=tmp_path) == ["0001_one", "0015_late"]
    write_step(tmp_path, "0010_merged", "CREATE TABLE merged (a int)", "DROP TABLE merged")
    assert await migrate(database_url, folder=tmp_path) == ["0010_merged"]
    assert await migrate(database_url, folder=tmp_path, to=1) == ["-0015_late", "-0010_merged"]


async def test_a_newer_database_serves_older_programs_unless_a_step_says_otherwise(
    database_url: str, tmp_path: Path
) -> None:
    """The order of an update: the new program migrates, then processes are exchanged one by one."""
    await migrate(database_url)
    newest = read_migrations()[-1].version
    for migration in read_migrations():
        for way, text in (("up", migration.up), ("down", migration.down)):
            (tmp_path / f"{migration.version:04}_{migration.name}.{way}.sql").write_text(text)
    (tmp_path / "9000_widen.up.sql").write_text("ALTER TABLE guilds ADD COLUMN later integer")
    (tmp_path / "9000_widen.down.sql").write_text("ALTER TABLE guilds DROP COLUMN later")
    assert await migrate(database_url, folder=tmp_path) == ["9000_widen"]
    connection = await asyncpg.connect(database_url)
    await check_schema(connection, "here")
    assert await migrate(database_url) == []
    (tmp_path / "9001_narrow.up.sql").write_text("-- works-from: 9000\nALTER TABLE guilds DROP COLUMN later")
    (tmp_path / "9001_narrow.down.sql").write_text("ALTER TABLE guilds ADD COLUMN later integer")
    await migrate(database_url, folder=tmp_path)
    with pytest.raises(SchemaError, match=f"at migration 9001, newer than this program's {newest} and not for it"):
        await check_schema(connection, "here")
    await connection.close()


def test_a_step_cannot_work_from_a_later_one(tmp_path: Path) -> None:
    (tmp_path / "0001_a.up.sql").write_text("-- works-from: 0002\nSELECT 1")
    (tmp_path / "0001_a.down.sql").write_text("SELECT 1")
    with pytest.raises(SchemaError, match=r"0001_a\.up\.sql: works from a later migration than itself, 0002"):
        read_migrations(tmp_path)

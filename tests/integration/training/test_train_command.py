"""`markov-shard train` as an operator runs it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from markov_shard.store.guilds import read_guild
from markov_shard.store.jobs import list_jobs
from markov_shard.store.messages import StoredMessage, count_messages, learn_messages
from markov_shard.store.pool import Database
from tests.fleet.processes import Fleet
from tests.integration.training.jobs import GUILD

Train = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def train(command_line: Fleet) -> Train:
    """Runs `markov-shard train GUILD …`: status, standard output, standard error."""
    return partial(command_line.command, "train", str(GUILD))


async def test_a_directory_is_learned_in_figures_and_known_files_are_skipped(
    train: Train, database: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "one.json").write_text(json.dumps(["one fish two fish", 7, "red fish blue fish"]))
    (folder / "two.jsonl").write_text('{"id": "5", "message": "this one has a star"}\n')
    status, out, error = await train(str(folder), "--json")
    assert (status, error) == (0, "skipped one.json, entry 2: is of type int, not a string or an object\n")
    figures = json.loads(out)
    assert (figures["messages"], figures["skipped"], figures["tokens"], figures["transitions"]) == (3, 1, 13, 16)
    assert min(figures["image_bytes"], figures["seconds"], figures["peak_rss_mb"]) > 0
    status, out, error = await train(str(folder / "one.json"), "--keep-existing")
    assert status == 0
    assert "one.json was learned before: skipped (--force reads it again)" in error
    assert out.startswith("learned 0 messages (0 skipped)")
    async with database.connection() as connection:
        guild = await read_guild(connection, GUILD)
        assert await count_messages(connection, GUILD, guild.generation) == 3


async def test_a_bad_file_among_good_ones_is_one_line_and_changes_nothing(
    train: Train, database: Database, tmp_path: Path
) -> None:
    async with database.transaction() as connection:
        await learn_messages(connection, GUILD, [StoredMessage(1, 1, 1, "known before")])
    (tmp_path / "good.json").write_text(json.dumps(["fine"]))
    (tmp_path / "page.json").write_text("<html><body>Not found</body></html>")
    status, out, error = await train(str(tmp_path / "good.json"), str(tmp_path / "page.json"), "--json")
    assert (status, out) == (1, "")
    assert error == "markov-shard: page.json: an HTML page, not a file of messages\n"
    async with database.connection() as connection:
        guild = await read_guild(connection, GUILD)
        assert (guild.generation, guild.training_generation, guild.learned_seq) == (1, None, 1)
        assert await list_jobs(connection, unfinished=False) == []


async def test_killed_it_goes_on_where_it_was(
    train: Train, command_line: Fleet, database: Database, tmp_path: Path
) -> None:
    lines = 40_000
    path = tmp_path / "long.jsonl"
    path.write_bytes(b"".join(b'"line %d of a long file"\n' % n for n in range(lines)))
    killed = await command_line.begin("train", str(GUILD), str(path))
    async with database.connection() as connection:
        while not await count_messages(connection, GUILD, 2):
            await asyncio.sleep(0.01)
    killed.kill()
    await killed.communicate()
    async with database.transaction(isolation="repeatable_read", readonly=True) as snapshot:
        stored = await count_messages(snapshot, GUILD, 2)
        (job,) = await list_jobs(snapshot, unfinished=True)
    assert 0 < stored == job.messages < lines
    status, out, error = await train(str(path), "--json")
    assert (status, error) == (0, "")
    figures = json.loads(out)
    assert (figures["messages"], figures["skipped"]) == (lines, 0)
    async with database.connection() as connection:
        assert await count_messages(connection, GUILD, 2) == lines
        (same,) = await list_jobs(connection, unfinished=False)
    assert (same.job_id, same.state, same.fence) == (job.job_id, "done", 2)

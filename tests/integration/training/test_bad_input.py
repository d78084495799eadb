"""Whatever is attached to `/train` in the place of a training file: told in words, and nothing is changed."""

import gzip
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from markov_shard.runtime import Runtime
from markov_shard.store.messages import StoredMessage, learn_messages
from markov_shard.store.pool import Database
from markov_shard.training.compiling import compile_guild
from markov_shard.training.progress import read_progress
from markov_shard.training.worker import Worker
from tests.fleet.servers import serving
from tests.integration.training.jobs import GUILD, finished, train

TABLES = ("guilds", "messages", "chain_images", "chain_image_chunks", "chain_removals", "tombstones", "channels")


def another_schema(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE chat (id INTEGER, text TEXT)")
        connection.execute("INSERT INTO chat VALUES (1, 'hello there')")


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated.json.gz": (
        lambda path: path.write_bytes(gzip.compress(json.dumps([f"line {n}" for n in range(9000)]).encode())[:-300]),
        "truncated.json.gz: damaged gzip file: Compressed file ended before the end-of-stream marker was reached",
    ),
    "nested.json": (
        lambda path: path.write_text('["fine", ' + "[" * 100_000 + "]" * 100_000 + "]"),
        "nested.json: nested more than 32 deep, as no chat is",
    ),
    "types.json": (
        lambda path: path.write_text("[1, 2.5, null, {}]"),
        "nothing to learn: types.json, entry 1: is of type int, not a string or an object",
    ),
    "object.json": (
        lambda path: path.write_text('{\n"users": []\n}'),
        "object.json: neither messages nor an export: a JSON object without a `messages` array",
    ),
    "page.json": (
        lambda path: path.write_text("<!DOCTYPE html>\n<html><body>This content is no longer available.</body></html>"),
        "page.json: an HTML page, not a file of messages",
    ),
    "bomb.json.gz": (
        lambda path: path.write_bytes(gzip.compress(b"[" + (b'"' + b"a" * (1 << 20) + b'",') * 80)),
        "bomb.json.gz: a gzip bomb: it unpacks to more than 200 times its size",
    ),
    "string.json": (
        lambda path: path.write_text('["' + "a" * (20 << 20) + '"]'),
        "string.json: a string longer than 16 MiB, as no chat has",
    ),
    "schema.sqlite": (
        another_schema,
        "schema.sqlite: an SQLite file of another schema, without the old bot's table markov_input_data",
    ),
    "half.json": (lambda path: path.write_text('["fine", "fine too", "cut o'), "half.json: not valid JSON: "),
}


async def everything(database: Database) -> dict[str, list[Any]]:
    """All that is stored of guilds, but for their jobs."""
    async with database.connection() as connection:
        return {table: await connection.fetch(f"SELECT * FROM {table} ORDER BY 1, 2") for table in TABLES}


@pytest.fixture
async def known(database: Database) -> dict[str, list[Any]]:
    """All that is stored of a guild that has learned something, and has a chain."""
    async with database.transaction() as connection:
        messages = [StoredMessage(n, 1, 1, f"known before, part {n}") for n in range(1, 20)]
        await learn_messages(connection, GUILD, messages)
    await compile_guild(database, GUILD, state_size=2)
    return await everything(database)


@pytest.mark.parametrize("name", REFUSED)
async def test_a_file_that_is_refused_changes_nothing(
    runtime: Runtime, files: str, working: Worker, tmp_path: Path, known: dict[str, list[Any]], name: str
) -> None:
    make, said = REFUSED[name]
    make(tmp_path / name)
    job = await finished(runtime, await train(runtime, f"{files}/{name}", clean=True))
    assert (job.state, job.messages) == ("failed", 0)
    assert job.error is not None
    assert job.error.startswith(said) if said.endswith(" ") else job.error == said
    assert len(job.error.splitlines()) == 1
    assert await everything(runtime.database) == known


async def learned(runtime: Runtime) -> dict[int, str]:
    async with runtime.database.connection() as connection:
        rows = await connection.fetch("SELECT message_id, content FROM messages ORDER BY message_id")
    return {row["message_id"]: row["content"] for row in rows}


async def problems(runtime: Runtime, job_id: int) -> tuple[str, ...]:
    async with runtime.database.connection() as connection:
        return (await read_progress(connection, GUILD, job_id)).problems


async def test_bad_entries_are_named_and_the_rest_is_learned(
    runtime: Runtime, files: str, working: Worker, tmp_path: Path
) -> None:
    entries = [
        {"id": "1", "message": "the first"},
        17,
        {"id": "2", "message": ["not", "text"]},
        {"id": "3", "message": "with a NUL \0 in it"},
        {"id": "4", "message": "with half a surrogate pair \ud83d in it"},
        {"id": "5", "message": "word " * (2 << 20)},
        {"id": "6", "message": "the last"},
    ]
    (tmp_path / "mixed.json").write_text(json.dumps(entries))
    job = await finished(runtime, await train(runtime, f"{files}/mixed.json"))
    assert (job.state, job.messages, job.skipped) == ("done", 2, 5)
    assert await learned(runtime) == {1: "the first", 6: "the last"}
    assert await problems(runtime, job.job_id) == (
        "mixed.json, entry 2: is of type int, not a string or an object",
        "mixed.json, entry 3: its text is of type list, not a string",
        "mixed.json, entry 4: its text contains NUL, or half a surrogate pair",
        "mixed.json, entry 5: its text contains NUL, or half a surrogate pair",
        "mixed.json, entry 6: its text has 10485760 characters; 1048576 are allowed",
    )


async def test_an_id_that_comes_twice_counts_once(
    runtime: Runtime, files: str, working: Worker, tmp_path: Path
) -> None:
    """Whether in the same chunk or in a later one, and whatever its text."""
    entries = [{"id": str(n % 150), "message": f"message {n} of the file"} for n in range(300)]
    (tmp_path / "twice.json").write_text(json.dumps([entries[0], *entries]))
    job = await finished(runtime, await train(runtime, f"{files}/twice.json"))
    assert (job.state, job.messages, job.skipped) == ("done", 150, 151)
    assert await learned(runtime) == {n: f"message {n} of the file" for n in range(150)}


@pytest.fixture
async def inside() -> AsyncIterator[tuple[str, list[str]]]:
    """A server of a private network: its address, and what it was asked for."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response(["a secret of this machine"])

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with serving(app) as url:
        yield url, asked


@pytest.mark.parametrize("status", [302, 308])
async def test_a_redirect_to_a_private_address_is_not_followed(
    runtime: Runtime,
    working: Worker,
    known: dict[str, list[Any]],
    redirects: dict[str, tuple[int, str]],
    files: str,
    inside: tuple[str, list[str]],
    status: int,
) -> None:
    target, asked = inside
    redirects["away.json"] = (status, f"{target}/latest/meta-data.json")
    job = await finished(runtime, await train(runtime, f"{files}/moved/away.json", clean=True))
    assert job.state == "failed"
    assert job.error == f"Discord does not give the file: status {status}, and redirects are not followed"
    assert asked == []
    assert await everything(runtime.database) == known

"""`/forget`: what a member, or a moderator, has removed is gone everywhere."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from discord_sim.state import Message
from markov_shard.chain import Chain, ReferenceChain
from markov_shard.shared.queue import Delivery, JobQueue, Reference
from markov_shard.store.guilds import mark_left
from markov_shard.training.compiling import compile_guild
from markov_shard.training.forgetting import forget_author, purge_guild
from markov_shard.training.handlers import Handlers
from markov_shard.training.pool import WorkPool
from markov_shard.training.requests import request_due_purges, request_due_scrubs
from markov_shard.training.worker import Worker
from tests.integration.bot.harness import Bot, Server, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

LINES = ("the cat sat on the mat", "the dog sat on the log", "the cat ran to the dog", "a dog ran on the mat")
SECRET = ("xyzzy plugh frobnicates nightly", "xyzzy plugh frobnicates daily now", "xyzzy quux frobnicates nightly too")
WORDS = ("xyzzy", "plugh", "frobnicates", "quux")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker(bot: Bot) -> AsyncIterator[Worker]:
    """A worker beside the bot."""
    pool = WorkPool(1, memory_mb=1024)
    working = Worker(
        bot.runtime, Handlers(bot.runtime, pool).by_kind(), loops={"imports": 1, "history": 1, "upkeep": 1}
    )
    stop = asyncio.Event()
    running = asyncio.create_task(working.run(stop))
    yield working
    stop.set()
    await running
    pool.close()


async def taught(bot: Bot) -> Server:
    """A server in which jonas wrote what nobody else did, some of it in an image already, and aiko the rest."""
    server = bot.guild()
    await server.listening()
    await server.learned(*LINES, user="aiko")
    await server.learned(*SECRET[:2], user="jonas")
    await compile_guild(bot.database, server.id, state_size=2)
    await bot.service.guilds.refresh(server.id)
    await server.use("mark", seed="xyzzy")
    await server.learned(SECRET[2], user="jonas")
    return server


async def jobs_done(bot: Bot, server: Server) -> None:
    """Waits until a worker has done what was asked for."""
    async with asyncio.timeout(40), bot.database.connection() as connection:
        while await connection.fetchval(
            "SELECT count(*) FROM jobs WHERE guild_id = $1 AND state IN ('queued', 'running')", server.id
        ):
            await asyncio.sleep(0.02)


async def places_with(bot: Bot, word: str) -> list[str]:
    """Where a word is still found: every table, every key of Redis, every file of images."""
    found = []
    needle = word.encode()
    async with bot.database.connection() as connection:
        tables = await connection.fetch(
            "SELECT c.relname, a.attname, format_type(a.atttypid, NULL) AS kind FROM pg_class c"
            " JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relkind = 'p' AND a.attnum > 0"
            " AND format_type(a.atttypid, NULL) IN ('text', 'jsonb', 'bytea')"
        )
        for table, column, kind in tables:
            text = f"encode({column}, 'escape')" if kind == "bytea" else f"{column}::text"
            rows = await connection.fetchval(f"SELECT count(*) FROM {table} WHERE position($1 in {text}) > 0", word)
            if rows:
                found.append(f"{rows} rows of {table}.{column}")
    redis = bot.runtime.redis
    found += [f"Redis key {key!r}" async for key in redis.scan_iter() if needle in (await redis.dump(key) or b"")]
    folder = bot.runtime.settings.data_dir
    found += [str(path) for path in folder.rglob("*") if path.is_file() and needle in path.read_bytes()]
    return found


async def cached_images(bot: Bot, server: Server) -> set[bytes]:
    """The keys of Redis that hold images of a guild; their content is compressed."""
    return {key async for key in bot.runtime.redis.scan_iter(f"*:{{image:{server.id}:*}}:[0-9]*")}


async def says(server: Server, seed: str, times: int = 20) -> set[str]:
    """Words of answers that start from a seed."""
    return {word for _ in range(times) for word in (await server.use("mark", by="aiko", seed=seed)).text.split()}


async def test_the_search_finds_what_is_there(bot: Bot) -> None:
    server = await taught(bot)
    places = await places_with(bot, "frobnicates")
    assert any("messages" in place for place in places)
    assert any("chain_image_chunks" in place for place in places)
    assert any(place.endswith(".chain") for place in places)
    assert await cached_images(bot, server)
    await server.use("forget me", by="jonas")


Transitions = set[tuple[tuple[str, ...], str | None, int]]


async def transitions(bot: Bot, server: Server) -> Transitions:
    """What the chain that answers knows."""
    owner = bot.service.hosting.owner_of(server.id)
    assert owner is not None
    chain = await bot.service.guilds.chain(server.id, owner)
    assert isinstance(chain, Chain)
    return set(chain.transitions())


def transitions_of(texts: Sequence[str]) -> Transitions:
    """The same, counted plainly."""
    chain = ReferenceChain(state_size=2)
    for text in texts:
        chain.learn(text)
    return set(chain.transitions())


async def failed_training(bot: Bot, server: Server) -> None:
    """A training with the member's words in it goes wrong, and is given up: a dead letter with its job."""
    broken = [SECRET[0].encode(), json.dumps([{"message": "well", "id": SECRET[0]}, LINES[0]]).encode()]
    for file in broken:
        await server.use("train", by="mira", files=[("a.json", file)], json=0, clean=False)
        await jobs_done(bot, server)
    async with bot.database.connection() as connection:
        job_id, error = await connection.fetchrow(
            "SELECT job_id, error FROM jobs WHERE guild_id = $1 AND error IS NOT NULL", server.id
        )
        problems = await connection.fetchval(
            "SELECT payload ->> 'problems' FROM jobs WHERE guild_id = $1 AND payload ? 'problems'", server.id
        )
    assert "not JSON" in error
    assert "not a Discord ID" in problems
    async with bot.database.connection() as connection:  # as an older version put it, which quoted
        error = f"a.json: not JSON: it starts with {SECRET[0]!r}"
        await connection.execute(
            "UPDATE jobs SET error = $2,"
            " payload = payload || jsonb_build_object('problems', jsonb_build_array($2::text))"
            " WHERE guild_id = $1 AND kind = 'import'",
            server.id,
            error,
        )
    queue = JobQueue(bot.runtime.redis, "tests")
    await queue.bury(Delivery("imports", b"1-1", Reference(server.id, job_id)), error)
    assert [letter for letter in await queue.dead_letters() if letter.job_id == job_id]


async def test_forget_me_leaves_nothing_of_a_member_anywhere(
    bot: Bot, worker: Worker, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    server = await taught(bot)
    await failed_training(bot, server)
    before = await cached_images(bot, server)
    assert before
    assert {word for state, *_ in await transitions(bot, server) for word in state} >= set(WORDS)
    seen = await server.use("forget me", by="jonas")
    assert seen.private
    assert "3 messages of yours removed" in seen.text
    assert not await server.rows(author_id=server.user("jonas").id)
    assert not await says(server, "xyzzy") & set(WORDS), "at once, before any worker has done anything"
    assert await transitions(bot, server) == transitions_of((*LINES, LINES[0]))
    await jobs_done(bot, server)
    await until(lambda: not list(Path(bot.runtime.settings.data_dir).rglob(f"{server.id}-*-v1.chain")))
    assert not before & await cached_images(bot, server)
    for word in WORDS:
        assert not await places_with(bot, word)
        assert word not in caplog.text
        assert word not in capsys.readouterr().err
    await bot.service.guilds.refresh(server.id)
    assert await transitions(bot, server) == transitions_of((*LINES, LINES[0])), "and from the new image"
    said = await says(server, "the cat", 60)
    assert said & {"cat", "sat", "ran"}, "what others wrote is still known"
    assert not said & set(WORDS)
    sent = server.write(SECRET[0], user="jonas")
    await server.learned("something else entirely", user="aiko")
    assert not await server.rows(message_id=sent.id), "nothing more is learned"


async def test_forget_undo_learns_again(bot: Bot) -> None:
    server = await taught(bot)
    assert "nothing changed" in (await server.use("forget undo", by="jonas")).text
    await server.use("forget me", by="jonas")
    assert "from now on" in (await server.use("forget undo", by="jonas")).text
    await server.learned("hello again", user="jonas")
    assert len(await server.rows(author_id=server.user("jonas").id)) == 1


async def test_a_member_may_be_forgotten_and_learned_on(bot: Bot) -> None:
    server = await taught(bot)
    await server.use("forget me", by="jonas", keep_learning=True)
    await server.learned("hello again", user="jonas")
    assert len(await server.rows(author_id=server.user("jonas").id)) == 1


async def test_an_opted_out_member_is_not_learned_by_a_file_or_a_history_either(bot: Bot) -> None:
    server = await taught(bot)
    await server.use("forget me", by="jonas")
    async with bot.database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM forgotten_users WHERE guild_id = $1", server.id) == 1
        assert await connection.fetchval("SELECT count(*) FROM tombstones WHERE guild_id = $1", server.id) == 3


def button(message: Message, word: str) -> str:
    return next(b["custom_id"] for b in message.components[0]["components"] if b["label"].startswith(word))


@pytest.mark.parametrize("what", ["user", "channel", "server"])
async def test_moderators_remove_after_a_confirmation(bot: Bot, worker: Worker, what: str) -> None:
    server = bot.guild()
    await server.listening()
    thread = server.thread("talk", "side")
    await server.learned(*LINES, user="aiko")
    await server.learned(SECRET[0], user="jonas", channel="side")
    await server.learned(SECRET[1], user="jonas", channel=thread.name)
    options = {"user": server.user("jonas").id} if what == "user" else {}
    options |= {"channel": server.channel("side").id} if what == "channel" else {}
    refused = await server.use(f"forget {what}", by="jonas", **options)
    assert "Only moderators" in refused.text
    asked = await server.use(f"forget {what}", by="mira", **options)
    assert asked.private
    kept = await server.press(asked.message, button(asked.message, "Keep"))
    assert "Nothing was removed" in kept.text
    assert len(await server.rows()) == 6
    asked = await server.use(f"forget {what}", by="mira", **options)
    removing = button(asked.message, "Remove")
    assert "Only moderators" in (await server.press(asked.message, removing, by="aiko")).text
    done = await server.press(asked.message, removing)
    assert ("6 messages" if what == "server" else "2 messages") in done.text
    await jobs_done(bot, server)
    assert len(await server.rows()) == (0 if what == "server" else 4)
    assert not await says(server, "xyzzy", 3) & set(WORDS)
    if what == "server":
        assert "nothing to say yet" in (await server.use("mark")).text
        await server.learned("a fresh start", user="aiko")
        assert len(await server.rows()) == 1, "the choice of channels stays"


async def test_export_sends_a_member_what_is_stored_of_them(bot: Bot) -> None:
    server = await taught(bot)
    seen = await server.use("forget export", by="jonas")
    assert seen.private
    assert "3 messages of yours" in seen.text
    stored = bot.sim.cdn._files[seen.message.attachments[0].id][1]
    exported = json.loads(stored)
    assert sorted(entry["message"] for entry in exported) == sorted(SECRET)
    assert {entry["author"] for entry in exported} == {str(server.user("jonas").id)}
    empty = await server.use("forget export", by="owner")
    assert "0 messages" in empty.text


async def test_an_operators_command_reaches_the_owner_of_the_guild(bot: Bot) -> None:
    server = await taught(bot)
    assert await forget_author(bot.runtime, server.id, server.user("jonas").id, never_again=True) == 3

    async def forgotten() -> bool:
        return not await says(server, "xyzzy", 3) & set(WORDS)

    async with asyncio.timeout(20):
        while not await forgotten():
            await asyncio.sleep(0.01)


async def test_a_guild_that_removes_the_bot_is_purged_after_the_delay(bot: Bot, worker: Worker) -> None:
    server, other = await taught(bot), await taught(bot)
    bot.sim.places.set_unavailable(other.guild, unavailable=True)  # an outage
    bot.sim.places.remove_member(server.guild, next(iter(bot.sim.world.applications.values())).bot)

    async def left() -> bool:
        async with bot.database.connection() as connection:
            return bool(await connection.fetchval("SELECT left_at FROM guilds WHERE guild_id = $1", server.id))

    async with asyncio.timeout(20):
        while not await left():
            await asyncio.sleep(0.005)
    await request_due_purges(bot.runtime)
    await jobs_done(bot, server)
    assert await server.rows(), "not before seven days have passed"
    async with bot.database.connection() as connection:
        await connection.execute("UPDATE guilds SET left_at = left_at - interval '8 days' WHERE left_at IS NOT NULL")
    await request_due_purges(bot.runtime)
    await jobs_done(bot, server)
    assert not await server.rows()
    async with bot.database.connection() as connection:
        for table in ("guilds", "channels", "chain_images", "chain_image_chunks", "chain_removals", "tombstones"):
            count = await connection.fetchval(f"SELECT count(*) FROM {table} WHERE guild_id = $1", server.id)
            assert count == 0, table
    assert await other.rows(), "an outage purges nothing"


async def test_a_guild_that_took_the_bot_back_is_not_purged(bot: Bot) -> None:
    server = await taught(bot)
    assert await purge_guild(bot.runtime, server.id) == 0
    async with bot.database.connection() as connection:
        await mark_left(connection, server.id)
    assert await purge_guild(bot.runtime, server.id) > 0


async def test_words_of_a_deleted_message_leave_the_image_too(bot: Bot, worker: Worker) -> None:
    server = await taught(bot)
    for message in server.channel("general").messages.page(50):
        if message.content in SECRET:
            bot.sim.chat.delete(server.channel("general"), message.id)
    async with asyncio.timeout(20):
        while await server.rows(author_id=server.user("jonas").id):
            await asyncio.sleep(0.005)
    await request_due_scrubs(bot.runtime)
    await jobs_done(bot, server)
    await until(lambda: not list(Path(bot.runtime.settings.data_dir).rglob(f"{server.id}-*-v1.chain")))
    assert not [place for place in await places_with(bot, "quux") if str(server.id) in place]

"""`/train`, `/train-status` and `/train-cancel`, with a worker beside the bot."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from discord_sim import permissions
from discord_sim.state import Message
from markov_shard.bot import progress
from markov_shard.ownership.runner import OwnedShard
from markov_shard.store.epochs import take_epoch
from markov_shard.store.jobs import Job
from markov_shard.training.handlers import Handlers
from markov_shard.training.pool import WorkPool
from markov_shard.training.progress import ChannelProgress, JobProgress
from markov_shard.training.worker import Worker
from tests.integration.bot.harness import Bot, Seen, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILE = json.dumps([f"file line {number} of the lot {number % 7} here" for number in range(40)]).encode()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def workers(bot: Bot) -> AsyncIterator["Workers"]:
    """Starts and stops a worker as a test needs it."""
    pool = WorkPool(1, memory_mb=1024)
    made = Workers(bot, pool)
    yield made
    await made.stop()
    pool.close()


class Workers:
    """At most one worker."""

    def __init__(self, bot: Bot, pool: WorkPool) -> None:
        self._bot = bot
        self._pool = pool
        self._stop = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._worker: Worker | None = None

    def start(self) -> None:
        if self._running is None:
            self._stop.clear()
            self._worker = Worker(self._bot.runtime, Handlers(self._bot.runtime, self._pool).by_kind())
            self._running = asyncio.create_task(self._worker.run(self._stop))

    @property
    def busy(self) -> bool:
        return self._worker is not None and bool(self._worker.working_on)

    async def stop(self) -> None:
        if self._running is not None:
            self._stop.set()
            await self._running
            self._running = None


def embed_of(message: Message) -> str:
    """All text of a message's embed."""
    embed = message.embeds[0]
    parts = [embed.get("title"), embed.get("description")]
    parts += [part[key] for part in embed.get("fields", ()) for key in ("name", "value")]
    return "\n".join(part or "" for part in parts)


async def done(seen: Seen) -> str:
    """The progress embed, once the job is finished."""
    await until(lambda: seen.message.embeds and "is done" in embed_of(seen.message), what="the end of the training")
    return embed_of(seen.message)


async def test_a_file_is_learned_and_the_embed_tells_how_it_went(bot: Bot, workers: Workers) -> None:
    workers.start()
    server = bot.guild()
    seen = await server.use("train", by="mira", files=[("lines.json", FILE)], json=0)
    assert not seen.private
    text = await done(seen)
    assert "is replaced" in seen.text, "a clean training is announced as such"
    assert "40 learned" in text
    assert "lot" in (await server.use("mark", seed="file line")).text
    assert "is done" in embed_of((await server.use("train-status")).message)


async def test_clean_replaces_and_not_clean_adds(bot: Bot, workers: Workers) -> None:
    workers.start()
    server = bot.guild()
    await server.listening()
    await server.learned("spoken words of before")
    await done(await server.use("train", by="mira", files=[("a.json", FILE)], json=0, clean=False))
    assert len(await server.rows()) == 41
    other = json.dumps(["wholly other words", "wholly new words"]).encode()
    await done(await server.use("train", by="mira", files=[("b.json", other)], json=0, clean=True))
    assert sorted(row["content"] for row in await server.rows()) == ["wholly new words", "wholly other words"]


async def test_the_history_of_the_listened_channels_is_learned(bot: Bot, workers: Workers) -> None:
    workers.start()
    server = bot.guild("general", "side", "hidden")
    for number in range(250):
        server.write(f"old message {number} here", channel="side")
    await server.listening()
    server.deny("hidden", permissions.VIEW_CHANNEL)
    seen = await server.use("train", by="mira")
    text = await done(seen)
    assert "250 learned" in text
    assert "Not readable for me" in text
    assert str(server.channel("hidden").id) in text


async def test_without_a_channel_or_a_file_the_training_says_what_is_missing(bot: Bot, workers: Workers) -> None:
    workers.start()
    seen = await bot.guild().use("train", by="mira")
    await until(lambda: seen.message.embeds and "failed" in embed_of(seen.message))
    assert "/listen add" in embed_of(seen.message)


async def test_a_file_that_is_no_training_file_fails_in_words(bot: Bot, workers: Workers) -> None:
    workers.start()
    seen = await bot.guild().use("train", by="mira", files=[("notes.json", b'{"oh": "no"')], json=0)
    await until(lambda: seen.message.embeds and "failed" in embed_of(seen.message))


@pytest.mark.parametrize("command", ["train", "train-cancel"])
async def test_only_moderators_train(bot: Bot, command: str) -> None:
    seen = await bot.guild().use(command, by="jonas")
    assert seen.private
    assert "Only moderators" in seen.text


async def test_one_training_at_a_time_which_can_be_watched_and_cancelled(bot: Bot, workers: Workers) -> None:
    await workers.stop()
    server = bot.guild()
    assert "not being trained" in (await server.use("train-status")).text
    assert "not being trained" in (await server.use("train-cancel", by="mira")).text
    await server.use("train", by="mira", files=[("a.json", FILE)], json=0)
    again = await server.use("train", by="mira", files=[("b.json", FILE)], json=0)
    assert again.private
    assert "teaching this server already" in again.text
    assert "waits for a worker" in embed_of((await server.use("train-status", by="jonas")).message)
    assert "cancelled" in (await server.use("train-cancel", by="mira")).text
    assert "was cancelled" in embed_of((await server.use("train-status")).message)


async def test_a_training_in_work_is_told_of_and_cancelled_and_what_is_kept_is_said(bot: Bot, workers: Workers) -> None:
    workers.start()
    server = bot.guild()
    long = b"".join(b'"line %d of a long file"\n' % number for number in range(300_000))
    await server.use("train", by="mira", files=[("long.jsonl", long)], json=0, clean=False)
    while not await server.rows():
        await asyncio.sleep(0.02)
    again = await server.use("train", by="owner")
    assert again.private
    assert re.search(r"I cannot start that: job \d+ is teaching this server already; wait until it is done", again.text)
    told = re.fullmatch(
        r"Job \d+ is cancelled; ([\d,]+) messages that it had learned are kept\.",
        (await server.use("train-cancel", by="owner")).text,
    )
    assert told is not None
    kept = int(told[1].replace(",", ""))
    await until(lambda: not workers.busy, what="the end of the work")
    assert 0 < kept == len(await server.rows()) < 300_000


async def test_the_prefix_trains_too(bot: Bot, workers: Workers) -> None:
    workers.start()
    server = bot.guild()
    refused = await server.reply_to(server.write("!mark train", user="jonas"))
    assert "Only moderators" in refused.content
    reply = await server.reply_to(server.write("!mark train", user="mira", files=[("a.json", FILE)]))
    await until(lambda: reply.embeds and "is done" in embed_of(reply))
    assert "40 learned" in embed_of(reply)


async def test_the_embed_lives_on_after_the_interactions_token(
    bot: Bot, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    await workers.stop()
    monkeypatch.setattr(progress, "TOKEN_SECONDS", 0.0)
    server = bot.guild()
    seen = await server.use("train", by="mira", files=[("a.json", FILE)], json=0)
    await until(lambda: bot.sim.journal and server.said())  # a message of its own, which needs no token
    workers.start()
    told = server.said()[0]
    await until(lambda: "is done" in embed_of(told))
    assert "Job" in seen.text


@pytest.mark.parametrize("ended_meanwhile", [False, True])
async def test_the_embed_is_kept_up_to_date_by_the_next_process(
    bot: Bot, workers: Workers, ended_meanwhile: bool
) -> None:
    await workers.stop()
    server = bot.guild()
    seen = await server.use("train", by="mira", files=[("a.json", FILE)], json=0)
    await until(lambda: seen.message.embeds and "waits for a worker" in embed_of(seen.message))
    async with asyncio.timeout(20), bot.database.connection() as connection:
        while not await connection.fetchval("SELECT count(*) FROM progress_messages WHERE guild_id = $1", server.id):
            await asyncio.sleep(0.005)
    await bot.settle()
    await bot.drop()
    bot.service.talking.following.close()
    if ended_meanwhile:
        workers.start()
        async with asyncio.timeout(40), bot.database.connection() as connection:
            while await connection.fetchval(
                "SELECT count(*) FROM jobs WHERE guild_id = $1 AND state IN ('queued', 'running')", server.id
            ):
                await asyncio.sleep(0.02)
    assert "waits for a worker" in embed_of(seen.message)
    async with bot.database.transaction() as connection:
        bot.epoch = await take_epoch(connection, 1, 0, "next")
    await bot.service.hosting.start_shard(OwnedShard(0, 1, bot.epoch))
    workers.start()
    assert "40 learned" in await done(seen)
    async with asyncio.timeout(20), bot.database.connection() as connection:
        while await connection.fetchval("SELECT count(*) FROM progress_messages WHERE guild_id = $1", server.id):
            await asyncio.sleep(0.005)


async def test_the_embed_of_the_longest_job_is_within_discords_limits() -> None:
    longest = progress_of_everything()
    embed = progress.progress_embed(longest, now=lambda: 1.0)
    shown = {part.name: part.value for part in embed.fields}
    assert "12.3%" in shown["Progress"]
    assert shown["Channels"] == "500 of 500 done, now <#4611686018427387904> (50%)"
    assert "days" in shown["Time left"]
    assert embed.total_length() <= 6000
    assert all(len(part.value) <= 1024 for part in embed.fields)
    assert len(embed.description or "") <= 4096


def progress_of_everything() -> JobProgress:
    """A job with as much to tell as there can be."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    job = Job(1, 2**62, "backfill", "history", "running", {}, None, 1, 1, 2**40, 2**40, "x" * 9000, 5, now, now, None)
    channels = ChannelProgress(tuple(range(2**60, 2**60 + 500)), 500, 2**62, 0.5, 1e7)
    return JobProgress(
        job, "learning", 0.123456, 1e9, 1e9, channels, tuple(range(2**60, 2**60 + 500)), ("x" * 400,) * 10
    )

"""What a guild's owner learns and unlearns, against real Redis and Postgres."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from redis.asyncio import Redis

from markov_shard.chain import Chain, ReferenceChain
from markov_shard.guilds.baseline import BaselineChain
from markov_shard.guilds.image_files import ImageFiles
from markov_shard.guilds.learner import Learner
from markov_shard.guilds.opening import ChainOpener
from markov_shard.guilds.owner import Owner
from markov_shard.guilds.registry import Guilds
from markov_shard.shared.image_cache import ImageCache
from markov_shard.store.epochs import take_epoch
from markov_shard.store.messages import StoredMessage, count_messages, learn_messages
from markov_shard.store.pool import Database
from markov_shard.training.compiling import compile_guild

GUILD = 81384788765712384


class Process:
    """One shard process's learning state."""

    def __init__(self, database: Database, redis: Redis, folder: Path, *, memory_limit: int = 1 << 30) -> None:
        self.superseded: list[Owner] = []
        self.learner = Learner(database, debounce=60, batch_size=100, on_superseded=self.superseded.append)
        opener = ChainOpener(database, ImageCache(redis), ImageFiles(folder), 2)
        self.guilds = Guilds(database, opener, self.learner, memory_limit=memory_limit)


async def own(database: Database, name: str) -> Owner:
    async with database.transaction() as connection:
        return Owner(0, 1, await take_epoch(connection, 1, 0, name))


@pytest.fixture
def process(database: Database, redis_client: Redis, tmp_path: Path) -> Process:
    return Process(database, redis_client, tmp_path)


@pytest.fixture
async def owner(database: Database) -> Owner:
    return await own(database, "one")


def message(message_id: int, text: str) -> StoredMessage:
    return StoredMessage(message_id, 1, 2, text)


def transitions(chain: Chain | ReferenceChain) -> Counter[object]:
    return Counter({(state, successor): count for state, successor, count in chain.transitions()})


def counted(*texts: str, state_size: int = 2) -> Counter[object]:
    return transitions(ReferenceChain(texts, state_size=state_size))


async def stored(database: Database) -> int:
    async with database.connection() as connection:
        return await count_messages(connection, GUILD, 1)


async def test_a_message_is_answered_from_at_once_and_stored_by_the_flush(
    process: Process, owner: Owner, database: Database
) -> None:
    chain = await process.guilds.chain(GUILD, owner)
    process.guilds.learn(GUILD, owner, message(1, "hello there"), 10)
    assert transitions(chain) == counted("hello there")
    assert await stored(database) == 0
    assert owner.position.safe == 9  # not past what is not stored
    await process.learner.flush()
    assert await stored(database) == 1
    assert owner.position.safe == 10


async def test_a_replayed_message_counts_once(process: Process, owner: Owner, database: Database) -> None:
    chain = await process.guilds.chain(GUILD, owner)
    for seq in (1, 2):
        process.guilds.learn(GUILD, owner, message(1, "hello there"), seq)
        process.guilds.learn(GUILD, owner, message(1, "hello there"), seq)
        await process.learner.flush()
    assert transitions(chain) == counted("hello there")
    assert await stored(database) == 1


async def test_a_deleted_message_is_unlearned_whether_stored_or_not(
    process: Process, owner: Owner, database: Database
) -> None:
    chain = await process.guilds.chain(GUILD, owner)
    for number, text in enumerate(("kept words", "stored words", "waiting words")):
        process.guilds.learn(GUILD, owner, message(number, text), number)
        if number == 1:
            await process.learner.flush()
    assert await process.guilds.remove(GUILD, owner, [1, 2, 999]) == 2
    assert transitions(chain) == counted("kept words")
    process.guilds.learn(GUILD, owner, message(2, "waiting words"), 3)  # replayed after its deletion
    await process.learner.flush()
    assert transitions(chain) == counted("kept words")
    assert await stored(database) == 1


async def test_an_edit_replaces_the_text_in_chain_and_storage(
    process: Process, owner: Owner, database: Database
) -> None:
    chain = await process.guilds.chain(GUILD, owner)
    process.guilds.learn(GUILD, owner, message(1, "first words"), 1)
    assert await process.guilds.edit(GUILD, owner, message(1, "second thoughts"))
    assert transitions(chain) == counted("second thoughts")
    assert not await process.guilds.edit(GUILD, owner, message(2, "never learned"))
    assert await process.guilds.edit(GUILD, owner, message(1, ""))
    assert transitions(chain) == Counter()
    assert await stored(database) == 0


async def test_a_new_image_is_taken_up_with_everything_since(
    process: Process, owner: Owner, database: Database
) -> None:
    process.guilds.learn(GUILD, owner, message(1, "one fish"), 1)
    process.guilds.learn(GUILD, owner, message(2, "two fish"), 2)
    await process.learner.flush()
    await process.guilds.chain(GUILD, owner)
    await compile_guild(database, GUILD, state_size=2)
    process.guilds.learn(GUILD, owner, message(3, "red fish"), 3)
    await process.guilds.remove(GUILD, owner, [1])
    await process.guilds.refresh(GUILD)
    chain = await process.guilds.chain(GUILD, owner)
    assert chain.image is not None
    assert transitions(chain) == counted("two fish", "red fish")


async def test_a_superseded_owner_writes_nothing(
    process: Process, owner: Owner, database: Database, redis_client: Redis, tmp_path: Path
) -> None:
    process.guilds.learn(GUILD, owner, message(1, "too late"), 1)
    successor = await own(database, "two")
    await process.learner.flush()
    assert process.superseded == [owner]
    assert await stored(database) == 0
    other = Process(database, redis_client, tmp_path)
    other.guilds.learn(GUILD, successor, message(1, "too late"), 1)  # Discord replays it to the successor
    await other.learner.flush()
    assert await stored(database) == 1


async def test_a_full_batch_is_flushed_before_its_time(process: Process, owner: Owner, database: Database) -> None:
    running = asyncio.create_task(process.learner.run())
    for number in range(100):
        process.guilds.learn(GUILD, owner, message(number, "words"), number)
    while process.learner.waiting:
        await asyncio.sleep(0.01)
    running.cancel()
    assert await stored(database) == 100


async def test_chains_answered_from_longest_ago_are_closed_at_the_memory_limit(
    database: Database, redis_client: Redis, tmp_path: Path, owner: Owner
) -> None:
    process = Process(database, redis_client, tmp_path, memory_limit=1)
    for guild_id in (1, 2):
        process.guilds.learn(guild_id, owner, message(guild_id, "some words"), guild_id)
    await process.learner.flush()
    await process.guilds.chain(1, owner)
    await process.guilds.chain(2, owner)
    assert process.guilds.open_chains == 1
    assert transitions(await process.guilds.chain(1, owner)) == counted("some words")


async def test_outside_the_rollout_the_chain_is_counted_from_the_messages(
    process: Process, owner: Owner, database: Database, redis_client: Redis, tmp_path: Path
) -> None:
    texts = ["hello there", "hello you", "good bye"]
    for number, text in enumerate(texts, 1):
        process.guilds.learn(GUILD, owner, message(number, text), number)
    await process.learner.flush()
    await compile_guild(database, GUILD, state_size=2)
    included = True
    opener = ChainOpener(database, ImageCache(redis_client), ImageFiles(tmp_path), 2)
    guilds = Guilds(database, opener, process.learner, memory_limit=1 << 30, from_images=lambda guild_id: included)
    assert isinstance(await guilds.chain(GUILD, owner), Chain)
    included = False
    baseline = await guilds.chain(GUILD, owner)
    assert isinstance(baseline, BaselineChain)
    guilds.learn(GUILD, owner, message(4, "hello again"), 4)
    assert await guilds.remove(GUILD, owner, [1]) == 1
    assert transitions(baseline) == counted("hello you", "good bye", "hello again")
    assert baseline.messages == 3
    await process.learner.flush()
    included = True
    chain = await guilds.chain(GUILD, owner)
    assert isinstance(chain, Chain)
    assert transitions(chain) == transitions(baseline)


async def test_what_a_baseline_chain_learns_while_it_answers_is_taken_in_afterwards() -> None:
    chain = BaselineChain(state_size=1)
    await chain.learn_apart(["one two", "two three", "three one"])
    answering = asyncio.create_task(chain.answer_apart(seed="two", max_tries=200, min_score=10**6))
    await asyncio.sleep(0)
    chain.learn("three four")
    chain.unlearn("one two")
    assert (await answering).tries == 200
    assert chain.messages == 3
    assert transitions(chain) == counted("two three", "three one", "three four", state_size=1)


async def test_outside_the_rollout_each_message_has_a_statement_of_its_own(
    database: Database, owner: Owner, redis_client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []

    async def counting(connection: object, guild_id: int, messages: Sequence[StoredMessage]) -> set[int]:
        written.append(len(messages))
        return await learn_messages(connection, guild_id, messages)

    monkeypatch.setattr("markov_shard.guilds.learner.learn_messages", counting)
    learner = Learner(database, debounce=60, batch_size=100, in_batches=lambda guild_id: guild_id != GUILD)
    guilds = Guilds(
        database,
        ChainOpener(database, ImageCache(redis_client), ImageFiles(tmp_path), 2),
        learner,
        memory_limit=1 << 30,
    )
    for number in range(1, 4):
        guilds.learn(GUILD, owner, message(number, "one by one"), number)
        guilds.learn(GUILD + 1, owner, message(number, "together"), number)
    await learner.flush()
    assert sorted(written) == [1, 1, 1, 3]
    assert await stored(database) == 3
    assert owner.position.safe == 3

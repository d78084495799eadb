"""A chain's way into memory: the file, then Redis, then Postgres, then the messages; and out of it again."""

import asyncio
import mmap
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import pytest
from redis.asyncio import Redis

from markov_shard.bot.cpu_work import CpuWork
from markov_shard.chain import Chain, compile_chain
from markov_shard.guilds.image_files import ImageFiles
from markov_shard.guilds.learner import Learner
from markov_shard.guilds.opening import ChainOpener, OpenedChain
from markov_shard.guilds.owner import Owner
from markov_shard.guilds.registry import Guilds
from markov_shard.shared import keys
from markov_shard.shared.image_cache import ImageCache
from markov_shard.store.guilds import lock_guild
from markov_shard.store.images import ImageRow, current_images, publish_image, read_image
from markov_shard.store.messages import StoredMessage, learn_messages
from markov_shard.store.pool import Database
from markov_shard.training.compiling import compile_guild
from markov_shard.training.pool import WorkPool

GUILD = 81384788765712384
OWNER = Owner(0, 1, 1)


def texts(count: int) -> list[str]:
    return [f"word{n % 97} word{n % 89} word{n % 83} {n}" for n in range(count)]


async def store(database: Database, guild_id: int, count: int) -> None:
    async with database.transaction() as connection:
        messages = [StoredMessage(n, 1, 2, text) for n, text in enumerate(texts(count), 1)]
        await learn_messages(connection, guild_id, messages)


async def publish(database: Database, guild_id: int, count: int = 300) -> ImageRow:
    await store(database, guild_id, count)
    await compile_guild(database, guild_id, state_size=2)
    async with database.connection() as connection:
        return (await current_images(connection, guild_id))["general"]


def transitions(chain: object) -> Counter[object]:
    assert isinstance(chain, Chain)
    return Counter({(state, successor): count for state, successor, count in chain.transitions()})


def counted(count: int) -> Counter[object]:
    return transitions(Chain(compile_chain(texts(count), 2)))


class Host:
    """What a process needs to open chains, over the files of `folder`."""

    def __init__(self, database: Database, redis: Redis, folder: Path, *, limit: int = 1 << 40) -> None:
        self.files = ImageFiles(folder)
        self.damaged: list[int] = []
        self.opener = ChainOpener(database, ImageCache(redis), self.files, 2, on_damaged_file=self.damaged.append)
        learner = Learner(database, debounce=60, batch_size=100)
        self.guilds = Guilds(database, self.opener, learner, memory_limit=limit)


@pytest.fixture
def host(database: Database, redis_client: Redis, tmp_path: Path) -> Host:
    return Host(database, redis_client, tmp_path / "one")


async def test_an_image_is_found_in_postgres_then_redis_then_on_disk(
    host: Host, database: Database, redis_client: Redis, tmp_path: Path
) -> None:
    await publish(database, GUILD)
    assert transitions((await host.opener.open(GUILD)).chain) == counted(300)
    await host.opener.settle()
    other = Host(database, redis_client, tmp_path / "two")
    assert transitions((await other.opener.open(GUILD)).chain) == counted(300)
    assert transitions((await other.opener.open(GUILD)).chain) == counted(300)
    assert (host.opener.tiers, other.opener.tiers) == (Counter(postgres=1), Counter(redis=1, file=1))


async def test_the_copy_in_redis_is_compressed_and_expires(host: Host, database: Database, redis_client: Redis) -> None:
    row = await publish(database, GUILD, 3000)
    await host.opener.open(GUILD)
    await host.opener.settle()
    key = keys.image_chunk(GUILD, "general", row.version, 0)
    assert 0 < await redis_client.strlen(key) < row.bytes * 0.8
    assert 0 < await redis_client.ttl(key) <= 24 * 3600


@pytest.mark.parametrize("damage", [b"", b"not zstandard", None])
async def test_a_damaged_copy_in_redis_is_dropped_and_postgres_read(
    host: Host, database: Database, redis_client: Redis, damage: bytes | None
) -> None:
    row = await publish(database, GUILD)
    key = keys.image_chunk(GUILD, "general", row.version, 0)
    if damage is None:  # a whole chunk, of another image
        await ImageCache(redis_client).put(GUILD, "general", row.version, 0, b"\0" * row.bytes)
    else:
        await redis_client.set(key, damage)
    assert transitions((await host.opener.open(GUILD)).chain) == counted(300)
    assert host.opener.tiers == Counter(postgres=1)
    await host.opener.settle()
    assert await redis_client.strlen(key) > 100  # a sound copy took its place


async def test_a_buried_image_is_not_brought_back_by_whoever_still_reads_it(
    host: Host, database: Database, redis_client: Redis
) -> None:
    row = await publish(database, GUILD)
    await host.opener.open(GUILD)
    cache = ImageCache(redis_client)
    await cache.bury(GUILD, "general", row.version, 1)
    await host.opener.settle()  # the copy for Redis was under way
    assert not await cache.put(GUILD, "general", row.version, 0, b"words")
    assert not await redis_client.exists(keys.image_chunk(GUILD, "general", row.version, 0))
    assert await cache.put(GUILD, "general", row.version + 1, 0, b"other words")


async def test_a_change_told_of_while_a_chain_is_being_opened_is_taken_up(host: Host, database: Database) -> None:
    await publish(database, GUILD)
    opening = asyncio.create_task(host.guilds.chain(GUILD, OWNER))
    while not host.guilds.guild(GUILD, OWNER).lock.locked():
        await asyncio.sleep(0)
    await host.guilds.refresh(GUILD)
    assert opening.done()
    assert host.opener.tiers.total() == 2


async def test_a_file_damaged_since_is_noticed_and_fetched_again(
    host: Host, database: Database, redis_client: Redis, tmp_path: Path
) -> None:
    row = await publish(database, GUILD)
    await host.opener.open(GUILD)
    path = host.files.path(GUILD, "general", row.version)
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    after_restart = Host(database, redis_client, tmp_path / "one")
    await after_restart.guilds.chain(GUILD, OWNER)
    await after_restart.opener.settle()
    assert after_restart.damaged == [GUILD]
    assert not path.exists()
    await after_restart.guilds.refresh(GUILD)
    assert transitions(await after_restart.guilds.chain(GUILD, OWNER)) == counted(300)
    assert path.read_bytes() == data


@pytest.mark.parametrize("newer", [True, False])
async def test_an_image_of_another_version_stays_and_the_messages_are_counted(
    host: Host, database: Database, newer: bool
) -> None:
    row = await publish(database, GUILD)
    async with database.transaction() as connection:
        data = bytearray(await read_image(connection, row))
        data[8] += 1 if newer else -1
        other = replace(row, version=row.version + 1, crc32=crc32(data))
        await publish_image(connection, other, bytes(data))
    for _ in range(2):
        opened = await host.opener.open(GUILD)
        assert isinstance(opened, OpenedChain)
        assert transitions(opened.chain) == counted(300)
        assert opened.damaged is not newer  # only an older one wants compiling again
    assert host.opener.tiers["postgres"] == 1
    async with database.connection() as connection:
        assert await current_images(connection, GUILD) == {"general": other}


async def test_a_damaged_image_is_discarded_though_its_reader_has_the_only_connection(
    database: Database, migrated_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    row = await publish(database, GUILD)
    async with database.transaction() as connection:
        damaged = replace(row, version=row.version + 1, crc32=row.crc32 ^ 1)
        await publish_image(connection, damaged, await read_image(connection, row))
    async with await Database.open(migrated_url, size=1) as narrow:
        host = Host(narrow, redis_client, tmp_path / "one")
        async with asyncio.timeout(30):
            assert transitions((await host.opener.open(GUILD)).chain) == counted(300)
            await host.opener.settle()
    async with database.connection() as connection:
        assert await current_images(connection, GUILD) == {}


async def test_many_who_ask_at_once_load_it_once(host: Host, database: Database) -> None:
    await publish(database, GUILD)
    chains = await asyncio.gather(*(host.guilds.chain(GUILD, OWNER) for _ in range(10)))
    assert len(set(map(id, chains))) == 1
    assert host.opener.tiers == Counter(postgres=1)


@pytest.fixture
async def pool() -> AsyncIterator[CpuWork]:
    work = CpuWork(lambda: WorkPool(1, memory_mb=512))
    yield work
    await asyncio.to_thread(work.close)


@pytest.mark.parametrize("in_pool", [True, False])
async def test_a_big_guild_without_an_image_is_counted_apart(
    database: Database, redis_client: Redis, tmp_path: Path, pool: CpuWork, in_pool: bool
) -> None:
    await store(database, GUILD, 5500)
    opener = ChainOpener(database, ImageCache(redis_client), ImageFiles(tmp_path), 2, apart=pool if in_pool else None)
    assert transitions((await opener.open(GUILD)).chain) == counted(5500)
    assert opener.tiers == Counter(counted=1)
    assert list(tmp_path.iterdir()) == []


async def test_the_chains_answered_from_longest_ago_are_closed_first(
    database: Database, redis_client: Redis, tmp_path: Path
) -> None:
    sizes = {guild: (await publish(database, guild, 3000)).bytes for guild in (1, 2, 3)}
    host = Host(database, redis_client, tmp_path, limit=(6 << 20) + int(2.9 * sizes[1]))
    for guild in (1, 2, 1, 3):
        await host.guilds.chain(guild, OWNER)
    assert [host.guilds.guild(guild, OWNER).opened is not None for guild in (1, 2, 3)] == [True, False, True]


async def test_overlays_that_grow_are_counted(database: Database, redis_client: Redis, tmp_path: Path) -> None:
    host = Host(database, redis_client, tmp_path, limit=(6 << 20) + (1 << 20))
    await host.guilds.chain(1, OWNER)
    await host.guilds.chain(2, OWNER)
    for number in range(2000):
        host.guilds.learn(2, OWNER, StoredMessage(number, 1, 2, f"something new {number}"), 1)
    assert host.guilds.memory > 1 << 20
    host.guilds.trim()
    assert host.guilds.memory < 1 << 20


def mapped_bytes(folder: Path) -> int:
    """What this process has mapped of a folder's files, dropped ones included."""
    lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines() if str(folder) in line]
    spans = [[int(end, 16) for end in line[0].split("-")] for line in lines]
    return sum(end - start for start, end in spans)


async def publish_image_of(database: Database, guild_ids: Sequence[int], messages: int) -> int:
    """Publishes the image of so many messages for each guild, which has none of them stored; returns its bytes."""
    image = bytes(compile_chain([f"all {n} words {n}a are {n}b new {n}c" for n in range(messages)], 2))
    async with database.transaction() as connection:
        for guild_id in guild_ids:
            await lock_guild(connection, guild_id)
            row = ImageRow(guild_id, "general", 1, 1, 0, 2, 1, len(image), crc32(image))
            await publish_image(connection, row, image)
    return len(image)


async def test_the_limit_holds_at_every_answer_and_a_larger_guild_is_served_and_then_dropped(
    database: Database, redis_client: Redis, tmp_path: Path
) -> None:
    limit = 16 << 20
    guilds, large = range(1, 21), 100
    small_bytes = await publish_image_of(database, guilds, 4_000)
    large_bytes = await publish_image_of(database, [large], 80_000)
    assert large_bytes > limit > small_bytes > limit / 20
    host = Host(database, redis_client, tmp_path, limit=limit)
    rng = random.Random(1)
    for guild in (*guilds, *guilds):
        assert (await host.guilds.chain(guild, OWNER)).answer(rng=rng).tries
        assert 0 < mapped_bytes(tmp_path) <= limit
    assert (await host.guilds.chain(large, OWNER)).answer(rng=rng).tries
    assert large_bytes <= mapped_bytes(tmp_path) <= large_bytes + mmap.PAGESIZE
    host.guilds.trim()
    await host.opener.settle()
    assert mapped_bytes(tmp_path) == 0
    assert (await host.guilds.chain(large, OWNER)).answer(rng=rng).tries
    assert (await host.guilds.chain(1, OWNER)).answer(rng=rng).tries
    assert mapped_bytes(tmp_path) <= limit

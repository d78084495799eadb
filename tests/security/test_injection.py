"""Text of members goes through learning, storage, image, cache and answer as text, whatever is in it."""

from pathlib import Path

import pytest
from redis.asyncio import Redis

from markov_shard.guilds.image_files import ImageFiles
from markov_shard.guilds.learner import Learner
from markov_shard.guilds.opening import ChainOpener
from markov_shard.guilds.owner import Owner
from markov_shard.guilds.registry import Guilds
from markov_shard.shared.image_cache import ImageCache
from markov_shard.store.epochs import take_epoch
from markov_shard.store.messages import StoredMessage
from markov_shard.store.pool import Database
from markov_shard.training.compiling import compile_guild

GUILD, OTHER = 81384788765712384, 81384788765712385
HOSTILE = [
    "'; DROP TABLE messages; -- and so on",
    "$1 $2 %s %(x)s {0} {guild} ${TOKEN} $(id) `id`",
    '"); DELETE FROM guilds WHERE (1=1 or "',
    "*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$1\r\n1\r\n FLUSHALL now",
    "redis.call('FLUSHALL') return ARGV[1] KEYS[1]",
    "\\copy messages to '/tmp/x' \\x00 \\u0000 E'\\\\'",
    "\u202eright to left\u202c and \u200bzero width",
    "<script>alert(1)</script> <img src=x onerror=alert(1)>",
]


class Place:
    def __init__(self, database: Database, redis: Redis, folder: Path) -> None:
        self.database = database
        self.learner = Learner(database, debounce=60, batch_size=1000)
        opener = ChainOpener(database, ImageCache(redis), ImageFiles(folder), 2)
        self.guilds = Guilds(database, opener, self.learner, memory_limit=1 << 30)

    async def own(self) -> Owner:
        async with self.database.transaction() as connection:
            return Owner(0, 1, await take_epoch(connection, 1, 0, 'it\'s "me"'))


@pytest.fixture
async def database(migrated_url: str) -> object:
    async with await Database.open(migrated_url, size=5) as opened:
        yield opened


@pytest.fixture
def place(database: Database, redis_client: Redis, tmp_path: Path) -> Place:
    return Place(database, redis_client, tmp_path)


async def test_hostile_text_is_text(place: Place, database: Database, redis_client: Redis) -> None:
    owner = await place.own()
    await redis_client.set("markov:canary", "alive")
    for number, text in enumerate(HOSTILE, 1):
        place.guilds.learn(GUILD, owner, StoredMessage(number, 1, 2, text), number)
    await place.learner.flush()
    await compile_guild(database, GUILD, state_size=2)
    await place.guilds.refresh(GUILD)
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT content FROM messages WHERE guild_id = $1 ORDER BY message_id", GUILD)
    assert [row["content"] for row in rows] == HOSTILE
    chain = await place.guilds.chain(GUILD, owner)
    learned = {(state, word) for state, word, _ in chain.transitions()}
    for text in HOSTILE:
        words = text.split()
        assert ((), words[0]) in learned
        assert (tuple(words[-2:]), None) in learned
    assert await place.guilds.remove(GUILD, owner, list(range(1, len(HOSTILE) + 1))) == len(HOSTILE)
    assert list((await place.guilds.chain(GUILD, owner)).transitions()) == []
    assert await redis_client.get("markov:canary") == b"alive"


async def test_no_guild_ever_says_another_guilds_words(place: Place, database: Database) -> None:
    """The same processes, tables, caches and files; disjoint vocabularies, before and after a compile."""
    import random

    owner = await place.own()
    for guild, mark in ((GUILD, "a"), (OTHER, "b")):
        for number in range(1, 200):
            text = " ".join(f"{mark}{random.Random(number * 7 + step).randrange(12)}" for step in range(6))
            place.guilds.learn(guild, owner, StoredMessage(number, 1, 2, text), number)
    for _ in range(2):
        await place.learner.flush()
        for guild, mark, foreign in ((GUILD, "a", "b3 b4"), (OTHER, "b", "a3 a4")):
            chain = await place.guilds.chain(guild, owner)
            rng = random.Random(5)
            for seed in (None, foreign, foreign.split()[0]):
                for _ in range(40):
                    words = chain.answer(rng=rng, seed=seed, min_score=1, max_tries=50).text.split()
                    assert all(word[0] == mark for word in words)
        for guild in (GUILD, OTHER):
            await compile_guild(database, guild, state_size=2)
            await place.guilds.refresh(guild)

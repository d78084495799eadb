"""Many guilds of mixed size with published images, made quickly: few images, each under many guild IDs."""

import itertools
import zlib
from collections.abc import Iterator

from benchmarks.figures import Setup
from markov_shard.chain import compile_chain
from markov_shard.guilds.learned import Learned
from markov_shard.store.guilds import lock_guild
from markov_shard.store.images import ImageRow, publish_image
from markov_shard.store.pool import Database

FIRST_GUILD = 81384788765712384
GUILDS = [FIRST_GUILD + (number << 22) for number in range(500)]
BIG_GUILD = FIRST_GUILD + (1000 << 22)
_MESSAGES = (300, 1000, 3000, 10_000, 30_000)
_SHARES = (40, 30, 20, 8, 2)  # of a hundred guilds, how many are of each size


async def publish_many(database: Database, setup: Setup, *, big_bytes: int) -> list[int]:
    """Publishes an image for every guild, and one of at least `big_bytes` for the big one; returns all sizes."""
    texts = list(setup.messages())
    images = [bytes(compile_chain(texts[:count], 2)) for count in _MESSAGES]
    sizes = list(itertools.chain.from_iterable([number] * share for number, share in enumerate(_SHARES)))
    published = [len(images[sizes[place % len(sizes)]]) for place in range(len(GUILDS))]
    async with database.transaction() as connection:
        for place, guild in enumerate(GUILDS):
            await _publish(connection, guild, images[sizes[place % len(sizes)]])
    big = _big_image(texts, big_bytes)
    async with database.transaction() as connection:
        await _publish(connection, BIG_GUILD, big)
    return [*published, len(big)]


def _big_image(texts: list[str], at_least: int) -> bytes:
    """The whole corpus, and again with every word changed a little until it is as big as asked for."""

    def messages(times: int) -> Iterator[Learned]:
        for turn in range(times):
            for number, text in enumerate(texts):
                changed = " ".join(word + "'" * turn for word in text.split())
                yield Learned(changed, turn * len(texts) + number)

    times = 1
    while len(image := bytes(compile_chain(messages(times), 2))) < at_least:
        times = times * at_least // len(image) + 1
    return image


async def _publish(connection: object, guild_id: int, data: bytes) -> None:
    await lock_guild(connection, guild_id)
    row = ImageRow(guild_id, "general", 1, 1, 0, 2, 1, len(data), zlib.crc32(data))
    await publish_image(connection, row, data)

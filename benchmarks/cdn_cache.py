"""A process that asks for attachments' URLs: `python -m benchmarks.cdn_cache REDIS DISCORD SEED COUNT SECONDS`.

Run twice by `benchmarks.cache`. A day is played in SECONDS: every duration of the cache is shortened alike, so that
Redis's own expiry is what is measured. Prints how each question was answered, as one JSON object.
"""

import asyncio
import itertools
import random
import sys
import time
from collections.abc import Mapping, Sequence

import aiohttp
import orjson
import uvloop

from markov_shard.logs import set_up_logging
from markov_shard.shared.cdn_urls import LIFE_SECONDS, MARGIN_SECONDS, CdnUrls
from markov_shard.shared.connect import connect_redis

URLS = 5000
DAY = 86_400


def url_of(number: int) -> str:
    """An attachment's URL as it was first seen, expired long ago."""
    return f"https://cdn.discordapp.com/attachments/1/{number}/picture.png?ex=1&is=0&hm=0&"


async def main(redis_url: str, discord: str, seed: str, count: str, seconds: str) -> None:
    set_up_logging("warn")
    scale = float(seconds) / DAY
    redis = await connect_redis(redis_url)
    async with aiohttp.ClientSession() as session:

        async def refresh(urls: Sequence[str]) -> Mapping[str, str | None]:
            async with session.post(discord, json=list(urls)) as response:
                found: dict[str, str | None] = await response.json()
                return found

        async def gone(guild_id: int, url: str) -> None:
            raise AssertionError(url)

        cache = CdnUrls(
            redis,
            refresh,
            holder=f"process {seed}",
            on_gone=gone,
            life=LIFE_SECONDS * scale,
            margin=MARGIN_SECONDS * scale,
        )
        rng = random.Random(int(seed))
        weights = list(itertools.accumulate(1 / rank for rank in range(1, URLS + 1)))
        started = time.perf_counter()
        tasks: set[asyncio.Task[str | None]] = set()
        for number, which in enumerate(rng.choices(range(URLS), cum_weights=weights, k=int(count))):
            due = started + number * float(seconds) / int(count)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            task = asyncio.create_task(cache.fresh(1, url_of(which)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
    await redis.aclose()
    sys.stdout.write(orjson.dumps({"outcomes": cache.outcomes, "requests": cache.requests}).decode() + "\n")


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))

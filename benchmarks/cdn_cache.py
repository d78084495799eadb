"""A process that asks for attachments' URLs: `python -m benchmarks.cdn_cache REDIS DISCORD SEED COUNT`.

Run twice by `benchmarks.cache`. Its clock is virtual: a day passes in as long as COUNT questions take, evenly spread
over it. On each line `until SECONDS` from its standard input it plays on up to that second of the day, two
questions under way at once, and answers `ok`; on a line `end` it prints how each question was answered, as one JSON
object.
"""

import asyncio
import itertools
import random
import sys
from collections.abc import Mapping, Sequence

import aiohttp
import orjson
import uvloop

from markov_shard.logs import set_up_logging
from markov_shard.shared.cdn_urls import CdnUrls
from markov_shard.shared.connect import connect_redis

URLS = 5000
DAY = 86_400
STARTS = 1_800_000_000.0
AT_ONCE = 2


def url_of(number: int) -> str:
    """An attachment's URL as it was first seen, expired long ago."""
    return f"https://cdn.discordapp.com/attachments/1/{number}/picture.png?ex=1&is=0&hm=0&"


async def main(redis_url: str, discord: str, seed: str, count: str) -> None:
    set_up_logging("warn")
    redis = await connect_redis(redis_url)
    now = STARTS
    async with aiohttp.ClientSession() as session:

        async def refresh(urls: Sequence[str]) -> Mapping[str, str | None]:
            async with session.post(discord, json={"now": now, "urls": list(urls)}) as response:
                found: dict[str, str | None] = await response.json()
                return found

        async def gone(guild_id: int, url: str) -> None:
            raise AssertionError(url)

        cache = CdnUrls(redis, refresh, holder=f"process {seed}", on_gone=gone, clock=lambda: now)
        rng = random.Random(int(seed))
        weights = list(itertools.accumulate(1 / rank for rank in range(1, URLS + 1)))
        chosen = rng.choices(range(URLS), cum_weights=weights, k=int(count))
        questions = iter([(STARTS + number * DAY / int(count), which) for number, which in enumerate(chosen)])
        due, which = next(questions)

        async def play(until: float) -> None:
            nonlocal now, due, which
            while due < until:
                now = max(now, due)
                asked, (due, which) = which, next(questions, (float("inf"), -1))
                await cache.fresh(1, url_of(asked))

        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while (line := await reader.readline()).startswith(b"until"):
            until = STARTS + float(line.split()[1])
            await asyncio.gather(*(play(until) for _ in range(AT_ONCE)))
            sys.stdout.write("ok\n")
            sys.stdout.flush()
    await redis.aclose()
    sys.stdout.write(orjson.dumps({"outcomes": cache.outcomes, "requests": cache.requests}).decode() + "\n")


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))

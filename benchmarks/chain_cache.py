"""A process that answers many guilds in turn under a limit: `python -m benchmarks.chain_cache DATABASE REDIS FOLDER …`.

Run by `benchmarks.cache`, in a process of its own so that its memory is that of the chains. It prints one JSON object.
"""

import random
import sys
import time
from pathlib import Path

import orjson
import uvloop

from benchmarks.chains import BIG_GUILD, GUILDS
from markov_shard.allocator import give_memory_back
from markov_shard.guilds.image_files import ImageFiles
from markov_shard.guilds.learner import Learner
from markov_shard.guilds.opening import ChainOpener
from markov_shard.guilds.owner import Owner
from markov_shard.guilds.registry import Guilds
from markov_shard.logs import set_up_logging
from markov_shard.shared.connect import connect_redis
from markov_shard.shared.image_cache import ImageCache
from markov_shard.store.messages import StoredMessage
from markov_shard.store.pool import Database


def resident() -> dict[str, int]:
    """Anonymous and mapped bytes of this process, of which the kernel keeps exact count in smaps_rollup."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    anonymous = kilobytes["Anonymous"]
    return {"anonymous": anonymous << 10, "mapped": (kilobytes["Rss"] - anonymous) << 10}


async def main(database_url: str, redis_url: str, folder: str, limit: str, rounds: str) -> None:
    give_memory_back()
    set_up_logging("warn")
    async with await Database.open(database_url, size=4) as database:
        redis = await connect_redis(redis_url)
        learner = Learner(database, debounce=60, batch_size=10_000)
        opener = ChainOpener(database, ImageCache(redis), ImageFiles(Path(folder)), 2)
        guilds = Guilds(database, opener, learner, memory_limit=int(limit) << 20)
        owner, rng = Owner(0, 1, 1), random.Random(1)
        await guilds.chain(GUILDS[0], owner)  # what any first use loads
        guilds._make_room(1 << 40)  # noqa: SLF001 - and closed again
        before = resident()
        peak = dict(before)
        peak_sum = sum(before.values())
        seconds: list[float] = []
        answered = 0
        for turn in range(int(rounds)):
            for number, guild in enumerate(rng.sample(GUILDS, len(GUILDS))):
                if number == len(GUILDS) // 2:
                    answered += await _answer(guilds, BIG_GUILD, owner, rng)
                    guilds.trim()
                started = time.perf_counter()
                answered += await _answer(guilds, guild, owner, rng)
                seconds.append(time.perf_counter() - started)
                for spoken in range(20):  # the guild talks on: overlays grow
                    message = StoredMessage((turn << 40) + (number << 20) + spoken + 1, 1, 2, f"{rng.random()} is new")
                    guilds.learn(guild, owner, message, 1)
                guilds.guild(guild, owner).unstored.clear()  # as if stored: what waits for Postgres is not the cache's
                if number % 5 == 0:
                    guilds.trim()
                    now = resident()
                    peak = {kind: max(peak[kind], now[kind]) for kind in now}
                    peak_sum = max(peak_sum, sum(now.values()))
        await opener.settle()
        await redis.aclose()
    seconds.sort()
    figures = {
        "before": before,
        "peak": peak,
        "grown": peak_sum - sum(before.values()),
        "answered": answered,
        "asked": int(rounds) * (len(GUILDS) + 1),
        "tiers": dict(opener.tiers),
        "median_ms": seconds[len(seconds) // 2] * 1000,
        "p99_ms": seconds[-len(seconds) // 100] * 1000,
        "big_is_open": guilds.guild(BIG_GUILD, owner).opened is not None,
    }
    sys.stdout.write(orjson.dumps(figures).decode() + "\n")


async def _answer(guilds: Guilds, guild_id: int, owner: Owner, rng: random.Random) -> int:
    chain = await guilds.chain(guild_id, owner)
    return int(bool(chain.answer(rng=rng, min_score=1).text))


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))

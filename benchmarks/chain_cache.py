"""A process that answers many guilds in turn under a limit: `python -m benchmarks.chain_cache DATABASE REDIS FOLDER …`.

Run by `benchmarks.cache`, in a process of its own so that its memory is that of the chains. Each guild answers, then
talks on; every few guilds what they said is stored in Postgres and the chains are trimmed, as a shard process does
each second. Memory is read at every answer, before anything is trimmed; the kernel's own high-water mark between two
answers counts as well. It prints one JSON object.
"""

import random
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import uvloop

from benchmarks.chains import BIG_GUILD, GUILDS
from markov_shard.allocator import give_memory_back, settle_heap
from markov_shard.guilds.image_files import ImageFiles
from markov_shard.guilds.learner import Learner
from markov_shard.guilds.opening import ChainOpener
from markov_shard.guilds.owner import Owner
from markov_shard.guilds.registry import Guilds
from markov_shard.logs import set_up_logging
from markov_shard.shared.connect import connect_redis
from markov_shard.shared.image_cache import ImageCache
from markov_shard.store.epochs import take_epoch
from markov_shard.store.messages import StoredMessage
from markov_shard.store.pool import Database

_FLUSH_EVERY = 5
_SPOKEN = 20
_SELF = Path("/proc/self")


def resident() -> dict[str, int]:
    """Anonymous and mapped bytes of this process, of which the kernel keeps exact count in smaps_rollup."""
    lines = (_SELF / "smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    anonymous = kilobytes["Anonymous"]
    return {"anonymous": anonymous << 10, "mapped": (kilobytes["Rss"] - anonymous) << 10}


def high_water() -> int:
    """Resident bytes at their highest since this was last asked."""
    lines = (_SELF / "status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) << 10
    (_SELF / "clear_refs").write_text("5")
    return peak


@dataclass
class Taken:
    """The most bytes that the process took beyond what it had at first."""

    before: Mapping[str, int] = field(default_factory=resident)
    most: dict[str, int] = field(default_factory=dict)

    def look(self) -> None:
        """Reads the process's memory, as it is and at its highest since the last look."""
        found = {kind: size - self.before[kind] for kind, size in resident().items()}
        at_answers = sum(found.values())
        found |= {"at_answers": at_answers, "ever": max(at_answers, high_water() - sum(self.before.values()))}
        self.most = {kind: max(size, self.most.get(kind, size)) for kind, size in found.items()}


async def main(database_url: str, redis_url: str, folder: str, limit: str, rounds: str) -> None:
    give_memory_back()
    set_up_logging("warn")
    async with await Database.open(database_url, size=4) as database:
        redis = await connect_redis(redis_url)
        learner = Learner(database, debounce=60, batch_size=10_000)
        opener = ChainOpener(database, ImageCache(redis), ImageFiles(Path(folder)), 2)
        guilds = Guilds(database, opener, learner, memory_limit=int(limit) << 20)
        async with database.transaction() as connection:
            owner = Owner(0, 1, await take_epoch(connection, 1, 0, "bench"))
        rng = random.Random(1)
        await guilds.chain(GUILDS[0], owner)  # what any first use loads
        guilds._make_room(1 << 40)  # noqa: SLF001 - and closed again
        settle_heap()
        high_water()
        ordinary, big, after = (Taken() for _ in range(3))
        seconds: list[float] = []
        answered = big_dropped = counted = 0
        for _ in range(int(rounds)):
            for number, guild in enumerate(rng.sample(GUILDS, len(GUILDS))):
                if number == len(GUILDS) // 2:
                    ordinary.look()
                    answered += await _answer(guilds, BIG_GUILD, owner, rng)
                    big.look()
                    guilds.trim()
                    big_dropped += guilds.guild(BIG_GUILD, owner).opened is None
                    high_water()
                    after.look()
                started = time.perf_counter()
                answered += await _answer(guilds, guild, owner, rng)
                seconds.append(time.perf_counter() - started)
                ordinary.look()
                counted = max(counted, guilds.memory)
                for _ in range(_SPOKEN):  # the guild talks on: overlays grow
                    message = StoredMessage(time.time_ns(), 1, 2, f"{rng.random()} is new")
                    guilds.learn(guild, owner, message, 1)
                if number % _FLUSH_EVERY == 0:
                    await learner.flush()
                    guilds.trim()
        await learner.flush()
        await opener.settle()
        await redis.aclose()
    seconds.sort()
    figures = {
        "ordinary": ordinary.most,
        "big": big.most,
        "after": after.most,
        "counted": counted,
        "answered": answered,
        "asked": int(rounds) * (len(GUILDS) + 1),
        "stored": learner.stored,
        "spoken": int(rounds) * len(GUILDS) * _SPOKEN,
        "tiers": dict(opener.tiers),
        "median_ms": seconds[len(seconds) // 2] * 1000,
        "p99_ms": seconds[-len(seconds) // 100] * 1000,
        "big_dropped": big_dropped == int(rounds),
    }
    sys.stdout.write(orjson.dumps(figures).decode() + "\n")


async def _answer(guilds: Guilds, guild_id: int, owner: Owner, rng: random.Random) -> int:
    chain = await guilds.chain(guild_id, owner)
    return int(bool(chain.answer(rng=rng, min_score=1).text))


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))

"""Replies without a pause: SUSTAINED_RATE a second (300) for SUSTAINED_SECONDS (60), commands and mentions in turn.

As in `reply`, but what is asked is whether the speed lasts: the worst single one of thousands, with everything that a
shard process does meanwhile (it learns the mentions, stores them, saves its session, beats). Bare hikari then takes
the same load for a quarter of the time: what is beyond both is the machine's.
"""

import os
import statistics

import uvloop

from benchmarks.bare_discord import StandIn
from benchmarks.figures import Figure, Setup
from benchmarks.mixed import mean_of, shard_metrics
from benchmarks.processes import services, timing_the_measured_core
from benchmarks.reply import GUILD, PLAIN, at_rate, fill, sides
from benchmarks.timing import percentile

RATE = float(os.environ.get("SUSTAINED_RATE", "300"))
SECONDS = float(os.environ.get("SUSTAINED_SECONDS", "60"))
BUDGET_MS = 5.0
_WARM_SECONDS = 2.0


def run(setup: Setup) -> list[Figure]:
    """Rate, failures and delays."""
    with timing_the_measured_core() as core:
        return uvloop.run(_run(setup, core))


async def _run(setup: Setup, core: int) -> list[Figure]:
    async with services() as around, StandIn([GUILD]) as standin:
        await fill(around.database, setup)
        async with sides(standin, around, "both", core) as bots:
            for side in bots.values():
                await at_rate(standin, side, seconds=_WARM_SECONDS, rate=RATE)
            before = await shard_metrics(around)
            memory = bots["ours"].bot.memory()
            load = await at_rate(standin, bots["ours"], seconds=SECONDS, rate=RATE)
            grown = bots["ours"].bot.memory() - memory
            after = await shard_metrics(around)
            mean = mean_of(
                {name: value - before.get(name, 0.0) for name, value in after.items()}, "markov_reply_seconds"
            )
            peer = await at_rate(standin, bots[PLAIN], seconds=SECONDS / 4, rate=RATE)
    ours, bare = sorted(load.delays), sorted(peer.delays)
    count = int(SECONDS * RATE)

    def figure(name: str, of: float, peer: float) -> Figure:
        return Figure(name, "ms", of, {PLAIN: peer})

    return [
        Figure("requests", "requests", count, {}, False),
        Figure("rate", "requests/s", RATE, {}, False),
        Figure("failures", "requests", count - len(ours)),
        figure("mean", statistics.fmean(ours), statistics.fmean(bare)),
        figure("median", percentile(ours, 0.5), percentile(bare, 0.5)),
        figure("p99", percentile(ours, 0.99), percentile(bare, 0.99)),
        figure("p99.9", percentile(ours, 0.999), percentile(bare, 0.999)),
        figure("worst", ours[-1], bare[-1]),
        Figure(f"over {BUDGET_MS:g} ms", "requests", sum(delay > BUDGET_MS for delay in ours)),
        Figure("the stand-in itself late at most", "ms", load.late),
        Figure("mean inside the process, from the event's arrival to the reply's handing over", "ms", mean),
        Figure("memory grown meanwhile", "MB", grown / 1e6),
    ]

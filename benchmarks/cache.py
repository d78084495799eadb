"""The caches: attachments' URLs over a day of replies, and chains under a limit on memory.

URLs: two processes with clocks of their own making, 100,000 replies over a day, 5,000 URLs asked for as in Zipf's law
with exponent 1; the processes play the day ten minutes at a time, at once, and share a real Redis. A refresh too many
is counted without any tolerance.

Chains: 500 guilds of mixed size answered in turn under the smallest limit, each learning on, with one guild among them
that is larger than the limit; what counts is what the process took beyond what it had before, at its highest.
"""

import asyncio
import itertools
import math
import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import orjson
import uvloop
from aiohttp import web

from benchmarks.cdn_cache import DAY
from benchmarks.chains import publish_many
from benchmarks.figures import Figure, Setup
from benchmarks.processes import ROOT, Services, services
from markov_shard.shared.cdn_urls import LIFE_SECONDS

REPLIES = 100_000
PROCESSES = 2
STEP = 600
LIMIT_MB = 64
_BIG = 80 << 20


def run(setup: Setup) -> list[Figure]:
    """Hit rates and memory."""
    return uvloop.run(_run(setup))


async def _run(setup: Setup) -> list[Figure]:
    async with services() as around:
        return [*await _urls(around), *await _chains(around, setup)]


async def _urls(around: Services) -> list[Figure]:
    refreshed: dict[str, list[float]] = defaultdict(list)

    async def refresh(request: web.Request) -> web.Response:
        asked = await request.json()
        fresh = {}
        for url in asked["urls"]:
            file = url.partition("?")[0]
            refreshed[file].append(asked["now"])
            fresh[url] = f"{file}?ex={math.ceil(asked['now'] + DAY):x}&is=0&hm=1&"
        return web.json_response(fresh)

    app = web.Application()
    app.add_routes([web.post("/", refresh)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    discord = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    found = await _play(
        [
            ["benchmarks.cdn_cache", around.redis_url, discord, str(n), str(REPLIES // PROCESSES)]
            for n in range(PROCESSES)
        ]
    )
    await runner.cleanup()
    outcomes = defaultdict(int)
    for one in found:
        for outcome, count in one["outcomes"].items():
            outcomes[outcome] += count
    assert sum(outcomes.values()) == REPLIES, outcomes
    again = [later - earlier for times in refreshed.values() for earlier, later in itertools.pairwise(times)]
    return [
        Figure("replies with an attachment", "replies", REPLIES, smaller_is_better=False),
        Figure("answered by the cache", "%", 100 * outcomes["cached"] / REPLIES, {"asked for": 90.0}, False),
        Figure("answered by a refresh already under way", "%", 100 * outcomes["waited"] / REPLIES),
        Figure("without an answer", "replies", outcomes["failed"] + outcomes["gone"]),
        Figure("URLs asked for", "URLs", len(refreshed)),
        Figure("refreshes", "URLs", sum(map(len, refreshed.values())), {"without a cache": REPLIES}),
        Figure("refreshed again within the 23 hours", "URLs", sum(gap < LIFE_SECONDS for gap in again)),
        Figure("shortest time between two refreshes of a URL", "h", min(again, default=math.inf) / 3600, {}, False),
        Figure("requests to Discord", "requests", sum(one["requests"] for one in found), {"without a cache": REPLIES}),
    ]


async def _play(commands: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """Lets the processes play the same day, none more than STEP ahead of another; what each printed at its end."""
    pipe = asyncio.subprocess.PIPE
    players = [
        await asyncio.create_subprocess_exec(sys.executable, "-m", *command, cwd=ROOT, stdin=pipe, stdout=pipe)
        for command in commands
    ]

    async def step(player: asyncio.subprocess.Process, until: int) -> None:
        assert player.stdin is not None
        assert player.stdout is not None
        player.stdin.write(b"until %d\n" % until)
        assert await player.stdout.readline() == b"ok\n"

    for until in range(STEP, DAY + STEP, STEP):
        await asyncio.gather(*(step(player, until) for player in players))
    return [orjson.loads((await player.communicate(b"end\n"))[0]) for player in players]


async def _chains(around: Services, setup: Setup) -> list[Figure]:
    sizes = await publish_many(around.database, setup, big_bytes=_BIG)
    arguments = [around.database_url, around.redis_url, str(around.folder / "images"), str(LIMIT_MB), "2"]
    figures = [
        Figure("guilds", "guilds", len(sizes), smaller_is_better=False),
        Figure("their images together", "MiB", sum(sizes) / 2**20),
        Figure("the largest image", "MiB", max(sizes) / 2**20),
    ]
    for place in ("Postgres", "files"):
        one = await _child("benchmarks.chain_cache", *arguments)
        assert one["answered"] == one["asked"], one
        assert one["stored"] == one["spoken"], one
        assert one["big_dropped"], one
        limit = {"the limit": LIMIT_MB}

        def most(name: str, of: dict[str, int], kind: str, peers: dict[str, float], place: str = place) -> Figure:
            return Figure(f"{name}, images from {place}", "MiB", of[kind] / 2**20, peers)

        ordinary, big = one["ordinary"], one["big"]
        figures += [
            most("at an answer: anonymous memory", ordinary, "anonymous", {}),
            most("at an answer: mapped memory", ordinary, "mapped", {}),
            most("at an answer: both", ordinary, "at_answers", limit),
            most("at any moment: both", ordinary, "ever", limit),
            most("while the largest guild is open, at any moment", big, "ever", limit),
            most("after it is dropped", one["after"], "ever", limit),
            Figure(f"median of opening and answering, images from {place}", "ms", one["median_ms"]),
            Figure(f"p99 of it, images from {place}", "ms", one["p99_ms"]),
        ]
    return figures


async def _child(module: str, *arguments: str) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    document: dict[str, Any] = orjson.loads(out.splitlines()[-1])
    return document

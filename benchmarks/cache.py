"""The caches: attachments' URLs over a day of replies, and chains under a limit on memory.

URLs: two processes, 100,000 replies over a day played in SECONDS, 5,000 URLs asked for as in Zipf's law with
exponent 1. Chains: 500 guilds of mixed size answered in turn under the smallest limit, each learning on, with one
guild among them that is larger than the limit; what counts is what the process took beyond what it had before.
"""

import asyncio
import itertools
import math
import sys
import time
from collections import defaultdict
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
SECONDS = 60.0
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
    day = SECONDS / DAY

    async def refresh(request: web.Request) -> web.Response:
        now = time.time()
        fresh = {}
        for url in await request.json():
            refreshed[url.partition("?")[0]].append(now)
            fresh[url] = f"{url.partition('?')[0]}?ex={math.ceil(now + DAY * day):x}&is=0&hm=1&"
        return web.json_response(fresh)

    app = web.Application()
    app.add_routes([web.post("/", refresh)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    discord = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    arguments = [str(REPLIES // PROCESSES), str(SECONDS)]
    found = await asyncio.gather(
        *(_child("benchmarks.cdn_cache", around.redis_url, discord, str(n), *arguments) for n in range(PROCESSES))
    )
    await runner.cleanup()
    outcomes = defaultdict(int)
    for one in found:
        for outcome, count in one["outcomes"].items():
            outcomes[outcome] += count
    assert sum(outcomes.values()) == REPLIES, outcomes
    soon = sum(
        later - earlier < LIFE_SECONDS * day * 0.98
        for times in refreshed.values()
        for earlier, later in itertools.pairwise(times)
    )
    return [
        Figure("replies with an attachment", "replies", REPLIES, smaller_is_better=False),
        Figure("answered by the cache", "%", 100 * outcomes["cached"] / REPLIES, {"asked for": 90.0}, False),
        Figure("answered by a refresh already under way", "%", 100 * outcomes["waited"] / REPLIES),
        Figure("without an answer", "replies", outcomes["failed"] + outcomes["gone"]),
        Figure("refreshes", "URLs", sum(map(len, refreshed.values())), {"without a cache": REPLIES}),
        Figure("refreshed again before the 23 hours were over", "URLs", soon),
        Figure("requests to Discord", "requests", sum(one["requests"] for one in found), {"without a cache": REPLIES}),
    ]


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
        assert not one["big_is_open"], one
        figures += [
            Figure(
                f"memory taken at most, images from {place}",
                "MiB",
                one["grown"] / 2**20,
                {"the limit": LIMIT_MB},
            ),
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

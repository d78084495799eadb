"""Stand-ins for Discord whose every REST answer is checked against Discord's own document, where that is at hand."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

from discord_sim.client import SimClient
from discord_sim.demo import add_application
from discord_sim.rest.contract import Contract
from discord_sim.rest.limits import RestLimits
from discord_sim.server import DiscordSim

OPENAPI = Path(__file__).parents[2] / "shared" / "discord" / "openapi.json"


@cache
def discord_document() -> Contract | None:
    """Discord's own document; None where it does not lie beside the checkout."""
    return Contract.read(OPENAPI) if OPENAPI.is_file() else None


def no_limits() -> RestLimits:
    """For tests of something else than limits."""
    return RestLimits(buckets=False, global_per_second=None, invalid_in_10_minutes=None)


@contextlib.asynccontextmanager
async def stand_in(**options: Any) -> AsyncIterator[DiscordSim]:
    """One in this process, with the demo's bot and no guild; `options` are DiscordSim's.

    Fails at its end where an answer was not as Discord's document says.
    """
    made = DiscordSim(contract=discord_document(), **options)
    add_application(made)
    async with made.serving():
        yield made
    assert made.violations == [], made.violations


@contextlib.asynccontextmanager
async def stand_in_process(*arguments: str) -> AsyncIterator[SimClient]:
    """One in a process of its own, on a free port; fails as `stand_in` does."""
    check = ("--check-answers", str(OPENAPI)) if OPENAPI.is_file() else ()
    command = (sys.executable, "-m", "discord_sim", "--port", "0", *check, *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        assert "listening on" in line
        async with SimClient(line.split()[-1]) as client:
            yield client
            found = await client.violations()
            assert found == [], found
    finally:
        process.terminate()
        await process.wait()

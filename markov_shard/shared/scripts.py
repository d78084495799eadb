"""The atomic steps in Redis: each a Lua file of `lua/`, run by name."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from markov_shard.shared.connect import redis_errors, server_of
from markov_shard.shared.keys import leader

_FOLDER = Path(__file__).with_name("lua")


@cache
def _source(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")


async def run_script(redis: Redis, name: str, keys: Sequence[str], arguments: Sequence[str | int | bytes]) -> Any:
    """Runs `lua/NAME.lua`, loading it where the server does not know it yet. Raises RedisUnavailableError."""
    script = redis.register_script(_source(name))
    with redis_errors(server_of(redis)):
        return await script(keys=list(keys), args=list(arguments))


async def fleet_clock(redis: Redis) -> int:
    """The time by which leases, members and tickets are judged, in milliseconds since 1970.

    Raises RedisUnavailableError.
    """
    return int(await run_script(redis, "clock", [leader()], []))

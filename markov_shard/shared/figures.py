"""Redis's own figures, as `status` shows them."""

from dataclasses import asdict, dataclass

from redis.asyncio import Redis

from markov_shard.shared.connect import redis_errors, server_of


@dataclass(frozen=True)
class RedisFigures:
    """Memory in bytes (`limit` 0: none); hits and misses of all reads since the server started."""

    used: int
    limit: int
    evicted: int
    hits: int
    misses: int


async def redis_figures(redis: Redis) -> dict[str, int]:
    """The figures by name. Raises RedisUnavailableError."""
    with redis_errors(server_of(redis)):
        info = await redis.info("memory") | await redis.info("stats")
    return asdict(
        RedisFigures(
            info["used_memory"],
            info["maxmemory"],
            info["evicted_keys"],
            info["keyspace_hits"],
            info["keyspace_misses"],
        )
    )

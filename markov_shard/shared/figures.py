"""Redis's own figures, as `status` shows them."""

from dataclasses import asdict, dataclass

from redis.asyncio import Redis

from markov_shard.shared.connect import of_each_node, redis_errors, server_of


@dataclass(frozen=True)
class RedisFigures:
    """Memory in bytes (`limit` 0: none); hits and misses of all reads since the server started. Of a cluster, the sums
    over its servers."""

    used: int
    limit: int
    evicted: int
    hits: int
    misses: int


async def redis_figures(redis: Redis) -> dict[str, int]:
    """The figures by name. Raises RedisUnavailableError."""
    with redis_errors(server_of(redis)):
        servers = of_each_node(await redis.info("memory")) + of_each_node(await redis.info("stats"))

    def total(name: str) -> int:
        return sum(int(server.get(name, 0)) for server in servers)

    return asdict(
        RedisFigures(
            total("used_memory"),
            total("maxmemory"),
            total("evicted_keys"),
            total("keyspace_hits"),
            total("keyspace_misses"),
        )
    )

"""Chain images in Redis, so that a guild's new owner need not ask Postgres. A cache: it may lose anything."""

from redis.asyncio import Redis
from redis.exceptions import RedisError

from markov_shard.shared import keys

CHUNK_BYTES = 1 << 19
LIFE_SECONDS = 24 * 3600


class ImageCache:
    """Whole images as chunks with a TTL, which Redis evicts by itself when memory runs short."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def get(self, guild_id: int, audience: str, version: int, size: int) -> bytes | None:
        """The image's bytes, unchecked; None when any chunk is gone or Redis is out of reach."""
        count = -(-size // CHUNK_BYTES)
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for number in range(count):
                    pipe.get(keys.image_chunk(guild_id, audience, version, number))
                chunks = await pipe.execute()
        except (RedisError, OSError):
            return None
        return None if None in chunks else b"".join(chunks)

    async def put(self, guild_id: int, audience: str, version: int, data: bytes) -> None:
        """Keeps an image; a Redis out of reach or full is no error, since Postgres has the truth."""
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for number, start in enumerate(range(0, len(data), CHUNK_BYTES)):
                    key = keys.image_chunk(guild_id, audience, version, number)
                    pipe.set(key, data[start : start + CHUNK_BYTES], ex=LIFE_SECONDS)
                await pipe.execute()
        except (RedisError, OSError):
            return

    async def drop(self, guild_id: int, audience: str, version: int, size: int) -> None:
        """Removes an image, damaged or no longer allowed to exist. Raises when Redis cannot be reached."""
        names = [keys.image_chunk(guild_id, audience, version, n) for n in range(-(-size // CHUNK_BYTES))]
        for name in names:
            await self._redis.delete(name)

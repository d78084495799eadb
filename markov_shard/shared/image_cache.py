"""Chain images in Redis, so that a guild's new owner need not ask Postgres. A cache: it may lose anything."""

import asyncio
from collections.abc import AsyncIterator

import zstandard
from redis.asyncio import Redis

from markov_shard.shared import keys
from markov_shard.shared.connect import ANY_REDIS_ERROR, redis_errors, server_of
from markov_shard.shared.scripts import run_script

LIFE_SECONDS = 24 * 3600

_AT_ONCE = 4  # chunks asked for together
_LEVEL = 1  # halves an image at 500 MB/s; unpacking is twice as fast
_MAX_CHUNK = 1 << 21


class NotCachedError(Exception):
    """An image, or a piece of it, is not in the cache, or Redis is out of reach."""


_VERSIONS_BACK, _MOST_CHUNKS = 100, 256
"""How many earlier images may still be cached, within the life of a copy, and the most chunks of one."""


class ImageCache:
    """Images as compressed chunks with a TTL, which Redis evicts by itself when memory runs short."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def chunks(self, guild_id: int, audience: str, version: int, count: int) -> AsyncIterator[bytes]:
        """The image's `count` chunks in order, unchecked. Raises NotCachedError, at any of them."""
        for start in range(0, count, _AT_ONCE):
            numbers = range(start, min(start + _AT_ONCE, count))
            try:
                with redis_errors(server_of(self._redis)):
                    pipe = self._redis.pipeline(transaction=False)
                    for number in numbers:
                        pipe.get(keys.image_chunk(guild_id, audience, version, number))
                    packed = await pipe.execute()
            except ANY_REDIS_ERROR as error:
                raise NotCachedError from error
            for chunk in packed:
                if chunk is None:
                    raise NotCachedError
                yield await asyncio.to_thread(_unpack, chunk)

    async def put(self, guild_id: int, audience: str, version: int, number: int, chunk: bytes) -> bool:
        """Keeps a chunk; False when the image is buried, or Redis out of reach or full. No error: Postgres has it."""
        packed = await asyncio.to_thread(zstandard.ZstdCompressor(level=_LEVEL).compress, chunk)
        try:
            names = [
                keys.image_chunk(guild_id, audience, version, number),
                keys.image_burial(guild_id, audience, version),
            ]
            return bool(await run_script(self._redis, "image_chunk_put", names, [packed, LIFE_SECONDS]))
        except ANY_REDIS_ERROR:
            return False

    async def drop(self, guild_id: int, audience: str, version: int, count: int) -> None:
        """Removes a damaged copy of an image. Raises RedisUnavailableError."""
        with redis_errors(server_of(self._redis)):
            await self._redis.unlink(
                *(keys.image_chunk(guild_id, audience, version, number) for number in range(count))
            )

    async def bury(self, guild_id: int, audience: str, version: int, count: int) -> None:
        """Removes an image that is no longer allowed to exist, and refuses it from then on, whoever still reads it.

        Raises RedisUnavailableError.
        """
        with redis_errors(server_of(self._redis)):
            await self._redis.set(keys.image_burial(guild_id, audience, version), 1, ex=LIFE_SECONDS)
        await self.drop(guild_id, audience, version, count)

    async def drop_before(self, guild_id: int, audience: str, version: int) -> None:
        """Removes earlier images whose rows are gone, and with them the knowledge of how many chunks they had.

        Raises RedisUnavailableError.
        """
        for earlier in range(max(1, version - _VERSIONS_BACK), version):
            chunks = [keys.image_chunk(guild_id, audience, earlier, number) for number in range(_MOST_CHUNKS)]
            with redis_errors(server_of(self._redis)):
                await self._redis.unlink(*chunks)


def _unpack(chunk: bytes) -> bytes:
    try:
        return zstandard.ZstdDecompressor().decompress(chunk, max_output_size=_MAX_CHUNK)
    except zstandard.ZstdError:
        return b""  # its checksum will not match

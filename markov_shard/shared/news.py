"""Announcements between processes: what changed of a guild outside its owner's process.

At most once: who was not listening finds the change in Postgres when it next opens the guild's chain.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgpack
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from markov_shard.logs import get_logger
from markov_shard.shared import keys
from markov_shard.shared.connect import ANY_REDIS_ERROR, redis_errors, server_of

_log = get_logger(__name__)
What = Literal["image", "removal", "purge", "channels"]


@dataclass(frozen=True)
class News:
    """What changed: `image` (a new one is published), `removal` (messages went, of one user if named),

    `purge` (everything went), `channels` (settings).
    """

    guild_id: int
    what: What
    user_id: int = 0


async def announce(redis: Redis, news: News) -> None:
    """Tells whoever owns the guild. Losing an announcement loses nothing but time, so it never raises."""
    content = {"v": 1, "guild": news.guild_id, "what": news.what, "user": news.user_id}
    try:
        await redis.publish(keys.guild_news(), msgpack.packb(content))
    except ANY_REDIS_ERROR as error:
        _log.warning("an announcement was not sent", guild=str(news.guild_id), what=news.what, reason=str(error))


async def listen(
    redis: Redis, *, on_news: Callable[[News], Awaitable[None]], on_gap: Callable[[], Awaitable[None]]
) -> None:
    """Calls `on_news` for each announcement until cancelled.

    Subscribes again when Redis comes back, and then calls `on_gap`: some may have been missed.
    """
    missed = False
    while True:
        try:
            async with redis.pubsub(ignore_subscribe_messages=True) as subscription:
                with redis_errors(server_of(redis)):
                    await subscription.subscribe(keys.guild_news())
                if missed:
                    await on_gap()
                async for message in _heard(redis, subscription):
                    news = _parse(message["data"])
                    if news is not None:
                        await on_news(news)
        except ANY_REDIS_ERROR as error:
            _log.warning("announcements cannot be heard; trying again", reason=str(error))
            missed = True
            await asyncio.sleep(1)


async def _heard(redis: Redis, subscription: PubSub) -> AsyncIterator[Mapping[str, Any]]:
    """The announcements as they come. Raises RedisUnavailableError."""
    with redis_errors(server_of(redis)):
        async for message in subscription.listen():
            yield message


def _parse(data: bytes) -> News | None:
    try:
        content = msgpack.unpackb(data)
        return News(int(content["guild"]), content["what"], int(content.get("user", 0))) if content["v"] == 1 else None
    except (ValueError, KeyError, TypeError, msgpack.UnpackException):
        _log.warning("an announcement cannot be read", bytes=len(data))
        return None

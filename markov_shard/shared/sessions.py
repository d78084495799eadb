"""Where each shard's gateway session can be resumed: only ever a position up to which everything is stored."""

from dataclasses import dataclass

import msgpack
from redis.asyncio import Redis

from markov_shard.logs import get_logger
from markov_shard.shared import keys
from markov_shard.shared.connect import redis_errors, server_of
from markov_shard.shared.scripts import run_script

_log = get_logger(__name__)


@dataclass(frozen=True)
class Session:
    """A gateway session and the sequence number to resume it from."""

    session_id: str
    seq: int
    resume_url: str
    user_id: int


class Sessions:
    """The fleet's session positions."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def load(self, shard_count: int, shard_id: int) -> Session | None:
        """The shard's session; None when none is known. Raises RedisUnavailableError."""
        with redis_errors(server_of(self._redis)):
            content = await self._redis.hget(keys.session(shard_count, shard_id), "content")
        if content is None:
            return None
        try:
            return Session(*msgpack.unpackb(content))
        except (ValueError, TypeError, msgpack.UnpackException):
            _log.warning("a saved session cannot be read; identifying instead", shard=shard_id)
            return None

    async def save(self, shard_count: int, shard_id: int, epoch: int, session: Session) -> bool:
        """Saves the position; False when a later owner has saved one. Raises RedisUnavailableError."""
        content = msgpack.packb((session.session_id, session.seq, session.resume_url, session.user_id))
        name = keys.session(shard_count, shard_id)
        return bool(await run_script(self._redis, "session_save", [name], [epoch, content]))

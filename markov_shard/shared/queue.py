"""Job references on Redis streams, one stream a lane, one consumer group of all workers.

At least once: a job may be delivered again, and its ledger in Postgres makes sure that it counts once. Redis
only says who should look at which job; losing the streams loses no job, since a sweep fills them from the ledger.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgpack
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from markov_shard.logs import get_logger
from markov_shard.shared import keys
from markov_shard.shared.connect import redis_errors, server_of

_log = get_logger(__name__)

GROUP = "workers"
RECLAIM_MS = 30_000
"""A delivery that was not renewed for this long belongs to a dead worker."""

_VERSION = 1
_Entries = list[tuple[bytes, dict[bytes, bytes]]]
_DEAD_LETTERS_KEPT = 10_000


@dataclass(frozen=True)
class Reference:
    """Points at a job's row in Postgres: IDs only."""

    guild_id: int
    job_id: int


@dataclass(frozen=True)
class Delivery:
    """A stream entry given to this worker; `reference` is None when it cannot be read."""

    lane: str
    entry: bytes
    reference: Reference | None


class JobQueue:
    """The streams, as one process (`consumer`) sees them. Every method raises RedisUnavailableError."""

    def __init__(self, redis: Redis, consumer: str) -> None:
        self._redis = redis
        self._consumer = consumer

    async def put(self, lane: str, reference: Reference) -> None:
        """Adds a reference; twice does no harm."""
        content = msgpack.packb({"v": _VERSION, "guild": reference.guild_id, "job": reference.job_id})
        with redis_errors(server_of(self._redis)):
            await self._redis.xadd(keys.job_stream(lane), {"job": content})

    async def read(self, lane: str, *, block_ms: int = 2000) -> Delivery | None:
        """The next job: first one that a dead worker left, then a new one; None when there is none for a while."""
        stream = keys.job_stream(lane)
        with redis_errors(server_of(self._redis)):
            try:
                entries = await self._left_behind(stream) or await self._new(stream, block_ms)
            except ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
                await self._make_group(stream)
                return None
        if not entries:
            return None
        entry, fields = entries[0]
        return Delivery(lane, entry, _parse(fields))

    async def _left_behind(self, stream: str) -> _Entries:
        """A delivery that its worker no longer renews."""
        found: Any = await self._redis.xautoclaim(stream, GROUP, self._consumer, min_idle_time=RECLAIM_MS, count=1)
        return [entry for entry in found[1] if entry[1]]

    async def _new(self, stream: str, block_ms: int) -> _Entries:
        """An entry that nobody was given yet."""
        found: Any = await self._redis.xreadgroup(GROUP, self._consumer, {stream: ">"}, count=1, block=block_ms)
        if isinstance(found, dict):  # the protocol's version 3
            found = list(found.items())
        return list(found[0][1]) if found else []

    async def _make_group(self, stream: str) -> None:
        try:
            await self._redis.xgroup_create(stream, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def renew(self, delivery: Delivery) -> None:
        """Says that this worker still works on a delivery."""
        with redis_errors(server_of(self._redis)):
            await self._redis.xclaim(
                keys.job_stream(delivery.lane), GROUP, self._consumer, 0, [delivery.entry], justid=True
            )

    async def done(self, delivery: Delivery) -> None:
        """Takes a delivery off the stream: its job is finished, or somebody else's."""
        stream = keys.job_stream(delivery.lane)
        with redis_errors(server_of(self._redis)):
            await self._redis.xack(stream, GROUP, delivery.entry)
            await self._redis.xdel(stream, delivery.entry)

    async def bury(self, delivery: Delivery, reason: str) -> None:
        """Moves a delivery to the dead letters."""
        reference = delivery.reference
        content: dict[Any, Any] = {
            "lane": delivery.lane,
            "guild": str(reference.guild_id) if reference else "",
            "job": str(reference.job_id) if reference else "",
            "reason": reason[:1000],
        }
        with redis_errors(server_of(self._redis)):
            await self._redis.xadd(keys.dead_letters(), content, maxlen=_DEAD_LETTERS_KEPT)
        await self.done(delivery)

    async def waiting(self, lane: str) -> set[Reference]:
        """What is on a lane's stream, delivered or not."""
        with redis_errors(server_of(self._redis)):
            entries = await self._redis.xrange(keys.job_stream(lane)) or []
        return {reference for _, fields in entries if (reference := _parse(fields))}

    async def depth(self, lane: str) -> int:
        """How many jobs of a lane are waiting or being worked on."""
        with redis_errors(server_of(self._redis)):
            return int(await self._redis.xlen(keys.job_stream(lane)))

    async def dead(self) -> int:
        """How many dead letters there are."""
        with redis_errors(server_of(self._redis)):
            return int(await self._redis.xlen(keys.dead_letters()))


def _parse(fields: Mapping[Any, Any] | None) -> Reference | None:
    try:
        content = msgpack.unpackb((fields or {})[b"job"])
        if content["v"] == _VERSION:
            return Reference(int(content["guild"]), int(content["job"]))
    except (ValueError, KeyError, TypeError, msgpack.UnpackException):
        pass
    _log.warning("a job reference cannot be read; it goes to the dead letters")
    return None

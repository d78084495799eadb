"""Job references on Redis streams, one stream a lane, one consumer group of all workers.

At least once: a job may be delivered again, and its ledger in Postgres makes sure that it counts once. Redis
only says who should look at which job; losing the streams loses no job, since a sweep fills them from Postgres.
The steps that must not come apart are Lua files (`lua/queue_*.lua`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from markov_shard.logs import get_logger
from markov_shard.shared import keys
from markov_shard.shared.connect import redis_errors, server_of
from markov_shard.shared.scripts import run_script

_log = get_logger(__name__)

GROUP = "workers"
RECLAIM_MS = 30_000
"""A delivery that was not renewed for this long belongs to a dead worker."""

_VERSION = 1
_Entries = list[tuple[bytes, dict[bytes, bytes]]]
_DEAD_LETTERS_KEPT = 10_000
_CONSUMER_KEPT_MS = 24 * 3600 * 1000


@dataclass(frozen=True)
class Reference:
    """Points at a job's row in Postgres: IDs only."""

    guild_id: int
    job_id: int

    @property
    def field(self) -> str:
        """Its name in the lane's index."""
        return f"{self.guild_id}:{self.job_id}"

    @property
    def packed(self) -> bytes:
        """What the stream holds of it."""
        return bytes(msgpack.packb({"v": _VERSION, "guild": self.guild_id, "job": self.job_id}))


@dataclass(frozen=True)
class Delivery:
    """A stream entry given to this worker; `reference` is None when it cannot be read, `fault` then says why."""

    lane: str
    entry: bytes
    reference: Reference | None
    fault: str = ""


@dataclass(frozen=True)
class DeadLetter:
    """A job that was given up, or a reference that nobody can read."""

    letter: str
    seconds: float
    """When, in Unix time."""
    lane: str
    guild_id: int | None
    job_id: int | None
    reason: str


class JobQueue:
    """The streams, as one process (`consumer`) sees them. Every method raises RedisUnavailableError."""

    def __init__(self, redis: Redis, consumer: str) -> None:
        self._redis = redis
        self._consumer = consumer

    async def put(self, lane: str, reference: Reference) -> bool:
        """Adds a reference; False when it is on the stream already."""
        places = [keys.job_stream(lane), keys.job_index(lane)]
        return bool(await run_script(self._redis, "queue_put", places, [reference.field, reference.packed]))

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
        return _delivery(lane, *entries[0]) if entries else None

    async def _left_behind(self, stream: str) -> _Entries:
        """A delivery that its worker no longer renews."""
        found: Any = await self._redis.xautoclaim(stream, GROUP, self._consumer, min_idle_time=RECLAIM_MS, count=1)
        return [entry for entry in found[1] if entry[1]]

    async def _new(self, stream: str, block_ms: int) -> _Entries:
        """An entry that nobody was given yet."""
        found: Any = await self._redis.xreadgroup(GROUP, self._consumer, {stream: ">"}, count=1, block=block_ms)
        return _entries(found)

    async def _make_group(self, stream: str) -> None:
        try:
            await self._redis.xgroup_create(stream, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def own(self, lane: str) -> Sequence[Delivery]:
        """What an earlier process of this consumer's name was given and did not finish: it need not age first."""
        with redis_errors(server_of(self._redis)):
            try:
                found: Any = await self._redis.xreadgroup(GROUP, self._consumer, {keys.job_stream(lane): "0"})
            except ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
                return []
        return [_delivery(lane, entry, fields) for entry, fields in _entries(found) if fields]

    async def renew(self, delivery: Delivery) -> bool:
        """Says that this worker still works on a delivery; False when it is no longer this worker's."""
        place = [keys.job_stream(delivery.lane)]
        return bool(await run_script(self._redis, "queue_renew", place, [GROUP, self._consumer, delivery.entry]))

    async def done(self, delivery: Delivery) -> None:
        """Takes a delivery off the stream: its job is finished, or somebody else's."""
        await run_script(self._redis, "queue_done", _places(delivery), [GROUP, delivery.entry, _field(delivery)])

    async def again(self, delivery: Delivery) -> None:
        """Puts a delivery at the end of its stream: others are served first, and any worker may go on with it."""
        reference = delivery.reference
        assert reference is not None
        arguments: list[str | int | bytes] = [GROUP, delivery.entry, reference.field, reference.packed]
        await run_script(self._redis, "queue_again", _places(delivery), arguments)

    async def bury(self, delivery: Delivery, reason: str) -> None:
        """Moves a delivery to the dead letters."""
        reference = delivery.reference
        letter = {
            "lane": delivery.lane,
            "guild": str(reference.guild_id) if reference else "",
            "job": str(reference.job_id) if reference else "",
            "reason": reason[:1000],
        }
        flat = [part for pair in letter.items() for part in pair]
        places = [*_places(delivery), keys.dead_letters()]
        arguments: list[str | int | bytes] = [GROUP, delivery.entry, _field(delivery), _DEAD_LETTERS_KEPT, *flat]
        await run_script(self._redis, "queue_bury", places, arguments)

    async def depth(self, lane: str) -> int:
        """How many jobs of a lane are waiting or being worked on."""
        with redis_errors(server_of(self._redis)):
            return int(await self._redis.xlen(keys.job_stream(lane)))

    async def waiting(self, lane: str) -> int:
        """How many jobs of a lane no worker was given yet."""
        stream = keys.job_stream(lane)
        with redis_errors(server_of(self._redis)):
            try:
                given: Any = await self._redis.xpending(stream, GROUP)
            except ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
                return await self.depth(lane)
        return max(0, await self.depth(lane) - int(given["pending"]))

    async def oldest(self, lane: str) -> float:
        """Seconds since the oldest of them was put there; 0 when there is none."""
        with redis_errors(server_of(self._redis)):
            entries: Any = await self._redis.xrange(keys.job_stream(lane), count=1)
            seconds, _ = await self._redis.time()
        if not entries:
            return 0.0
        return max(0.0, round(seconds - int(entries[0][0].partition(b"-")[0]) / 1000, 1))

    async def dead(self) -> int:
        """How many dead letters there are."""
        with redis_errors(server_of(self._redis)):
            return int(await self._redis.xlen(keys.dead_letters()))

    async def dead_letters(self, *, limit: int = 1000) -> Sequence[DeadLetter]:
        """The dead letters, the newest first."""
        with redis_errors(server_of(self._redis)):
            entries: Any = await self._redis.xrevrange(keys.dead_letters(), count=limit)
        return [_letter(entry, fields) for entry, fields in entries]

    async def drop_letters(self, job_id: int) -> None:
        """Forgets the dead letters of a job that is tried again."""
        letters = [
            letter.letter for letter in await self.dead_letters(limit=_DEAD_LETTERS_KEPT * 2) if letter.job_id == job_id
        ]
        if letters:
            with redis_errors(server_of(self._redis)):
                await self._redis.xdel(keys.dead_letters(), *letters)

    async def rewrite_letters(self, guild_id: int, job_ids: Collection[int], reason: str) -> None:
        """Gives the dead letters of a guild's jobs another reason, as when the old one must be forgotten."""
        arguments: list[str | int | bytes] = [str(guild_id), reason, *map(str, sorted(job_ids))]
        await run_script(self._redis, "queue_rewrite", [keys.dead_letters()], arguments)

    async def take_sweep(self, name: str, seconds: float) -> bool:
        """Whether this process is the one to sweep now: one of all workers, once in `seconds`."""
        with redis_errors(server_of(self._redis)):
            taken = await self._redis.set(keys.job_sweep(name), self._consumer, nx=True, px=int(seconds * 1000))
        return bool(taken)

    async def drop_old_consumers(self, lane: str) -> None:
        """Forgets consumers of processes that are long gone and left nothing."""
        stream = keys.job_stream(lane)
        with redis_errors(server_of(self._redis)):
            try:
                consumers: Any = await self._redis.xinfo_consumers(stream, GROUP)
            except ResponseError:
                return  # no stream or no group yet
            for consumer in consumers:
                if not consumer["pending"] and consumer["idle"] > _CONSUMER_KEPT_MS:
                    await self._redis.xgroup_delconsumer(stream, GROUP, consumer["name"])


def _entries(found: Any) -> _Entries:
    if isinstance(found, dict):  # the protocol's version 3
        found = [
            (stream, entries[0] if entries and isinstance(entries[0], list) else entries)
            for stream, entries in found.items()
        ]
    return list(found[0][1]) if found else []


def _places(delivery: Delivery) -> list[str]:
    return [keys.job_stream(delivery.lane), keys.job_index(delivery.lane)]


def _field(delivery: Delivery) -> str:
    return delivery.reference.field if delivery.reference else ""


def _delivery(lane: str, entry: bytes, fields: Mapping[Any, Any] | None) -> Delivery:
    try:
        content = msgpack.unpackb((fields or {})[b"job"])
        if content["v"] != _VERSION:
            return Delivery(lane, entry, None, f"a reference of version {content['v']!r:.40}, not {_VERSION}")
        guild_id, job_id = content["guild"], content["job"]
        if isinstance(guild_id, int) and isinstance(job_id, int) and 0 <= guild_id < 2**63 and 0 <= job_id < 2**63:
            return Delivery(lane, entry, Reference(guild_id, job_id))
        fault = "a reference whose guild or job is not an ID"
    except (ValueError, KeyError, TypeError, msgpack.UnpackException):
        fault = "not a job reference"
    _log.warning("a job reference cannot be read; it goes to the dead letters", reason=fault)
    return Delivery(lane, entry, None, fault)


def _letter(entry: bytes, fields: Mapping[bytes, bytes]) -> DeadLetter:
    text = {key.decode(): value.decode("utf-8", "replace") for key, value in fields.items()}
    return DeadLetter(
        entry.decode(),
        int(entry.partition(b"-")[0]) / 1000,
        text.get("lane", ""),
        int(text["guild"]) if text.get("guild") else None,
        int(text["job"]) if text.get("job") else None,
        text.get("reason", ""),
    )

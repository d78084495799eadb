"""One REST budget for the whole fleet: Discord counts requests for the bot and invalid answers for the address.

50 requests a second for a bot, and a ban of the address after 10,000 answers of 401, 403 or 429 in 10 minutes
(https://discord.com/developers/docs/topics/rate-limits). The buckets of single routes are hikari's.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from markov_shard.errors import RedisUnavailableError
from markov_shard.logs import get_logger
from markov_shard.shared import keys
from markov_shard.shared.scripts import run_script
from markov_shard.tasks import end

_log = get_logger(__name__)

INVALID_LIMIT = 10_000
INVALID_SECONDS = 600.0

_OPENS_AT = 0.9
"""Of the limit: requests under way when the breaker opens may come back invalid too."""

_RATE_SHARE, _BURST_SHARE = 0.8, 0.15
"""Of the limit a second: however bursts fall, no second sees more than the two together, and what was sent a moment
earlier or is a moment late still fits."""

_ASK_SECONDS = 1.0
"""For Redis's answer: a reply waits for it. When it does not come, Redis is not asked again for as long."""

_PAUSED_SECONDS = 5.0
"""Between two looks of a paused process that asks nothing by itself."""

_NEWS_SECONDS, _OLD_SECONDS = 1.0, 10.0
"""Age of the breaker's news at which it is asked for again, and at which a request outside the limit waits for it."""


class RestPausedError(Exception):
    """No request is sent, because too many answers were invalid: Discord would ban the address."""


@dataclass
class _Local:
    """What this process does while Redis is away: its share of the rate, and its own count of invalid answers."""

    clock: Callable[[], float]
    free_at: float = 0.0

    def take(self, interval: float) -> float:
        now = self.clock()
        wait = max(0.0, self.free_at - now)
        self.free_at = max(self.free_at, now) + interval
        return wait


class RestBudget:
    """Asked before each request to Discord; told of each answer. One for a process."""

    def __init__(
        self,
        redis: Redis,
        per_second: int,
        *,
        invalid_limit: int = INVALID_LIMIT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`per_second`: what Discord allows the bot; 0: a proxy keeps it, and only invalid answers are counted."""
        self._redis = redis
        self._per_second = per_second
        self._opens_at = int(invalid_limit * _OPENS_AT)
        self._clock = clock
        self._local = _Local(clock)
        self._members = 1
        self._own: deque[float] = deque()
        self._invalid = 0
        self._looked_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self._pause: asyncio.Task[None] | None = None
        self._redis_away = False
        self._away_until = float("-inf")
        self.requests = 0
        self.waited = 0.0
        """Seconds that requests waited for their time, in all."""
        self.invalid = 0
        """Invalid answers to this process."""

    @property
    def invalid_in_10_minutes(self) -> int:
        """Of the whole fleet, as far as this process heard."""
        return self._invalid

    @property
    def paused(self) -> bool:
        """Whether the breaker is open."""
        return self._invalid >= self._opens_at

    async def take(self, *, limited: bool = True) -> None:
        """Waits for a request's time. Raises RestPausedError while the breaker is open.

        `limited`: whether it counts for the bot's limit, as answers to interactions do not.
        """
        wait = await self._ask_fleet() if limited and self._per_second else await self._look()
        if self.paused:
            raise RestPausedError(
                f"{self._invalid} answers of 401, 403 or 429 came in 10 minutes: no request is sent until they are"
                f" fewer than {self._opens_at}, or Discord would ban this address"
            )
        self.requests += 1
        if wait:
            self.waited += wait
            await asyncio.sleep(wait)

    async def close(self) -> None:
        """Ends what looks at Redis beside the requests; before Redis is closed."""
        await end([task for task in (self._looking, self._pause) if task is not None])

    async def _ask_fleet(self) -> float:
        arguments: list[str | int] = [round(self._interval * 1_000_000), self._burst]
        found = await self._ask("rest_take", [keys.rest(), keys.members()], arguments)
        if found is None:
            return self._local.take(self._interval * self._members)
        wait, invalid, members = found
        self._heard(invalid)
        self._members = max(1, members)
        return float(wait) / 1_000_000

    async def _look(self) -> float:
        """For a request outside the limit: news of the breaker is fetched beside it, unless none came for long."""
        age = self._clock() - self._looked_at
        if age > _NEWS_SECONDS and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(self._look_up(), name="REST budget")
        if age > _OLD_SECONDS and self._looking is not None:
            await asyncio.shield(self._looking)
        return 0.0

    async def _look_up(self) -> None:
        await self._count(0)
        self._looked_at = self._clock()

    async def answered(self, status: int, *, scope: str = "", retry_after: float = 0.0) -> None:
        """An answer's status; `scope` and `retry_after` of a 429: that of everybody's resource counts for nobody."""
        if status not in (401, 403, 429) or scope == "shared":
            return
        self.invalid += 1
        self._own.append(self._clock())
        await self._count(1)
        if status == 429 and scope == "global" and self._per_second:
            arguments: list[str | int] = [round(retry_after * 1_000_000), round(self._interval * 1_000_000)]
            await self._ask("rest_pause", [keys.rest()], [*arguments, self._burst])

    async def _count(self, one: int) -> None:
        invalid = await self._ask("rest_invalid", [keys.rest()], [one])
        if invalid is not None:
            self._heard(invalid)

    @property
    def _interval(self) -> float:
        return 1 / (self._per_second * _RATE_SHARE)

    @property
    def _burst(self) -> int:
        return max(1, int(self._per_second * _BURST_SHARE))

    async def _ask(self, script: str, names: list[str], arguments: list[str | int]) -> Any:
        """What Redis says; None while it is away."""
        if self._clock() < self._away_until:
            self._without_redis()
            return None
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                return await run_script(self._redis, script, names, arguments)
        except (RedisUnavailableError, TimeoutError):
            self._away_until = self._clock() + _ASK_SECONDS
            self._without_redis()
            return None

    def _heard(self, invalid: int) -> None:
        if self._redis_away:
            _log.info("REST requests are counted for the whole fleet again")
            self._redis_away = False
        self._set_invalid(invalid)

    def _without_redis(self) -> None:
        """Each process keeps to its share, and counts its own invalid answers as if all did as badly."""
        if not self._redis_away:
            _log.warning("without Redis each process keeps to its share of REST requests", processes=self._members)
            self._redis_away = True
        while self._own and self._own[0] < self._clock() - INVALID_SECONDS:
            self._own.popleft()
        self._set_invalid(len(self._own) * self._members)

    def _set_invalid(self, invalid: int) -> None:
        was = self.paused
        self._invalid = invalid
        if self.paused and not was:
            _log.error("REST requests are paused: Discord would ban this address", invalid_in_10_minutes=invalid)
            if self._pause is None or self._pause.done():
                self._pause = asyncio.create_task(self._wait_it_out(), name="REST pause")
        elif was and not self.paused:
            _log.info("REST requests go on", invalid_in_10_minutes=invalid)

    async def _wait_it_out(self) -> None:
        """Looks until the breaker closes: metrics and the health page must tell it where nobody asks for anything."""
        while self.paused:
            await asyncio.sleep(_PAUSED_SECONDS)
            await self._look_up()

"""Signed CDN URLs of attachments: Discord's expire after a day, so they are refreshed in batches and shared.

A URL that is known is one read of Redis; one that is not is refreshed by one process, whoever else asks for it
meanwhile. A cache: losing it costs refreshes. Redis out of reach, each process refreshes for itself.
"""

import asyncio
import hashlib
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, get_args
from urllib.parse import parse_qs, urlsplit

from redis.asyncio import Redis

from markov_shard.errors import DiscordUnavailableError, MarkovShardError, RedisUnavailableError
from markov_shard.fast_lines import FastLogger
from markov_shard.logs import get_logger
from markov_shard.shared import keys
from markov_shard.shared.connect import ANY_REDIS_ERROR
from markov_shard.shared.scripts import run_script

_log = get_logger(__name__)
_lines = FastLogger(__name__)

LIFE_SECONDS = 23 * 3600
MAX_BATCH = 50
"""URLs that Discord takes in one request."""

MARGIN_SECONDS = 300
"""A URL handed out now is looked at a little later."""
PATIENCE_SECONDS = 2.0
"""How long an answer waits for its attachment's URL; Discord gives an interaction three seconds."""

_GATHER_SECONDS = 0.01  # how long a batch waits for company
_HOLD_MS = 15_000  # after which a process that took on a refresh is taken for dead
_POLL_SECONDS = 0.05
_GONE_SECONDS, _FAILED_SECONDS = 600, 5
_GONE, _FAILED = b"gone", b"failed"  # in the place of a URL, which begins with its scheme

Refresh = Callable[[Sequence[str]], Awaitable[Mapping[str, str | None]]]
"""Asks Discord for up to MAX_BATCH URLs; None, or no entry, for a file that is gone. Raises DiscordUnavailableError."""

Outcome = Literal["unexpired", "cached", "refreshed", "waited", "gone", "failed"]
_Found = tuple[Outcome, str | None]


class CdnUrls:
    """The fleet's refreshed URLs, as one process uses them."""

    def __init__(
        self,
        redis: Redis,
        refresh: Refresh,
        *,
        holder: str,
        on_gone: Callable[[int, str], Awaitable[None]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`holder` names the process; `on_gone` is told the guild and the URL of a file that no longer exists.

        What is kept is valid by `clock` (Unix time), and gone by Redis's own clock when as much time has passed there.
        """
        self._redis = redis
        self._refresh = refresh
        self._holder = holder
        self._on_gone = on_gone
        self._clock = clock
        self._asking: dict[str, asyncio.Task[_Found]] = {}
        self._batch: dict[str, asyncio.Future[str | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.outcomes: Counter[Outcome] = Counter()
        """How each question was answered; `waited`: by a refresh that was under way."""
        self.requests = 0
        """Refresh requests sent to Discord."""

    async def fresh(self, guild_id: int, url: str) -> str | None:
        """The URL with a signature that is valid now; None for a file that is gone, or when Discord is away.

        A file that is gone is dropped from the guild's storage. Takes PATIENCE_SECONDS at most.
        """
        started = time.perf_counter()
        outcome, found = await self._found(guild_id, url)
        self.outcomes[outcome] += 1
        if outcome in ("cached", "waited"):
            ms = round((time.perf_counter() - started) * 1000, 3)
            _lines.info("Using cached CDN URL", guild=str(guild_id), ms=ms)
        return found

    async def forget(self, urls: Sequence[str]) -> None:
        """Drops what is kept of files whose message is gone; a Redis out of reach drops it within a day by itself."""
        try:
            for url in urls:
                await self._redis.delete(keys.cdn_url(_digest(url)))
        except ANY_REDIS_ERROR as error:
            _log.warning("kept CDN URLs could not be dropped", reason=str(error))

    def by_outcome(self) -> Mapping[str, float]:
        """How many questions were answered in each way."""
        return {outcome: self.outcomes[outcome] for outcome in get_args(Outcome)}

    @property
    def hit_rate(self) -> float:
        """The share of questions that needed no refresh of their own; 1 before the first question."""
        missed = self.outcomes["refreshed"] + self.outcomes["gone"] + self.outcomes["failed"]
        return 1 - missed / total if (total := self.outcomes.total()) else 1.0

    async def _found(self, guild_id: int, url: str) -> _Found:
        if (expires := expiry(url)) is not None and expires - MARGIN_SECONDS > self._clock():
            return "unexpired", url
        digest = _digest(url)
        asking = self._asking.get(digest)
        joined = asking is not None
        if asking is None:
            asking = self._asking[digest] = asyncio.create_task(self._ask(guild_id, url, digest), name="CDN URL")
            asking.add_done_callback(lambda _: self._asking.pop(digest, None))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                outcome, found = await asyncio.shield(asking)  # goes on for the next who asks
        except TimeoutError:
            return "failed", None
        return ("waited" if joined and found else outcome), found

    async def _ask(self, guild_id: int, url: str, digest: str) -> _Found:
        names = [keys.cdn_url(digest), keys.cdn_refresh(digest)]
        outcome: Outcome = "cached"
        while True:
            try:
                now = int(self._clock() * 1000)
                answer = await run_script(self._redis, "cdn_url_ask", names, [self._holder, _HOLD_MS, now])
            except RedisUnavailableError:
                return await self._refreshed(guild_id, url, digest)
            match answer:
                case [b"known", value] if value in (_GONE, _FAILED):
                    return ("gone" if value == _GONE else "failed"), None
                case [b"known", value]:
                    return outcome, value.decode()
                case [b"take"]:
                    return await self._refreshed(guild_id, url, digest)
            outcome = "waited"
            await asyncio.sleep(_POLL_SECONDS)

    async def _refreshed(self, guild_id: int, url: str, digest: str) -> _Found:
        """Has the URL refreshed with others of the moment, and tells the fleet."""
        try:
            found = await self._in_batch(url)
        except DiscordUnavailableError as error:
            _log.warning("a CDN URL cannot be refreshed", guild=str(guild_id), reason=str(error))
            await self._keep(digest, _FAILED, _FAILED_SECONDS)
            return "failed", None
        if found is None:
            await self._keep(digest, _GONE, _GONE_SECONDS)
            try:
                await self._on_gone(guild_id, url)
            except MarkovShardError as error:
                _log.warning("a file that is gone stays listed for now", guild=str(guild_id), reason=str(error))
            return "gone", None
        left = LIFE_SECONDS if (expires := expiry(found)) is None else expires - MARGIN_SECONDS - self._clock()
        if left > 0:
            await self._keep(digest, found.encode(), min(left, LIFE_SECONDS))
        return "refreshed", found

    async def _keep(self, digest: str, value: bytes, seconds: float) -> None:
        names = [keys.cdn_url(digest), keys.cdn_refresh(digest)]
        life, until = int(seconds * 1000), math.ceil((self._clock() + seconds) * 1000)
        try:
            await run_script(self._redis, "cdn_url_put", names, [self._holder, value, life, until])
        except RedisUnavailableError as error:
            _log.debug("a CDN URL is not shared", reason=str(error))

    def _in_batch(self, url: str) -> asyncio.Future[str | None]:
        waiting = self._batch.get(url)
        if waiting is None:
            loop = asyncio.get_running_loop()
            waiting = self._batch[url] = loop.create_future()
            if len(self._batch) == 1:
                loop.call_later(_GATHER_SECONDS, self._send)
            elif len(self._batch) == MAX_BATCH:
                self._send()
        return waiting

    def _send(self) -> None:
        """Sends what is gathered; a timer of a batch that was full before finds nothing, or sends the next early."""
        if self._batch:
            batch, self._batch = self._batch, {}
            task = asyncio.create_task(self._send_batch(batch), name="refreshing CDN URLs")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send_batch(self, batch: Mapping[str, asyncio.Future[str | None]]) -> None:
        self.requests += 1
        try:
            found = await self._refresh(list(batch))
        except BaseException as error:
            for waiting in batch.values():
                if not waiting.done():
                    waiting.set_exception(error)
            if not isinstance(error, DiscordUnavailableError):
                raise
            return
        for url, waiting in batch.items():
            if not waiting.done():
                waiting.set_result(found.get(url))


def expiry(url: str) -> float | None:
    """When a signed URL expires, in Unix time, from its `ex` (hexadecimal seconds); None where it has none."""
    query = parse_qs(urlsplit(url).query)
    try:
        return float(int(query["ex"][0], 16))
    except (KeyError, ValueError):
        return None


def _digest(url: str) -> str:
    """The same for every signature of one file."""
    parts = urlsplit(url)
    return hashlib.blake2b(f"{parts.netloc}{parts.path}".encode(), digest_size=16).hexdigest()

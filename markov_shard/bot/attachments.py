"""Attachments of answers: one of a source message, else of any learned message of the guild."""

import random
import time
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

import aiohttp

from markov_shard.bot.sending import File
from markov_shard.bot.timing import Stage, left_out
from markov_shard.guilds.registry import Guilds
from markov_shard.logs import get_logger
from markov_shard.settings import Settings
from markov_shard.shared.cdn_urls import CdnUrls
from markov_shard.store.guilds import read_guild
from markov_shard.store.messages import attachments_of, some_attachments
from markov_shard.store.pool import Database
from markov_shard.training.downloads import allowed_hosts

_log = get_logger(__name__)

MAX_BYTES = 8 << 20
"""What any bot may attach is 10 MiB; a little less leaves room for the form around it."""

_DOWNLOAD_SECONDS = 5.0
_NONE_SECONDS = 600.0  # for which a guild without attachments is not asked about again


class Attachments:
    """Chooses and fetches what an answer carries."""

    def __init__(
        self,
        database: Database,
        guilds: Guilds,
        urls: CdnUrls,
        settings: Settings,
        rng: random.Random,
        observe: Callable[[Stage, float], None] = lambda stage, seconds: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`observe` is told how many seconds it took to have a URL, and a file."""
        self._database = database
        self._guilds = guilds
        self._urls = urls
        self._chance = float(settings.attachment_chance)
        self._hosts = allowed_hosts(settings.rest_url)
        self._rng = rng
        self._observe = observe
        self._clock = clock
        self._none_until: dict[int, float] = {}

    def wanted(self, guild_id: int) -> bool:
        """Throws the dice for one answer; no for a guild that has learned no attachment lately."""
        if not self._chance or self._rng.random() * 100 >= self._chance:
            return False
        return self._none_until.get(guild_id, 0.0) <= self._clock() or self._guilds.learned_file(guild_id)

    async def choose(self, guild_id: int, sources: Sequence[int], *, restricted: bool) -> str | None:
        """A fresh URL; `restricted`: the answer goes to an age-restricted channel. None when there is none."""
        with left_out("url", self._observe):
            return await self._choose(guild_id, sources, restricted=restricted)

    async def _choose(self, guild_id: int, sources: Sequence[int], *, restricted: bool) -> str | None:
        async with self._database.connection() as connection:
            generation = (await read_guild(connection, guild_id)).generation
            found = await attachments_of(connection, guild_id, generation, sources, nsfw=restricted)
            if not found:
                place = self._rng.random()
                found = await some_attachments(connection, guild_id, generation, place, nsfw=restricted)
        if not found:
            self._none_until[guild_id] = self._clock() + _NONE_SECONDS
            return None
        self._none_until.pop(guild_id, None)
        return await self._urls.fresh(guild_id, self._rng.choice(found))

    async def fetch(self, url: str) -> File | None:
        """The file itself; None for one that is not on Discord's CDN, too large or out of reach: link to it then."""
        with left_out("file", self._observe):
            return await self._fetch(url)

    async def _fetch(self, url: str) -> File | None:
        parts = urlsplit(url)
        if parts.netloc not in self._hosts:
            return None
        timeout = aiohttp.ClientTimeout(total=_DOWNLOAD_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(url, allow_redirects=False) as response,
            ):
                if response.status != 200 or (response.content_length or 0) > MAX_BYTES:
                    return None
                data = bytearray()
                async for piece in response.content.iter_chunked(1 << 16):
                    data += piece
                    if len(data) > MAX_BYTES:
                        return None
        except (aiohttp.ClientError, TimeoutError) as error:
            _log.debug("an attachment could not be fetched", reason=str(error))
            return None
        return File(PurePosixPath(unquote(parts.path)).name or "file", bytes(data), url)

"""Refreshed CDN URLs, shared by processes through a real Redis."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from markov_shard.errors import DiscordUnavailableError
from markov_shard.shared.cdn_urls import MAX_BATCH, CdnUrls, expiry
from markov_shard.shared.connect import connect_redis

GUILD = 81384788765712384


def url(number: int, ex: float) -> str:
    return f"https://cdn.discordapp.com/attachments/1/{number}/cat.png?ex={int(ex):x}&is=1&hm=abc&"


EXPIRED = 1_000_000.0


class Discord:
    """Signs what it is asked for, once `answers` is set; remembers each request."""

    def __init__(self) -> None:
        self.requests: list[Sequence[str]] = []
        self.gone: set[str] = set()
        self.answers = asyncio.Event()
        self.answers.set()
        self.asked = asyncio.Event()
        self.down = False
        self.life = 24 * 3600.0

    async def refresh(self, urls: Sequence[str]) -> Mapping[str, str | None]:
        self.requests.append(urls)
        self.asked.set()
        await self.answers.wait()
        if self.down:
            raise DiscordUnavailableError("Discord is away")
        expires = time.time() + self.life
        return {old: None if old in self.gone else url(int(old.split("/")[5]), expires) for old in urls}


class Process:
    """One process's view of the cache; `dropped` is what it was told is gone."""

    def __init__(self, redis: Redis, discord: Discord, name: str) -> None:
        self.dropped: list[tuple[int, str]] = []
        self.urls = CdnUrls(redis, discord.refresh, holder=name, on_gone=self._drop)

    async def _drop(self, guild_id: int, gone: str) -> None:
        self.dropped.append((guild_id, gone))


@pytest.fixture
def discord() -> Discord:
    return Discord()


@pytest.fixture
def one(redis_client: Redis, discord: Discord) -> Process:
    return Process(redis_client, discord, "one")


@pytest.fixture
async def two(redis_url: str, redis_client: Redis, discord: Discord) -> AsyncIterator[Process]:
    client = await connect_redis(redis_url)
    yield Process(client, discord, "two")
    await client.aclose()


async def test_a_url_that_is_still_valid_is_returned_as_it_is(one: Process, discord: Discord) -> None:
    valid = url(1, time.time() + 3600)
    assert await one.urls.fresh(GUILD, valid) == valid
    assert discord.requests == []


async def test_a_refreshed_url_is_known_to_every_process(one: Process, two: Process, discord: Discord) -> None:
    fresh = await one.urls.fresh(GUILD, url(1, EXPIRED))
    assert fresh is not None
    assert (expiry(fresh) or 0) > time.time() + 23 * 3600
    assert await two.urls.fresh(GUILD, url(1, EXPIRED + 1)) == fresh  # an older signature of the same file
    assert len(discord.requests) == 1
    assert (one.urls.outcomes, two.urls.outcomes) == (Counter(refreshed=1), Counter(cached=1))


async def test_one_refresh_is_in_flight_whoever_asks(one: Process, two: Process, discord: Discord) -> None:
    discord.answers.clear()
    asking = [asyncio.create_task(p.urls.fresh(GUILD, url(1, EXPIRED))) for p in (one, one, two, two)]
    await discord.asked.wait()
    await asyncio.sleep(0)  # the others have asked, and wait
    discord.answers.set()
    assert len(set(await asyncio.gather(*asking))) == 1
    assert discord.requests == [[url(1, EXPIRED)]]


async def test_urls_of_one_moment_are_refreshed_in_batches(one: Process, discord: Discord) -> None:
    found = await asyncio.gather(*(one.urls.fresh(GUILD, url(n, EXPIRED)) for n in range(120)))
    assert all(found)
    assert sum(len(request) for request in discord.requests) == 120
    assert max(len(request) for request in discord.requests) <= MAX_BATCH
    assert len(discord.requests) == one.urls.requests <= 5


async def test_a_file_that_is_gone_is_dropped_once_and_not_asked_for_again(
    one: Process, two: Process, discord: Discord
) -> None:
    discord.gone.add(url(1, EXPIRED))
    assert await one.urls.fresh(GUILD, url(1, EXPIRED)) is None
    assert await two.urls.fresh(GUILD, url(1, EXPIRED)) is None
    assert (one.dropped, two.dropped) == ([(GUILD, url(1, EXPIRED))], [])
    assert len(discord.requests) == 1


async def test_discord_away_is_no_attachment_and_no_storm(one: Process, two: Process, discord: Discord) -> None:
    discord.down = True
    assert await one.urls.fresh(GUILD, url(1, EXPIRED)) is None
    assert await two.urls.fresh(GUILD, url(1, EXPIRED)) is None
    assert len(discord.requests) == 1
    assert one.dropped == []


async def test_a_url_is_kept_no_longer_than_its_own_expiry(one: Process, discord: Discord, redis_client: Redis) -> None:
    discord.life = 1000
    await one.urls.fresh(GUILD, url(1, EXPIRED))
    [key] = [key async for key in redis_client.scan_iter("markov:{cdn:*")]
    assert 600 < await redis_client.ttl(key) <= 700
    discord.life = 48 * 3600
    await one.urls.fresh(GUILD, url(2, EXPIRED))
    longest = max([await redis_client.ttl(key) async for key in redis_client.scan_iter("markov:{cdn:*")])
    assert 22 * 3600 < longest <= 23 * 3600


async def test_without_redis_a_process_refreshes_for_itself(discord: Discord) -> None:
    async with Redis(host="127.0.0.1", port=9, retry=Retry(NoBackoff(), 0)) as nowhere:
        process = Process(nowhere, discord, "alone")
        assert await process.urls.fresh(GUILD, url(1, EXPIRED))


async def test_a_refresher_that_died_is_replaced(one: Process, redis_client: Redis, discord: Discord) -> None:
    await one.urls.fresh(GUILD, url(1, EXPIRED))
    [key] = [key async for key in redis_client.scan_iter("markov:{cdn:*")]
    await redis_client.delete(key)
    await redis_client.set(key.replace(b":signed", b":refresh"), "a dead process", px=200)
    assert await one.urls.fresh(GUILD, url(1, EXPIRED))
    assert len(discord.requests) == 2
